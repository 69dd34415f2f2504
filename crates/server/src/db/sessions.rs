//! Sessions of browsers, and the one-time token of the set-up link. Only hashes of tokens are stored.

use bellwire_core::{
    id::{UserId, WorkspaceId},
    time::Timestamp,
};

use super::{Conn, DbError};

/// A session.
#[derive(Clone, Debug)]
pub struct SessionRow {
    /// SHA-256 of its token, hexadecimal.
    pub token_hash: String,
    /// Whose.
    pub user: UserId,
    /// The workspace that is open.
    pub workspace: Option<WorkspaceId>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// The session of a token and the person's e-mail address, unless it has run out.
///
/// # Errors
/// See [`DbError`].
pub async fn get(conn: &mut Conn, token_hash: &str, now: Timestamp) -> Result<Option<(SessionRow, String)>, DbError> {
    let sql = "SELECT s.user_id AS user_id, s.workspace_id AS workspace_id, s.created_at AS created_at, \
               s.expires_at AS expires_at, u.email AS email FROM sessions s JOIN users u ON u.id = s.user_id \
               WHERE s.token_hash = $1 AND s.expires_at > $2";
    let row = conn.query_opt(sql, &[token_hash.into(), now.into()]).await?;
    row.map(|row| {
        let session = SessionRow {
            token_hash: token_hash.to_owned(),
            user: row.get("user_id")?,
            workspace: row.get("workspace_id")?,
            created_at: row.get("created_at")?,
            expires_at: row.get("expires_at")?,
        };
        Ok((session, row.get("email")?))
    })
    .transpose()
}

/// Writes a new session.
///
/// # Errors
/// See [`DbError`].
pub async fn insert(conn: &mut Conn, session: &SessionRow) -> Result<(), DbError> {
    let sql =
        "INSERT INTO sessions (token_hash, user_id, workspace_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)";
    let values = [
        (&session.token_hash).into(),
        session.user.into(),
        session.workspace.into(),
        session.created_at.into(),
        session.expires_at.into(),
    ];
    conn.execute(sql, &values).await?;
    Ok(())
}

/// Opens another workspace in a session.
///
/// # Errors
/// See [`DbError`].
pub async fn open(conn: &mut Conn, token_hash: &str, workspace: WorkspaceId) -> Result<(), DbError> {
    let sql = "UPDATE sessions SET workspace_id = $2 WHERE token_hash = $1";
    conn.execute(sql, &[token_hash.into(), workspace.into()]).await?;
    Ok(())
}

/// Ends a session.
///
/// # Errors
/// See [`DbError`].
pub async fn delete(conn: &mut Conn, token_hash: &str) -> Result<(), DbError> {
    conn.execute("DELETE FROM sessions WHERE token_hash = $1", &[token_hash.into()]).await?;
    Ok(())
}

/// Ends all sessions of a person but one.
///
/// # Errors
/// See [`DbError`].
pub async fn delete_others(conn: &mut Conn, user: UserId, kept: &str) -> Result<(), DbError> {
    let sql = "DELETE FROM sessions WHERE user_id = $1 AND token_hash <> $2";
    conn.execute(sql, &[user.into(), kept.into()]).await?;
    Ok(())
}

/// Ends all sessions of a person.
///
/// # Errors
/// See [`DbError`].
pub async fn delete_all(conn: &mut Conn, user: UserId) -> Result<(), DbError> {
    conn.execute("DELETE FROM sessions WHERE user_id = $1", &[user.into()]).await?;
    Ok(())
}

/// Closes a workspace in all sessions of a person.
///
/// # Errors
/// See [`DbError`].
pub async fn close(conn: &mut Conn, user: UserId, workspace: WorkspaceId) -> Result<(), DbError> {
    let sql = "UPDATE sessions SET workspace_id = NULL WHERE user_id = $1 AND workspace_id = $2";
    conn.execute(sql, &[user.into(), workspace.into()]).await?;
    Ok(())
}

/// Replaces the token of the set-up link.
///
/// # Errors
/// See [`DbError`].
pub async fn set_setup_token(conn: &mut Conn, token_hash: &str, now: Timestamp) -> Result<(), DbError> {
    conn.execute("DELETE FROM setup", &[]).await?;
    let sql = "INSERT INTO setup (token_hash, created_at) VALUES ($1, $2)";
    conn.execute(sql, &[token_hash.into(), now.into()]).await?;
    Ok(())
}

/// Whether this is the token of the set-up link.
///
/// # Errors
/// See [`DbError`].
pub async fn is_setup_token(conn: &mut Conn, token_hash: &str) -> Result<bool, DbError> {
    let sql = "SELECT created_at FROM setup WHERE token_hash = $1";
    Ok(conn.query_opt(sql, &[token_hash.into()]).await?.is_some())
}

/// Uses up the token of the set-up link. Returns whether it was this one: of several that try at once, one succeeds.
///
/// # Errors
/// See [`DbError`].
pub async fn use_setup_token(conn: &mut Conn, token_hash: &str) -> Result<bool, DbError> {
    Ok(conn.execute("DELETE FROM setup WHERE token_hash = $1", &[token_hash.into()]).await? > 0)
}

/// Forgets the set-up link.
///
/// # Errors
/// See [`DbError`].
pub async fn clear_setup(conn: &mut Conn) -> Result<(), DbError> {
    conn.execute("DELETE FROM setup", &[]).await?;
    Ok(())
}
