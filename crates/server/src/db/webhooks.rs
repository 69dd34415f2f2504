//! Webhooks: the rows behind the page, and what the engine must know of each to send to it.
//!
//! Secrets, headers and the signing seed are stored sealed and leave this module sealed; `ops::webhooks` opens them. A deleted
//! webhook keeps its row (deliveries and status changes name it), without secrets and subscriptions; nothing here finds it.
//!
//! `cancel_before` is how missed events are skipped in one step, however many there are: automatic deliveries that were made
//! until then and are still pending count as cancelled. New deliveries are always made after it (`db::events`).

use std::ops::Deref;

use bellwire_core::{
    catalogue::{ActorType, EventTypes},
    delivery::Health,
    event::PrincipalKind,
    id::{WebhookId, WorkspaceId},
    time::Timestamp,
    webhook_url::WebhookUrl,
};
use serde::{Deserialize, Serialize};

use super::{
    Conn, DbError, Row, Value,
    dialect::{Column::Text, Many},
    page::{self, Filter, Listing, Page, PageRequest},
    status_changes::json,
};
pub use super::{
    health::LastError,
    status_changes::{Evidence, Status, StatusCode, StatusReason},
};

/// A webhook, as the API shows it and events carry it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Webhook {
    /// The webhook's id.
    pub id: WebhookId,
    /// Where events are sent.
    #[schema(value_type = String)]
    pub url: WebhookUrl,
    /// What the webhook is for.
    pub description: String,
    /// The event types that it wants: exact names.
    pub event_types: EventTypes,
    /// The actor types that they belong to.
    pub actor_types: Vec<ActorType>,
    /// Who owns the webhook.
    pub owner: Owner,
    /// Whether events are sent.
    pub status: Status,
    /// Why it is inactive; null while it is active.
    pub status_reason: Option<StatusReason>,
    /// How its deliveries went lately.
    pub health: Health,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its settings or its status changed last.
    pub updated_at: Timestamp,
}

/// Who owns a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = WebhookOwner)]
pub struct Owner {
    /// `user` or `api_key`.
    #[serde(rename = "type")]
    pub kind: PrincipalKind,
    /// The id of the user or API key.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// Who owned a webhook before it was handed over: somebody who left or was removed, or an API key that was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = WebhookPreviousOwner)]
pub struct PreviousOwner {
    /// Who.
    #[serde(flatten)]
    pub owner: Owner,
    /// When it was handed over.
    pub until: Timestamp,
}

/// Everything that is stored of a webhook.
#[derive(Clone, Debug)]
pub struct Record {
    /// What is shown.
    pub webhook: Webhook,
    /// Whose it was before, when it was handed over.
    pub previous_owner: Option<PreviousOwner>,
    /// Custom headers.
    pub headers_sealed: Option<Vec<u8>>,
    /// Requests per second at the most.
    pub rate_limit: Option<u32>,
    /// The secret that signs.
    pub secret_sealed: Vec<u8>,
    /// The one before it, which signs too until its time is over.
    pub old_secret: Option<OldSecret>,
    /// The ed25519 seed, when the webhook has one.
    pub signing_seed_sealed: Option<Vec<u8>>,
    /// The first failure after the last success.
    pub failing_since: Option<Timestamp>,
    /// Microseconds since then that don't count towards turning it off; see [`health::at_work`](super::health::at_work).
    pub failing_uncounted: i64,
    /// Failed attempts since then.
    pub failing_attempts: i64,
    /// What went wrong last, while it is failing.
    pub last_error: Option<LastError>,
    /// Automatic deliveries made until then, if still pending, are cancelled.
    pub cancel_before: Timestamp,
}

impl Deref for Record {
    type Target = Webhook;

