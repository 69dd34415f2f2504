//! State changes used, by day (UTC).

use bellwire_core::{id::WorkspaceId, time::Timestamp};

use super::{Conn, DbError};

/// What was used on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// When the day began.
    pub start: Timestamp,
    /// How many.
    pub amount: i64,
}

/// Adds to the use of the day of `now`.
///
/// # Errors
/// See [`DbError`].
pub async fn add(conn: &mut Conn, workspace: WorkspaceId, now: Timestamp, amount: i64) -> Result<(), DbError> {
    let sql = "INSERT INTO license_usage (workspace_id, day, amount) VALUES ($1, $2, $3) \
               ON CONFLICT (workspace_id, day) DO UPDATE SET amount = license_usage.amount + excluded.amount";
    conn.execute(sql, &[workspace.into(), now.start_of_day().into(), amount.into()]).await?;
    Ok(())
}

/// The days from `since` on and before `until` on which something was used, the earliest first.
///
/// # Errors
/// See [`DbError`].
pub async fn days(
    conn: &mut Conn,
    workspace: WorkspaceId,
    since: Timestamp,
    until: Timestamp,
) -> Result<Vec<Day>, DbError> {
    let sql = "SELECT day, amount FROM license_usage WHERE workspace_id = $1 AND day >= $2 AND day < $3 ORDER BY day";
    let rows = conn.query(sql, &[workspace.into(), since.into(), until.into()]).await?;
    rows.iter().map(|row| Ok(Day { start: row.get("day")?, amount: row.get("amount")? })).collect()
}
