//! How much waits. Counting is bounded: whoever watches needs to know that there is too much, not how much too much.

use bellwire_core::time::Timestamp;

use super::{Conn, DbError, dialect::Twofold};

/// What waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Pending deliveries; at most the limit.
    pub pending: i64,
    /// Those of inactive webhooks among them; at most the limit.
    pub held: i64,
    /// What the database takes on disk, in bytes.
    pub bytes: i64,
}

const BYTES: Twofold = Twofold {
    sqlite: "SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()",
    postgres: "SELECT pg_database_size(current_database()) AS bytes",
};

/// Counts up to `limit` of each.
///
/// # Errors
/// See [`DbError`].
pub async fn measure(conn: &mut Conn, limit: u32) -> Result<Backlog, DbError> {
    let limit = [i64::from(limit).into()];
    let sql =
        "SELECT COUNT(*) AS n FROM (SELECT webhook_id FROM deliveries WHERE state = 'pending' LIMIT $1) AS counted";
    let pending = conn.query_one(sql, &limit).await?.get("n")?;
    let sql = "SELECT COUNT(*) AS n FROM (SELECT d.webhook_id FROM webhooks w JOIN deliveries d ON d.webhook_id = w.id \
               WHERE w.status = 'inactive' AND w.deleted_at IS NULL AND d.state = 'pending' LIMIT $1) AS counted";
    let held = conn.query_one(sql, &limit).await?.get("n")?;
    let bytes = conn.query_one(BYTES.of(conn), &[]).await?.get("bytes")?;
    Ok(Backlog { pending, held, bytes })
}

/// Everything about what waits, however long it takes to read: for an operator who asks once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Deliveries of active webhooks that are due and with nobody.
    pub due: i64,
    /// For how long the first of them has been due.
    pub oldest_due: Option<Timestamp>,
    /// Deliveries that a node has in memory.
    pub leased: i64,
    /// When the first of these leases ends, or ended.
    pub first_lease_end: Option<Timestamp>,
    /// Deliveries that are tried again later.
    pub later: i64,
    /// Deliveries of inactive webhooks.
    pub held: i64,
}

/// Reads all that is pending.
///
/// # Errors
/// See [`DbError`].
pub async fn survey(conn: &mut Conn, now: Timestamp) -> Result<Survey, DbError> {
    let sql = "SELECT CASE WHEN w.status = 'inactive' THEN 'held' WHEN d.leased_by IS NOT NULL THEN 'leased' \
                 WHEN d.due_at <= $1 THEN 'due' ELSE 'later' END AS kind, COUNT(*) AS n, MIN(d.due_at) AS first \
               FROM deliveries d JOIN webhooks w ON w.id = d.webhook_id \
               WHERE d.state = 'pending' AND w.deleted_at IS NULL GROUP BY 1";
    let mut survey = Survey::default();
    for row in conn.query(sql, &[now.into()]).await? {
        let (count, first) = (row.get("n")?, row.get("first")?);
        match row.get::<String>("kind")?.as_str() {
            "held" => survey.held = count,
            "leased" => (survey.leased, survey.first_lease_end) = (count, first),
            "due" => (survey.due, survey.oldest_due) = (count, first),
            _ => survey.later = count,
        }
    }
    Ok(survey)
}
