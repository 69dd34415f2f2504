//! The health of webhooks: whether they work, told from the attempts made for them.
//!
//! A healthy webhook that goes on working costs nothing here: the engine calls only when something changed or failed.

use std::time::Duration;

use bellwire_core::{
    delivery::Health,
    id::{DeliveryId, WebhookId, WorkspaceId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{Conn, DbError, dialect::FOR_UPDATE};

/// Between two signs of an engine's life, time counts that is no longer than this: others may be at work meanwhile.
const COUNTED: Duration = Duration::from_mins(2);

/// What is known of a webhook's failures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthRow {
    /// Whether it works.
    pub health: Health,
    /// Since when all attempts fail.
    pub failing_since: Option<Timestamp>,
    /// Microseconds since then that don't count towards turning it off; see [`at_work`].
    pub failing_uncounted: i64,
    /// How many did since then.
    pub failing_attempts: u32,
    /// The last of them.
    pub last_error: Option<LastError>,
}

/// The last failure of a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = WebhookLastError)]
pub struct LastError {
    /// When.
    pub at: Timestamp,
    /// In words: `503 Service Unavailable`, "There was no answer within 15 s."
    pub message: String,
    /// For which delivery.
    pub delivery_id: DeliveryId,
    /// The code of the error; absent when there was an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// Reads it, to be judged and written in the same transaction; `None` when the webhook was deleted.
///
/// # Errors
/// See [`DbError`].
pub async fn get(conn: &mut Conn, webhook: WebhookId) -> Result<Option<HealthRow>, DbError> {
    let sql = format!(
        "SELECT health, failing_since, failing_uncounted, failing_attempts, last_error FROM webhooks \
         WHERE id = $1 AND deleted_at IS NULL{}",
        FOR_UPDATE.of(conn)
    );
    let Some(row) = conn.query_opt(&sql, &[webhook.into()]).await? else { return Ok(None) };
    let last_error: Option<String> = row.get("last_error")?;
    Ok(Some(HealthRow {
        health: row.parse("health")?,
        failing_since: row.get("failing_since")?,
        failing_uncounted: row.get("failing_uncounted")?,
        failing_attempts: row.get("failing_attempts")?,
        last_error: last_error.is_some().then(|| row.json("last_error")).transpose()?,
    }))
}

/// Writes it.
///
/// # Errors
/// See [`DbError`].
pub async fn set(conn: &mut Conn, webhook: WebhookId, health: &HealthRow) -> Result<(), DbError> {
    let sql = "UPDATE webhooks SET health = $2, failing_since = CAST($3 AS BIGINT), failing_attempts = $4, last_error = $5, failing_uncounted = $6 WHERE id = $1";
    let last_error = health.last_error.as_ref().map(serde_json::to_string).transpose();
    let parameters = [
        webhook.into(),
        health.health.as_str().into(),
        health.failing_since.into(),
        health.failing_attempts.into(),
        last_error.map_err(|error| DbError::Fault(error.to_string()))?.into(),
        health.failing_uncounted.into(),
    ];
    conn.execute(sql, &parameters).await.map(drop)
}

/// Says that an engine is at work at `now` and has been since `since`, both by the database's clock. A longer time in which none
/// was (none ran, or the clock was set meanwhile, forward or back) is no time in which webhooks have failed: it is not counted.
///
/// # Errors
/// See [`DbError`].
pub async fn at_work(conn: &mut Conn, now: Timestamp, since: Timestamp) -> Result<(), DbError> {
    let sql = format!("SELECT seen_at FROM engine{}", FOR_UPDATE.of(conn));
    let seen: Option<Timestamp> = conn.query_opt(&sql, &[]).await?.map(|row| row.get("seen_at")).transpose()?;
    // A sign that is still to come was given before the clock was set back. One between `since` and `now` leaves no gap: it may
    // be another node's, or one's own that was written although the store said that it was not.
    let last = seen.unwrap_or(since);
    if since.since(last) > COUNTED || last.since(now) > COUNTED {
        let gap = since.as_micros().saturating_sub(last.as_micros());
        let sql = "UPDATE webhooks SET failing_uncounted = failing_uncounted + $1 \
                   WHERE health = 'failing' AND status = 'active' AND deleted_at IS NULL";
        conn.execute(sql, &[gap.into()]).await?;
    }
    let sql =
        "INSERT INTO engine (one, seen_at) VALUES (1, $1) ON CONFLICT (one) DO UPDATE SET seen_at = EXCLUDED.seen_at";
    conn.execute(sql, &[now.into()]).await.map(drop)
}

/// Active webhooks all of whose attempts have failed since `since` or longer, not counting what doesn't count; at most `limit`.
///
/// # Errors
/// See [`DbError`].
pub async fn failing_since(
    conn: &mut Conn,
    since: Timestamp,
    limit: u32,
) -> Result<Vec<(WorkspaceId, WebhookId)>, DbError> {
    let sql = "SELECT workspace_id, id FROM webhooks WHERE health = 'failing' AND status = 'active' AND deleted_at IS NULL \
               AND failing_since + failing_uncounted <= $1 ORDER BY failing_since LIMIT $2";
    let rows = conn.query(sql, &[since.into(), i64::from(limit).into()]).await?;
    rows.iter().map(|row| Ok((row.get("workspace_id")?, row.get("id")?))).collect()
}
