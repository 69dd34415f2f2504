//! Idempotency keys and the answers that repetitions get.

use std::collections::HashMap;

use bellwire_core::{id::WorkspaceId, time::Timestamp};

use super::{
    Conn, DbError, Row,
    dialect::{
        Column::{Int, Text},
        Many, Twofold,
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

const GET: Twofold = Twofold {
    sqlite: "SELECT key, request_hash, answer FROM idempotency_keys \
             WHERE workspace_id = $1 AND created_at >= $2 AND key IN (SELECT value FROM json_each($3))",
    postgres: "SELECT key, request_hash, answer FROM idempotency_keys \
               WHERE workspace_id = $1 AND created_at >= $2 AND key IN (SELECT json_array_elements_text($3::text::json))",
};

/// What is stored under `keys` since some time, by key.
///
/// # Errors
/// See [`DbError`].
pub async fn get(
    conn: &mut Conn,
    workspace: WorkspaceId,
    keys: &[&str],
    since: Timestamp,
) -> Result<HashMap<String, Stored>, DbError> {
    let keys = serde_json::to_string(keys).map_err(|error| DbError::Fault(error.to_string()))?;
    let rows = conn.query(GET.of(conn), &[workspace.into(), since.into(), keys.into()]).await?;
    let stored =
        |row: &Row| Ok::<_, DbError>(Stored { request_hash: row.get("request_hash")?, answer: row.get("answer")? });
    rows.iter().map(|row| Ok((row.get("key")?, stored(row)?))).collect()
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
