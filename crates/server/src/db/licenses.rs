//! The license of each workspace. What changes of it mean, `core` says.

use bellwire_core::{
    id::WorkspaceId,
    license::{License, Thresholds},
    text::Name,
    time::Timestamp,
};

use super::{Conn, DbError, Row, Value, dialect};

const COLUMNS: &str = "id, plan, status, status_reason, renews, period_start, period_end, included, extra, used, \
                       thresholds, expiring_told, updated_at";

fn read(row: &Row) -> Result<License, DbError> {
    let plan = Name::parse(&row.get::<String>("plan")?);
    let thresholds = Thresholds::new(&row.json::<Vec<i64>>("thresholds")?);
    Ok(License {
        id: row.get("id")?,
        plan: plan.map_err(|error| DbError::corrupt("plan", &error.to_string()))?,
        status: row.parse("status")?,
        status_reason: row.get("status_reason")?,
        renews: row.get("renews")?,
        period_start: row.get("period_start")?,
        period_end: row.get("period_end")?,
        included: row.get("included")?,
        extra: row.get("extra")?,
        used: row.get("used")?,
        thresholds: thresholds.map_err(|error| DbError::corrupt("thresholds", &error.to_string()))?,
        expiring_told: row.get("expiring_told")?,
        updated_at: row.get("updated_at")?,
    })
}

/// The license of a workspace.
///
/// # Errors
/// See [`DbError`].
pub async fn get(conn: &mut Conn, workspace: WorkspaceId) -> Result<Option<License>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM licenses WHERE workspace_id = $1");
    conn.query_opt(&sql, &[workspace.into()]).await?.as_ref().map(read).transpose()
}

/// The license of a workspace, which the transaction is about to change: others who are wait for its end. Whoever needs the
/// workspace's row too takes it after this one, so that nobody waits in a circle.
///
/// # Errors
/// See [`DbError`].
pub async fn lock(conn: &mut Conn, workspace: WorkspaceId) -> Result<Option<License>, DbError> {
    let end = dialect::FOR_UPDATE.of(conn);
    let sql = format!("SELECT {COLUMNS} FROM licenses WHERE workspace_id = $1{end}");
    conn.query_opt(&sql, &[workspace.into()]).await?.as_ref().map(read).transpose()
}

fn values(workspace: WorkspaceId, license: &License) -> Result<Vec<Value>, DbError> {
    let thresholds = serde_json::to_string(&license.thresholds).map_err(|error| DbError::Fault(error.to_string()))?;
    Ok(vec![
        workspace.into(),
        license.id.into(),
        license.plan.as_str().into(),
        license.status.as_str().into(),
        license.status_reason.as_deref().into(),
        license.renews.into(),
        license.period_start.into(),
        license.period_end.into(),
        license.included.into(),
        license.extra.into(),
        license.used.into(),
        thresholds.into(),
        license.expiring_told.into(),
        license.updated_at.into(),
        license.next_look().into(),
    ])
}

/// Gives a workspace its license. Returns whether it had none.
///
/// # Errors
/// See [`DbError`].
pub async fn insert(conn: &mut Conn, workspace: WorkspaceId, license: &License) -> Result<bool, DbError> {
    let sql = format!(
        "INSERT INTO licenses (workspace_id, {COLUMNS}, next_look_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT (workspace_id) DO NOTHING"
    );
    Ok(conn.execute(&sql, &values(workspace, license)?).await? == 1)
}

/// Writes everything of a license.
///
/// # Errors
/// See [`DbError`].
pub async fn put(conn: &mut Conn, workspace: WorkspaceId, license: &License) -> Result<(), DbError> {
    let sql = "UPDATE licenses SET plan = $3, status = $4, status_reason = $5, renews = $6, period_start = $7, \
               period_end = $8, included = $9, extra = $10, used = $11, thresholds = $12, expiring_told = $13, \
               updated_at = $14, next_look_at = $15 WHERE workspace_id = $1 AND id = $2";
    conn.execute(sql, &values(workspace, license)?).await?;
    Ok(())
}

/// Writes what is used, and nothing else: no index changes.
///
/// # Errors
/// See [`DbError`].
pub async fn put_used(conn: &mut Conn, workspace: WorkspaceId, license: &License) -> Result<(), DbError> {
    let sql = "UPDATE licenses SET used = $2, updated_at = $3 WHERE workspace_id = $1";
    conn.execute(sql, &[workspace.into(), license.used.into(), license.updated_at.into()]).await?;
    Ok(())
}

/// The workspaces whose license the clock has something to do with, the longest due first.
///
/// # Errors
/// See [`DbError`].
pub async fn due(conn: &mut Conn, now: Timestamp, limit: u32) -> Result<Vec<WorkspaceId>, DbError> {
    let sql = "SELECT workspace_id FROM licenses WHERE next_look_at <= $1 ORDER BY next_look_at LIMIT $2";
    let rows = conn.query(sql, &[now.into(), limit.into()]).await?;
    rows.iter().map(|row| row.get("workspace_id")).collect()
}

/// Workspaces that have no license, since they are older than licenses.
///
/// # Errors
/// See [`DbError`].
pub async fn missing(conn: &mut Conn, limit: u32) -> Result<Vec<WorkspaceId>, DbError> {
    let sql = "SELECT w.id AS id FROM workspaces w WHERE NOT EXISTS \
               (SELECT 1 FROM licenses l WHERE l.workspace_id = w.id) ORDER BY w.id LIMIT $1";
    conn.query(sql, &[limit.into()]).await?.iter().map(|row| row.get("id")).collect()
}
