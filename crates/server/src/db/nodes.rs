//! The processes that serve one database, as far as they have said so: for whoever watches, and for limits that they share out.
//! Who holds which delivery is in [`super::leases`], and depends on nothing here.

use std::time::Duration;

use bellwire_core::{id::NodeId, time::Timestamp};

use super::{Conn, DbError, Row};

/// The table.
pub(super) const TABLE: &str = "nodes";
/// Who has not been heard of for so long has died, or is cut off.
pub const SILENCE: Duration = Duration::from_secs(15);
/// How long those are remembered.
const REMEMBERED: Duration = Duration::from_hours(24);

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its id, as leases name it.
    pub id: NodeId,
    /// The machine's name, and where it listens: `web-1 127.0.0.1:8080`.
    pub place: String,
    /// The program's version.
    pub version: String,
    /// When it began. By the database's clock, as everything here.
    pub started_at: Timestamp,
    /// When it last said that it lives.
    pub seen_at: Timestamp,
}

fn read(row: &Row) -> Result<Node, DbError> {
    Ok(Node {
        id: row.get("id")?,
        place: row.get("place")?,
        version: row.get("version")?,
        started_at: row.get("started_at")?,
        seen_at: row.get("seen_at")?,
    })
}

/// Says that a node lives, and forgets those that have long been dead.
///
/// # Errors
/// See [`DbError`].
pub async fn live(conn: &mut Conn, node: &Node) -> Result<(), DbError> {
    let sql = "INSERT INTO nodes (id, place, version, started_at, seen_at) VALUES ($1, $2, $3, $4, $5) \
               ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at";
    let parameters =
        [node.id.into(), (&node.place).into(), (&node.version).into(), node.started_at.into(), node.seen_at.into()];
    conn.execute(sql, &parameters).await?;
    let old = node.seen_at.saturating_sub(REMEMBERED);
    conn.execute("DELETE FROM nodes WHERE seen_at < $1", &[old.into()]).await?;
    Ok(())
}

/// Forgets a node that ends.
///
/// # Errors
/// See [`DbError`].
pub async fn leave(conn: &mut Conn, id: NodeId) -> Result<(), DbError> {
    conn.execute("DELETE FROM nodes WHERE id = $1", &[id.into()]).await?;
    Ok(())
}

/// All nodes that are remembered, the longest at work first.
///
/// # Errors
/// See [`DbError`].
pub async fn list(conn: &mut Conn) -> Result<Vec<Node>, DbError> {
    let sql = "SELECT id, place, version, started_at, seen_at FROM nodes ORDER BY started_at, id";
    conn.query(sql, &[]).await?.iter().map(read).collect()
}

/// How many have been heard of since `since`.
///
/// # Errors
/// See [`DbError`].
pub async fn count(conn: &mut Conn, since: Timestamp) -> Result<i64, DbError> {
    conn.query_one("SELECT COUNT(*) AS n FROM nodes WHERE seen_at >= $1", &[since.into()]).await?.get("n")
}
