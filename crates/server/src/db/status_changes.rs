//! Status changes: the append-only history of a webhook's status, and the reason that its red dot shows.
//!
//! Whoever changes `webhooks.status` inserts a row here in the same transaction, so the newest row always tells the status
//! that the webhook has. The reason of an inactive webhook is kept beside it as well, for lists.

use bellwire_core::{
    event::EventActor,
    id::{DeliveryId, StatusChangeId, WebhookId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{
    Conn, DbError,
    page::{self, Filter, Listing, Page, PageRequest, Sort},
};

macro_rules! words {
    ($(#[doc = $doc:literal])* $name:ident as $schema:ident: $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)*) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(rename_all = "snake_case")]
        #[schema(as = $schema)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(word: &str) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|it| it.as_str() == word).ok_or_else(|| format!("unknown word {word:?}"))
            }
        }
    };
}

words! {
    /// Whether a webhook's events are sent.
    Status as WebhookStatus:
    /// They are sent.
    Active = "active",
    /// They are held.
    Inactive = "inactive",
}

words! {
    /// Why a webhook's status changed.
    StatusCode as WebhookStatusCode:
    /// Somebody did it.
    Manual = "manual",
    /// All attempts failed for too long.
    Failing = "failing",
    /// The receiver answered `410 Gone`.
    Gone = "gone",
    /// It leads to an address that may not be called.
    DestinationForbidden = "destination_forbidden",
}

/// What a change of status was decided on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Evidence {
    /// When the first of the failures was; null if none.
    pub first_failure_at: Option<Timestamp>,
    /// How many attempts failed since then.
    pub failed_attempts: i64,
    /// What went wrong last; null if nothing did.
    pub last_error: Option<String>,
    /// The delivery that failed last; null if none.
    pub last_delivery_id: Option<DeliveryId>,
}

/// Why a webhook is inactive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StatusReason {
    /// The reason, for machines.
    pub code: StatusCode,
    /// The reason, for people.
    pub message: String,
    /// When the status changed.
    pub at: Timestamp,
    /// Who changed it.
    pub by: EventActor,
    /// What it was decided on; null if nothing.
    pub evidence: Option<Evidence>,
}

/// One change of a webhook's status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct StatusChange {
    /// Its id.
    pub id: StatusChangeId,
    /// Of which webhook.
    pub webhook_id: WebhookId,
    /// What it became.
    pub status: Status,
    /// Why, who, when and on what evidence.
    #[serde(flatten)]
    pub reason: StatusReason,
}

/// The order of the history: by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByTime;

impl Sort for ByTime {
    fn name(self) -> &'static str {
        "at"
    }

    fn column(self) -> &'static str {
        "s.at"
    }

    fn is_number(self) -> bool {
        true
    }

    fn id(self) -> &'static str {
        "s.id"
    }
}

/// Writes one down.
///
/// # Errors
/// See [`DbError`].
pub async fn insert(conn: &mut Conn, change: &StatusChange) -> Result<(), DbError> {
    let sql = "INSERT INTO status_changes (id, webhook_id, status, code, message, by, evidence, at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let StatusReason { code, message, at, by, evidence } = &change.reason;
    let values = [
        change.id.into(),
        change.webhook_id.into(),
        change.status.as_str().into(),
        code.as_str().into(),
        message.into(),
        json(by)?.into(),
        evidence.as_ref().map(json).transpose()?.into(),
        (*at).into(),
    ];
    conn.execute(sql, &values).await.map(drop)
}

/// The history of a webhook.
///
/// # Errors
/// See [`DbError`].
pub async fn list(
    conn: &mut Conn,
    webhook: WebhookId,
    request: &PageRequest<ByTime>,
) -> Result<Page<StatusChange>, DbError> {
    let mut filter = Filter::default();
    filter.and("s.webhook_id = $?", webhook);
    let columns = "s.id AS id, s.webhook_id AS webhook_id, s.status AS status, s.code AS code, s.message AS message, \
                   s.by AS by_json, s.evidence AS evidence, s.at AS at";
    page::list(conn, Listing::new(columns, "status_changes s", filter), request, |row| {
        Ok(StatusChange {
            id: row.get("id")?,
            webhook_id: row.get("webhook_id")?,
            status: row.parse("status")?,
            reason: StatusReason {
                code: row.parse("code")?,
                message: row.get("message")?,
                at: row.get("at")?,
                by: row.json("by_json")?,
                evidence: row.get::<Option<String>>("evidence")?.map(|_| row.json("evidence")).transpose()?,
            },
        })
    })
    .await
}

/// What is stored as JSON: our own structs, which always can be.
pub(super) fn json(it: &impl Serialize) -> Result<String, DbError> {
    serde_json::to_string(it).map_err(|error| DbError::Fault(error.to_string()))
}
