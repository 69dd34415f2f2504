//! Workspaces: the tenants.

use bellwire_core::{
    id::{UserId, WorkspaceId},
    time::Timestamp,
};
use serde::Serialize;

use super::{Conn, DbError, Row};

/// A workspace, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Workspace {
    /// Its id.
    pub id: WorkspaceId,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

fn read(row: &Row) -> Result<Workspace, DbError> {
    Ok(Workspace { id: row.get("id")?, name: row.get("name")?, created_at: row.get("created_at")? })
}

/// One workspace.
///
/// # Errors
/// See [`DbError`].
pub async fn get(conn: &mut Conn, id: WorkspaceId) -> Result<Option<Workspace>, DbError> {
    let sql = "SELECT id, name, created_at FROM workspaces WHERE id = $1";
    conn.query_opt(sql, &[id.into()]).await?.as_ref().map(read).transpose()
}

/// The workspaces in which a user is active, by name.
///
/// # Errors
/// See [`DbError`].
pub async fn of_user(conn: &mut Conn, user: UserId) -> Result<Vec<Workspace>, DbError> {
    let sql = "SELECT w.id AS id, w.name AS name, w.created_at AS created_at FROM memberships m \
               JOIN workspaces w ON w.id = m.workspace_id WHERE m.user_id = $1 AND m.status = 'active' \
               ORDER BY LOWER(w.name), w.id";
    conn.query(sql, &[user.into()]).await?.iter().map(read).collect()
}

/// The workspaces with this id or name, or all when nothing is said; at most `limit`.
///
/// # Errors
/// See [`DbError`].
pub async fn find(conn: &mut Conn, id_or_name: Option<&str>, limit: u32) -> Result<Vec<Workspace>, DbError> {
    let (filter, mut values) = match id_or_name {
        Some(text) => ("WHERE id = $2 OR name = $2", vec![text.into()]),
        None => ("", Vec::new()),
    };
    let sql = format!("SELECT id, name, created_at FROM workspaces {filter} ORDER BY id LIMIT $1");
    values.insert(0, i64::from(limit).into());
    conn.query(&sql, &values).await?.iter().map(read).collect()
}

/// Writes a new workspace.
///
/// # Errors
/// See [`DbError`].
pub async fn insert(conn: &mut Conn, workspace: &Workspace) -> Result<(), DbError> {
    let sql = "INSERT INTO workspaces (id, name, created_at) VALUES ($1, $2, $3)";
    conn.execute(sql, &[workspace.id.into(), (&workspace.name).into(), workspace.created_at.into()]).await?;
    Ok(())
}

/// Changes the name.
///
/// # Errors
/// See [`DbError`].
pub async fn rename(conn: &mut Conn, id: WorkspaceId, name: &str) -> Result<(), DbError> {
    conn.execute("UPDATE workspaces SET name = $2 WHERE id = $1", &[id.into(), name.into()]).await?;
    Ok(())
}

/// The number of its newest event; 0 when there is none.
///
/// # Errors
/// See [`DbError`].
pub async fn sequence(conn: &mut Conn, id: WorkspaceId) -> Result<i64, DbError> {
    let row = conn.query_opt("SELECT sequence FROM workspaces WHERE id = $1", &[id.into()]).await?;
    row.map_or(Ok(0), |row| row.get("sequence"))
}

/// Makes the transactions that call this for the same workspace wait for each other, so that rules about several rows (the
/// last owner) see what the others did. PostgreSQL locks the row that it writes; SQLite has one writer anyway, and is not asked.
///
/// # Errors
/// See [`DbError`].
pub async fn lock(conn: &mut Conn, id: WorkspaceId) -> Result<(), DbError> {
    match conn {
        Conn::Sqlite(_) => Ok(()),
        Conn::Postgres(_) => {
            conn.execute("UPDATE workspaces SET sequence = sequence WHERE id = $1", &[id.into()]).await.map(drop)
        }
    }
}