    fn deref(&self) -> &Webhook {
        &self.webhook
    }
}

/// The secret before the current one.
#[derive(Clone, Debug)]
pub struct OldSecret {
    /// Sealed.
    pub sealed: Vec<u8>,
    /// Until when it signs too.
    pub until: Timestamp,
}

/// What the engine must know to send.
#[derive(Clone, Debug)]
pub struct Target {
    /// Which webhook.
    pub id: WebhookId,
    /// Where it belongs to.
    pub workspace: WorkspaceId,
    /// Where events are sent.
    pub url: WebhookUrl,
    /// Whether they are sent.
    pub status: Status,
    /// How often it was turned on; see [`activations`](super::status_changes::activations).
    pub activations: i64,
    /// The secret that signs.
    pub secret_sealed: Vec<u8>,
    /// The one before it, which signs too until its time is over.
    pub old_secret: Option<OldSecret>,
    /// Custom headers.
    pub headers_sealed: Option<Vec<u8>>,
    /// The ed25519 seed, when the webhook has one.
    pub signing_seed_sealed: Option<Vec<u8>>,
    /// Requests per second at the most.
    pub rate_limit: Option<u32>,
    /// Automatic deliveries made until then, if still pending, are cancelled.
    pub cancel_before: Timestamp,
    /// How its deliveries went lately.
    pub health: Health,
    /// The first failure after the last success.
    pub failing_since: Option<Timestamp>,
}

/// By what the list can be sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WebhookSort)]
pub enum Sort {
    /// Alphabetically.
    Url,
    /// Alphabetically by the owner's name, whatever its case.
    Owner,
    /// Chronologically.
    CreatedAt,
    /// Active ones, then inactive ones.
    Status,
}

impl Sort {
    /// All of them, in the order of the columns.
    pub const ALL: [Self; 4] = [Self::Url, Self::Owner, Self::CreatedAt, Self::Status];
}

impl page::Sort for Sort {
    fn name(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Owner => "owner",
            Self::CreatedAt => "created_at",
            Self::Status => "status",
        }
    }

    fn column(self) -> &'static str {
        match self {
            Self::Url => "w.url",
            Self::Owner => "w.owner_key",
            Self::CreatedAt => "w.created_at",
            Self::Status => "w.status",
        }
    }

    fn is_number(self) -> bool {
        self == Self::CreatedAt
    }

    fn id(self) -> &'static str {
        "w.id"
    }
}

/// Which statuses to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WebhookStatusFilter)]
pub enum StatusFilter {
    /// Events are sent.
    Active,
    /// Events are held.
    Inactive,
    /// Events are sent, and all of them fail.
    Failing,
}

/// Which webhooks to list.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Text in the URL, the description or the owner's name, or the whole id.
    pub search: Option<String>,
    /// Only those of this status.
    pub status: Option<StatusFilter>,
    /// Only those that want some event of this actor type.
    pub actor_type: Option<ActorType>,
}

const COLUMNS: &str = "w.id AS id, w.url AS url, w.description AS description, w.event_types AS event_types, \
     w.owner_type AS owner_type, w.owner_id AS owner_id, w.owner_name AS owner_name, w.status AS status, \
     w.status_reason AS status_reason, w.health AS health, w.created_at AS created_at, w.updated_at AS updated_at, \
     w.headers_sealed AS headers_sealed, w.rate_limit AS rate_limit, w.secret_sealed AS secret_sealed, \
     w.old_secret_sealed AS old_secret_sealed, w.old_secret_until AS old_secret_until, \
     w.signing_seed_sealed AS signing_seed_sealed, w.failing_since AS failing_since, \
     w.failing_uncounted AS failing_uncounted, w.failing_attempts AS failing_attempts, w.last_error AS last_error, \
     w.cancel_before AS cancel_before, w.previous_owner AS previous_owner";

fn read(row: &Row) -> Result<Record, DbError> {
    let event_types: EventTypes = row.json("event_types")?;
    let owner_type: String = row.get("owner_type")?;
    let webhook = Webhook {
        id: row.get("id")?,
        url: row.parse("url")?,
        description: row.get("description")?,
        actor_types: event_types.actor_types(),
        event_types,
        owner: Owner {
            kind: if owner_type == "api_key" { PrincipalKind::ApiKey } else { PrincipalKind::User },
            id: row.get("owner_id")?,
            name: row.get("owner_name")?,
        },
        status: row.parse("status")?,
        status_reason: optional_json(row, "status_reason")?,
        health: row.parse("health")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    };
    Ok(Record {
        webhook,
        previous_owner: optional_json(row, "previous_owner")?,
        headers_sealed: row.get("headers_sealed")?,
        rate_limit: row.get("rate_limit")?,
        secret_sealed: row.get("secret_sealed")?,
        old_secret: old_secret(row)?,
        signing_seed_sealed: row.get("signing_seed_sealed")?,
        failing_since: row.get("failing_since")?,
        failing_uncounted: row.get("failing_uncounted")?,
        failing_attempts: row.get("failing_attempts")?,
        last_error: optional_json(row, "last_error")?,
        cancel_before: row.get("cancel_before")?,
    })
}

