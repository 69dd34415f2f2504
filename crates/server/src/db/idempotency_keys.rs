//! Idempotency keys and the answers that repetitions get.

use bellwire_core::{id::WorkspaceId, time::Timestamp};

use super::{
    Conn, DbError,
    dialect::{
        Column::{Int, Text},
        Many,
    },
};

/// What is stored under a key.
#[derive(Clone, Debug)]
pub struct Stored {
    /// SHA-256 of what was asked, in hexadecimal.
    pub request_hash: String,
    /// What was answered: JSON.
    pub answer: String,
}

/// What is stored under a key since some time.
///
/// # Errors
/// See [`DbError`].
pub async fn get(
    conn: &mut Conn,
    workspace: WorkspaceId,
    key: &str,
    since: Timestamp,
) -> Result<Option<Stored>, DbError> {
    let sql =
        "SELECT request_hash, answer FROM idempotency_keys WHERE workspace_id = $1 AND key = $2 AND created_at >= $3";
    let row = conn.query_opt(sql, &[workspace.into(), key.into(), since.into()]).await?;
    row.map(|row| Ok(Stored { request_hash: row.get("request_hash")?, answer: row.get("answer")? })).transpose()
}

const PUT: Many = Many {
    sqlite: "INSERT INTO idempotency_keys (workspace_id, key, request_hash, answer, created_at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (workspace_id, key) DO UPDATE SET request_hash = excluded.request_hash, answer = excluded.answer, \
             created_at = excluded.created_at",
    postgres: "INSERT INTO idempotency_keys (workspace_id, key, request_hash, answer, created_at) \
               SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[]) \
               ON CONFLICT (workspace_id, key) DO UPDATE SET request_hash = excluded.request_hash, answer = excluded.answer, \
               created_at = excluded.created_at",
    columns: &[Text, Text, Text, Text, Int],
};

/// Stores answers (keys, hashes, JSON), in the place of older ones.
///
/// # Errors
/// See [`DbError`].
pub async fn put<'a>(
    conn: &mut Conn,
    workspace: WorkspaceId,
    keys: impl Iterator<Item = (&'a str, &'a str, &'a str)>,
    now: Timestamp,
) -> Result<(), DbError> {
    let rows =
        keys.map(|(key, hash, answer)| vec![workspace.into(), key.into(), hash.into(), answer.into(), now.into()]);
    let rows: Vec<_> = rows.collect();
    conn.many(&PUT, rows).await.map(drop)
}
