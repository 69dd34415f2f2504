//! What the pictures of a webhook's last hours are made of: how its newest deliveries stand and their
//! attempts for its own page, a few deliveries for its row in the list.
//!
//! Bounded: the newest [`LIMIT`] deliveries and their attempts are looked at, and [`IN_ROW`] deliveries for a row, however many
//! there are. Both read along the index of the webhook's deliveries, so sending pays nothing for them.

use std::{collections::HashMap, time::Duration};

use bellwire_core::{
    catalogue::EventType,
    delivery::{State, is_success},
    id::WebhookId,
    time::Timestamp,
};

use super::{Conn, DbError, deliveries::STATE, dialect::Twofold};

/// Deliveries that are looked at.
pub const LIMIT: u32 = 10_000;

/// The length of the steps in which deliveries are counted.
pub const STEP: Duration = Duration::from_hours(1);

/// The newest deliveries of a webhook.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    /// In no order.
    pub outcomes: Vec<Outcome>,
    /// Their attempts, in no order.
    pub attempts: Vec<RecentAttempt>,
    /// Whether there may be more than these since the time that was asked for.
    pub cut: bool,
}

/// How many deliveries that were made in one step of time stand in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The number of the [`STEP`], from 0.
    pub step: usize,
    /// As it is shown.
    pub state: State,
    /// At least 1.
    pub count: u32,
}

/// One attempt, in short.
#[derive(Clone, Copy, Debug)]
pub struct RecentAttempt {
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, in microseconds.
    pub duration: i64,
    /// Whether the receiver took the event.
    pub succeeded: bool,
}

/// The webhook's newest deliveries since `since`, and the attempts since then.
///
/// # Errors
/// See [`DbError`].
pub async fn read(conn: &mut Conn, webhook: WebhookId, since: Timestamp) -> Result<Recent, DbError> {
    let sql = format!(
        "SELECT step, state, COUNT(*) AS total FROM ( \
           SELECT (d.created_at - $2) / $3 AS step, {STATE} AS state FROM deliveries d JOIN webhooks w ON w.id = d.webhook_id \
           WHERE d.webhook_id = $1 AND d.created_at >= $2 ORDER BY d.created_at DESC LIMIT $4) AS newest \
         GROUP BY step, state"
    );
    let length = i64::try_from(STEP.as_micros()).unwrap_or(i64::MAX);
    let values = [webhook.into(), since.into(), length.into(), i64::from(LIMIT).into()];
    let rows = conn.query(&sql, &values).await?;
    let outcomes = rows.iter().map(|row| {
        Ok(Outcome {
            step: usize::try_from(row.get::<i64>("step")?).unwrap_or(usize::MAX),
            state: row.parse("state")?,
            count: row.get("total")?,
        })
    });
    let outcomes = outcomes.collect::<Result<_, DbError>>()?;
    // The newest deliveries by the index of the webhook's list; older ones can have attempts of today as well (retries).
    let sql = "SELECT d.created_at AS created_at, a.started_at AS started_at, a.duration AS duration, a.status AS status FROM ( \
                 SELECT id, created_at FROM deliveries WHERE webhook_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2 \
               ) AS d JOIN attempts a ON a.delivery_id = d.id WHERE a.started_at >= $3";
    let rows = conn.query(sql, &[webhook.into(), i64::from(LIMIT).into(), since.into()]).await?;
    let attempts = rows.iter().map(|row| {
        let status: Option<u32> = row.get("status")?;
        Ok(RecentAttempt {
            started_at: row.get("started_at")?,
            duration: row.get("duration")?,
            succeeded: status.and_then(|status| u16::try_from(status).ok()).is_some_and(is_success),
        })
    });
    let attempts = attempts.collect::<Result<_, DbError>>()?;
    let sql =
        "SELECT created_at FROM deliveries WHERE webhook_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET $2";
    let beyond = conn.query_opt(sql, &[webhook.into(), i64::from(LIMIT).into()]).await?;
    let cut = beyond.is_some_and(|row| row.get::<Timestamp>("created_at").is_ok_and(|oldest| oldest >= since));
    Ok(Recent { outcomes, attempts, cut })
}

/// Deliveries that are looked at for a row of the list.
pub const IN_ROW: u32 = 24;

/// One delivery, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecentDelivery {
    /// When it was made.
    pub created_at: Timestamp,
    /// Its state. What is held counts as pending.
    pub state: State,
    /// Whether an attempt was made.
    pub tried: bool,
    /// Whether it is a `webhook.test`.
    pub is_test: bool,
}

const NEWEST: Twofold = Twofold {
    sqlite: "SELECT w.value AS webhook_id, d.created_at AS created_at, d.state AS state, d.attempts AS attempts, \
             d.event_type AS event_type FROM json_each($1) w JOIN deliveries d ON d.id IN ( \
               SELECT n.id FROM deliveries n WHERE n.webhook_id = w.value AND n.created_at >= $2 \
               ORDER BY n.created_at DESC, n.id DESC LIMIT $3) ORDER BY d.created_at, d.id",
    postgres: "SELECT w.id AS webhook_id, d.created_at AS created_at, d.state AS state, d.attempts AS attempts, \
               d.event_type AS event_type FROM json_array_elements_text($1::text::json) AS w (id) CROSS JOIN LATERAL ( \
                 SELECT n.id, n.created_at, n.state, n.attempts, n.event_type FROM deliveries n \
                 WHERE n.webhook_id = w.id AND n.created_at >= $2 ORDER BY n.created_at DESC, n.id DESC LIMIT $3 \
               ) AS d ORDER BY d.created_at, d.id",
};

/// The newest deliveries of each of these webhooks since `since`, oldest first; at most [`IN_ROW`] each, in one statement.
///
/// # Errors
/// See [`DbError`].
pub async fn deliveries(
    conn: &mut Conn,
    webhooks: &[WebhookId],
    since: Timestamp,
) -> Result<HashMap<WebhookId, Vec<RecentDelivery>>, DbError> {
    let ids: Vec<String> = webhooks.iter().map(WebhookId::to_string).collect();
    let ids = serde_json::to_string(&ids).map_err(|error| DbError::Fault(error.to_string()))?;
    let mut found: HashMap<WebhookId, Vec<RecentDelivery>> = HashMap::new();
    for row in conn.query(NEWEST.of(conn), &[ids.into(), since.into(), i64::from(IN_ROW).into()]).await? {
        let attempts: u32 = row.get("attempts")?;
        let event_type: String = row.get("event_type")?;
        found.entry(row.get("webhook_id")?).or_default().push(RecentDelivery {
            created_at: row.get("created_at")?,
            state: row.parse("state")?,
            tried: attempts > 0,
            is_test: event_type == EventType::WEBHOOK_TEST.as_str(),
        });
    }
    Ok(found)
}
