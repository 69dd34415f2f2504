//! Deletes what is old, a little at a time.
//!
//! Ids begin with the time at which they were made, so "older than" is a range of the primary key and needs no other index.

use bellwire_core::{
    id::{DeliveryId, EventId, ReplayId},
    time::Timestamp,
};

use super::{
    Conn, DbError,
    dialect::{FOUND, Twofold},
};

#[cfg(test)]
mod tests;

/// Rows of a table in one transaction: bounds how long it keeps others from writing, to some milliseconds.
pub const STEP: u32 = 100;

/// Deletes up to `limit` deliveries made before `before`, with their attempts; then up to `limit` events. Returns how many rows of
/// the two were deleted: zero when nothing is left to do.
///
/// # Errors
/// See [`DbError`].
pub async fn history(conn: &mut Conn, before: Timestamp, limit: u32) -> Result<u64, DbError> {
    let (delivery, event) = (DeliveryId::new(before, [0; 10]), EventId::new(before, [0; 10]));
    let limit = i64::from(limit);
    let old = found(conn, "SELECT id FROM deliveries WHERE id < $1 ORDER BY id LIMIT $2");
    conn.execute(&format!("DELETE FROM attempts WHERE delivery_id {old}"), &[delivery.into(), limit.into()]).await?;
    let deliveries =
        conn.execute(&format!("DELETE FROM deliveries WHERE id {old}"), &[delivery.into(), limit.into()]).await?;
    if deliveries > 0 {
        return Ok(deliveries);
    }
    let old = found(conn, "SELECT id FROM events WHERE id < $1 ORDER BY id LIMIT $2");
    conn.execute(&format!("DELETE FROM events WHERE id {old}"), &[event.into(), limit.into()]).await
}

/// Deletes up to `limit` replays made before `before` that have ended.
///
/// # Errors
/// See [`DbError`].
pub async fn replays(conn: &mut Conn, before: Timestamp, limit: u32) -> Result<u64, DbError> {
    let before = ReplayId::new(before, [0; 10]);
    let old = found(conn, "SELECT id FROM replays WHERE id < $1 AND status <> 'running' ORDER BY id LIMIT $2");
    conn.execute(&format!("DELETE FROM replays WHERE id {old}"), &[before.into(), i64::from(limit).into()]).await
}

/// Deletes sessions and offers of ownership that have ended by `now`, and idempotency keys made before `keys_before`.
///
/// # Errors
/// See [`DbError`].
pub async fn short_lived(conn: &mut Conn, now: Timestamp, keys_before: Timestamp, limit: u32) -> Result<u64, DbError> {
    let limit = i64::from(limit);
    let ended = found(conn, "SELECT token_hash FROM sessions WHERE expires_at <= $1 LIMIT $2");
    let sql = format!("DELETE FROM sessions WHERE token_hash {ended}");
    let sessions = conn.execute(&sql, &[now.into(), limit.into()]).await?;
    let ended = found(conn, "SELECT id FROM ownership_offers WHERE expires_at <= $1 LIMIT $2");
    let sql = format!("DELETE FROM ownership_offers WHERE id {ended}");
    let offers = conn.execute(&sql, &[now.into(), limit.into()]).await?;
    Ok(sessions + offers + conn.execute(OLD_KEYS.of(conn), &[keys_before.into(), limit.into()]).await?)
}

// They have no key of one column: PostgreSQL finds them by where they are.
const OLD_KEYS: Twofold = Twofold {
    sqlite: "DELETE FROM idempotency_keys WHERE (workspace_id, key) IN \
             (SELECT workspace_id, key FROM idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT $2)",
    postgres: "DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY( \
               SELECT ctid FROM idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT $2))",
};

/// A condition on a column: it is one of those that `select` finds.
fn found(conn: &Conn, select: &str) -> String {
    let [begin, end] = FOUND.map(|part| part.of(conn));
    format!("{begin}{select}{end}")
}
