//! The health of webhooks: whether they work, told from the attempts made for them.
//!
//! A healthy webhook that goes on working costs nothing here: the engine calls only when something changed or failed.

use bellwire_core::{
    delivery::Health,
    id::{DeliveryId, WebhookId, WorkspaceId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{Conn, DbError};

/// What is known of a webhook's failures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthRow {
    /// Whether it works.
    pub health: Health,
    /// Since when all attempts fail.
    pub failing_since: Option<Timestamp>,
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

/// Reads it; `None` when the webhook was deleted.
///
/// # Errors
/// See [`DbError`].
pub async fn get(conn: &mut Conn, webhook: WebhookId) -> Result<Option<HealthRow>, DbError> {
    let sql =
        "SELECT health, failing_since, failing_attempts, last_error FROM webhooks WHERE id = $1 AND deleted_at IS NULL";
    let Some(row) = conn.query_opt(sql, &[webhook.into()]).await? else { return Ok(None) };
    let last_error: Option<String> = row.get("last_error")?;
    Ok(Some(HealthRow {
        health: row.parse("health")?,
        failing_since: row.get("failing_since")?,
        failing_attempts: row.get("failing_attempts")?,
        last_error: last_error.is_some().then(|| row.json("last_error")).transpose()?,
    }))
}

/// Writes it.
///
/// # Errors
/// See [`DbError`].
pub async fn set(conn: &mut Conn, webhook: WebhookId, health: &HealthRow) -> Result<(), DbError> {
    let sql = "UPDATE webhooks SET health = $2, failing_since = CAST($3 AS BIGINT), failing_attempts = $4, last_error = $5 WHERE id = $1";
    let last_error = health.last_error.as_ref().map(serde_json::to_string).transpose();
    let parameters = [
        webhook.into(),
        health.health.as_str().into(),
        health.failing_since.into(),
        health.failing_attempts.into(),
        last_error.map_err(|error| DbError::Fault(error.to_string()))?.into(),
    ];
    conn.execute(sql, &parameters).await.map(drop)
}

/// Active webhooks all of whose attempts have failed since `since` or longer; at most `limit`.
///
/// # Errors
/// See [`DbError`].
pub async fn failing_since(
    conn: &mut Conn,
    since: Timestamp,
    limit: u32,
) -> Result<Vec<(WorkspaceId, WebhookId)>, DbError> {
    let sql = "SELECT workspace_id, id FROM webhooks WHERE health = 'failing' AND status = 'active' AND deleted_at IS NULL \
               AND failing_since <= $1 ORDER BY failing_since LIMIT $2";
    let rows = conn.query(sql, &[since.into(), i64::from(limit).into()]).await?;
    rows.iter().map(|row| Ok((row.get("workspace_id")?, row.get("id")?))).collect()
}