fn old_secret(row: &Row) -> Result<Option<OldSecret>, DbError> {
    let (sealed, until) = (row.get("old_secret_sealed")?, row.get("old_secret_until")?);
    Ok(Option::zip(sealed, until).map(|(sealed, until)| OldSecret { sealed, until }))
}

fn optional_json<T: serde::de::DeserializeOwned>(row: &Row, column: &str) -> Result<Option<T>, DbError> {
    row.get::<Option<String>>(column)?.map(|_| row.json(column)).transpose()
}

pub(super) fn listing(workspace: WorkspaceId, wanted: &Wanted) -> Listing {
    let mut filter = Filter::default();
    filter.and("w.workspace_id = $?", workspace);
    filter.and_always("w.deleted_at IS NULL");
    match wanted.status {
        Some(StatusFilter::Active) => filter.and_walking("w.status", "active"),
        Some(StatusFilter::Inactive) => filter.and_walking("w.status", "inactive"),
        Some(StatusFilter::Failing) => filter.and_always("w.status = 'active' AND w.health = 'failing'"),
        None => {}
    }
    if let Some(actor_type) = wanted.actor_type {
        filter.and("w.actor_types LIKE $?", format!("%,{},%", actor_type.key()));
    }
    match wanted.search.as_deref().map(str::trim) {
        None | Some("") => {}
        Some(text) => match text.parse::<WebhookId>() {
            Ok(id) => filter.and("w.id = $?", id),
            Err(_) => filter
                .and("w.search_key LIKE $? ESCAPE '\\' OR w.owner_key LIKE $? ESCAPE '\\'", page::containing(text)),
        },
    }
    Listing::new(COLUMNS, "webhooks w", filter)
}

/// One page of the workspace's webhooks.
///
/// # Errors
/// See [`DbError`].
pub async fn list(
    conn: &mut Conn,
    workspace: WorkspaceId,
    wanted: &Wanted,
    request: &PageRequest<Sort>,
) -> Result<Page<Record>, DbError> {
    page::list(conn, listing(workspace, wanted), request, read).await
}

/// How many there are on all pages.
///
/// # Errors
/// See [`DbError`].
pub async fn count(conn: &mut Conn, workspace: WorkspaceId, wanted: &Wanted) -> Result<u64, DbError> {
    page::count(conn, &listing(workspace, wanted)).await
}

/// One webhook of the workspace; `None` when it has none of that id, or it was deleted.
///
/// # Errors
/// See [`DbError`].
pub async fn get(conn: &mut Conn, workspace: WorkspaceId, id: WebhookId) -> Result<Option<Record>, DbError> {
    let sql =
        format!("SELECT {COLUMNS} FROM webhooks w WHERE w.id = $1 AND w.workspace_id = $2 AND w.deleted_at IS NULL");
    conn.query_opt(&sql, &[id.into(), workspace.into()]).await?.as_ref().map(read).transpose()
}

