//! The server's clock.

use bellwire_core::time::Timestamp;

use super::{Conn, DbError};

/// What time it is at the PostgreSQL server; `None` on SQLite, which has no clock of its own.
///
/// # Errors
/// See [`DbError`].
pub async fn now(conn: &mut Conn) -> Result<Option<Timestamp>, DbError> {
    if matches!(conn, Conn::Sqlite(_)) {
        return Ok(None);
    }
    let sql = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) AS now";
    conn.query_one(sql, &[]).await?.get("now").map(Some)
}
