//! Deletes what is old, a little at a time.
//!
//! Ids begin with the time at which they were made, so "older than" is a range of the primary key and needs no other index.

use bellwire_core::{
    id::{DeliveryId, EventId, ReplayId},
    time::Timestamp,
};

use super::{Conn, DbError};

#[cfg(test)]
mod tests;

/// Rows of a table in one transaction: bounds how long it keeps others from writing, to some milliseconds.
pub const STEP: u32 = 250;

/// Deletes up to `limit` deliveries made before `before`, with their attempts; then up to `limit` events. Returns how many rows of
/// the two were deleted: zero when nothing is left to do.
///
/// # Errors
/// See [`DbError`].
pub async fn history(conn: &mut Conn, before: Timestamp, limit: u32) -> Result<u64, DbError> {
    let (delivery, event) = (DeliveryId::new(before, [0; 10]), EventId::new(before, [0; 10]));
    let limit = i64::from(limit);
    let sql =
        "DELETE FROM attempts WHERE delivery_id IN (SELECT id FROM deliveries WHERE id < $1 ORDER BY id LIMIT $2)";
    conn.execute(sql, &[delivery.into(), limit.into()]).await?;
    let sql = "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE id < $1 ORDER BY id LIMIT $2)";
    let deliveries = conn.execute(sql, &[delivery.into(), limit.into()]).await?;
    if deliveries > 0 {
        return Ok(deliveries);
    }
    let sql = "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE id < $1 ORDER BY id LIMIT $2)";
    conn.execute(sql, &[event.into(), limit.into()]).await
}

/// Deletes up to `limit` replays made before `before` that have ended.
///
/// # Errors
/// See [`DbError`].
pub async fn replays(conn: &mut Conn, before: Timestamp, limit: u32) -> Result<u64, DbError> {
    let before = ReplayId::new(before, [0; 10]);
    let sql = "DELETE FROM replays WHERE id IN \
               (SELECT id FROM replays WHERE id < $1 AND status <> 'running' ORDER BY id LIMIT $2)";
    conn.execute(sql, &[before.into(), i64::from(limit).into()]).await
}

/// Deletes sessions and offers of ownership that have ended by `now`, and idempotency keys made before `keys_before`.
///
/// # Errors
/// See [`DbError`].
pub async fn short_lived(conn: &mut Conn, now: Timestamp, keys_before: Timestamp, limit: u32) -> Result<u64, DbError> {
    let limit = i64::from(limit);
    let sql =
        "DELETE FROM sessions WHERE token_hash IN (SELECT token_hash FROM sessions WHERE expires_at <= $1 LIMIT $2)";
    let sessions = conn.execute(sql, &[now.into(), limit.into()]).await?;
    let sql =
        "DELETE FROM ownership_offers WHERE id IN (SELECT id FROM ownership_offers WHERE expires_at <= $1 LIMIT $2)";
    let offers = conn.execute(sql, &[now.into(), limit.into()]).await?;
    let sql = "DELETE FROM idempotency_keys WHERE (workspace_id, key) IN \
               (SELECT workspace_id, key FROM idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT $2)";
    Ok(sessions + offers + conn.execute(sql, &[keys_before.into(), limit.into()]).await?)
}