/// What the engine must know to send; `None` when the webhook was deleted.
///
/// # Errors
/// See [`DbError`].
pub async fn target(conn: &mut Conn, id: WebhookId) -> Result<Option<Target>, DbError> {
    let sql = "SELECT workspace_id, url, status, (SELECT COUNT(*) FROM status_changes s WHERE s.webhook_id = $1 AND s.status = 'active') AS activations, secret_sealed, old_secret_sealed, old_secret_until, headers_sealed, \
               signing_seed_sealed, rate_limit, cancel_before, health, failing_since \
               FROM webhooks WHERE id = $1 AND deleted_at IS NULL";
    let Some(row) = conn.query_opt(sql, &[id.into()]).await? else { return Ok(None) };
    Ok(Some(Target {
        id,
        workspace: row.get("workspace_id")?,
        url: row.parse("url")?,
        status: row.parse("status")?,
        activations: row.get("activations")?,
        secret_sealed: row.get("secret_sealed")?,
        old_secret: old_secret(&row)?,
        headers_sealed: row.get("headers_sealed")?,
        signing_seed_sealed: row.get("signing_seed_sealed")?,
        rate_limit: row.get("rate_limit")?,
        cancel_before: row.get("cancel_before")?,
        health: row.parse("health")?,
        failing_since: row.get("failing_since")?,
    }))
}

/// Counts one webhook more in the workspace; `false`, and nothing is counted, when it has `limit` of them.
///
/// # Errors
/// See [`DbError`].
pub async fn count_new(conn: &mut Conn, workspace: WorkspaceId, limit: u32) -> Result<bool, DbError> {
    let sql = "UPDATE workspaces SET webhooks = webhooks + 1 WHERE id = $1 AND webhooks < $2";
    Ok(conn.execute(sql, &[workspace.into(), i64::from(limit).into()]).await? > 0)
}

/// Writes a new webhook, which is counted already, and what it wants.
///
/// # Errors
/// See [`DbError`].
pub async fn insert(conn: &mut Conn, workspace: WorkspaceId, record: &Record) -> Result<(), DbError> {
    let sql = "INSERT INTO webhooks (id, workspace_id, url, description, event_types, actor_types, headers_sealed, \
               rate_limit, owner_type, owner_id, owner_name, owner_key, status, secret_sealed, signing_seed_sealed, \
               health, created_at, updated_at, search_key) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $17, $18)";
    let values = [
        record.id.into(),
        workspace.into(),
        record.url.as_str().into(),
        (&record.description).into(),
        json(&record.event_types)?.into(),
        actor_types(record.event_types).into(),
        record.headers_sealed.clone().into(),
        record.rate_limit.into(),
        record.owner.kind.as_str().into(),
        (&record.owner.id).into(),
        (&record.owner.name).into(),
        record.owner.name.to_lowercase().into(),
        record.status.as_str().into(),
        record.secret_sealed.clone().into(),
        record.signing_seed_sealed.clone().into(),
        record.health.as_str().into(),
        record.created_at.into(),
        search_key(record).into(),
    ];
    conn.execute(sql, &values).await?;
    subscribe(conn, workspace, record.id, record.event_types).await
}

/// Writes what can be modified: URL, description, event types, headers, rate limit, key pair, `updated_at`. Another URL begins
/// with a clean health.
///
/// # Errors
/// See [`DbError`].
pub async fn update(conn: &mut Conn, workspace: WorkspaceId, record: &Record) -> Result<(), DbError> {
    let sql = "UPDATE webhooks SET url = $2, description = $3, event_types = $4, actor_types = $5, headers_sealed = $6, \
               rate_limit = $7, updated_at = $8, signing_seed_sealed = $9, search_key = $10, \
               health = CASE WHEN url = $2 THEN health ELSE 'unknown' END, \
               failing_since = CASE WHEN url = $2 THEN failing_since ELSE NULL END, \
               failing_attempts = CASE WHEN url = $2 THEN failing_attempts ELSE 0 END, \
               last_error = CASE WHEN url = $2 THEN last_error ELSE NULL END WHERE id = $1";
    let values = [
        record.id.into(),
        record.url.as_str().into(),
        (&record.description).into(),
        json(&record.event_types)?.into(),
        actor_types(record.event_types).into(),
        record.headers_sealed.clone().into(),
        record.rate_limit.into(),
        record.updated_at.into(),
        record.signing_seed_sealed.clone().into(),
        search_key(record).into(),
    ];
    conn.execute(sql, &values).await?;
    conn.execute("DELETE FROM subscriptions WHERE webhook_id = $1", &[record.id.into()]).await?;
    subscribe(conn, workspace, record.id, record.event_types).await
}

/// What a search looks at beside the owner's name.
fn search_key(webhook: &Webhook) -> String {
    format!("{}\n{}", webhook.url, webhook.description).to_lowercase()
}

fn actor_types(event_types: EventTypes) -> String {
    event_types.actor_types().iter().fold(",".to_owned(), |list, actor_type| list + actor_type.key() + ",")
}

const SUBSCRIBE: Many = Many {
    sqlite: "INSERT INTO subscriptions (workspace_id, event_type, webhook_id) VALUES ($1, $2, $3)",
    postgres: "INSERT INTO subscriptions (workspace_id, event_type, webhook_id) \
               SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[])",
    columns: &[Text, Text, Text],
};

async fn subscribe(
    conn: &mut Conn,
    workspace: WorkspaceId,
    id: WebhookId,
    event_types: EventTypes,
) -> Result<(), DbError> {
    let rows = event_types.iter().map(|it| vec![workspace.into(), it.as_str().into(), id.into()]);
    conn.many(&SUBSCRIBE, rows.collect()).await.map(drop)
}

/// Makes a webhook inactive, for a reason; `false` when it was inactive already or is deleted. Touches none of its deliveries.
///
/// # Errors
/// See [`DbError`].
pub async fn deactivate(conn: &mut Conn, id: WebhookId, reason: &StatusReason) -> Result<bool, DbError> {
    let sql = "UPDATE webhooks SET status = 'inactive', status_reason = $2, updated_at = $3 \
               WHERE id = $1 AND status = 'active' AND deleted_at IS NULL";
    Ok(conn.execute(sql, &[id.into(), json(reason)?.into(), reason.at.into()]).await? > 0)
}

/// Makes a webhook active. What was known of its failures is forgotten, so that it gets its whole time again.
///
/// # Errors
/// See [`DbError`].
pub async fn activate(conn: &mut Conn, id: WebhookId, cancel_before: Timestamp, now: Timestamp) -> Result<(), DbError> {
    let sql = "UPDATE webhooks SET status = 'active', status_reason = NULL, cancel_before = $2, updated_at = $3, \
               health = CASE WHEN health = 'failing' THEN 'unknown' ELSE health END, \
               failing_since = NULL, failing_attempts = 0, last_error = NULL WHERE id = $1";
    conn.execute(sql, &[id.into(), cancel_before.into(), now.into()]).await.map(drop)
}

/// Writes a new secret; the one before it signs too until `old_until`.
///
/// # Errors
/// See [`DbError`].
pub async fn rotate_secret(
    conn: &mut Conn,
    id: WebhookId,
    secret_sealed: Vec<u8>,
    old: Option<OldSecret>,
    now: Timestamp,
) -> Result<(), DbError> {
    let sql = "UPDATE webhooks SET secret_sealed = $2, old_secret_sealed = $3, old_secret_until = $4, updated_at = $5 \
               WHERE id = $1";
    let (old_sealed, until) = old.map_or((None, None), |old| (Some(old.sealed), Some(old.until)));
    let values = [id.into(), secret_sealed.into(), old_sealed.into(), until.into(), now.into()];
    conn.execute(sql, &values).await.map(drop)
}

/// Deletes a webhook: nothing finds it any more, it wants nothing, and its secrets are gone.
///
/// # Errors
/// See [`DbError`].
pub async fn delete(conn: &mut Conn, id: WebhookId, now: Timestamp) -> Result<(), DbError> {
    conn.execute("DELETE FROM subscriptions WHERE webhook_id = $1", &[id.into()]).await?;
    let sql = "UPDATE workspaces SET webhooks = webhooks - 1 WHERE id = (SELECT workspace_id FROM webhooks WHERE id = $1 AND deleted_at IS NULL)";
    conn.execute(sql, &[id.into()]).await?;
    let sql = "UPDATE webhooks SET deleted_at = $2, updated_at = $2, secret_sealed = $3, old_secret_sealed = NULL, \
               old_secret_until = NULL, headers_sealed = NULL, signing_seed_sealed = NULL WHERE id = $1";
    conn.execute(sql, &[id.into(), now.into(), Value::Bytes(Vec::new())]).await.map(drop)
}
