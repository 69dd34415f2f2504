//! What is sealed with the master key, all of it: for the check at start, and for a change of the key.

use super::{Conn, DbError, Value};

/// A column of sealed values. Its table has the columns `workspace_id` and `id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Of which table.
    pub table: &'static str,
    /// Its name.
    pub column: &'static str,
}

/// A sealed value, and where it is.
#[derive(Clone, Debug)]
pub struct SealedRow {
    /// The workspace's id.
    pub workspace: String,
    /// The row's id.
    pub id: String,
    /// The value.
    pub sealed: Vec<u8>,
}

/// What was sealed at the first start.
///
/// # Errors
/// See [`DbError`].
pub async fn check(conn: &mut Conn) -> Result<Option<Vec<u8>>, DbError> {
    conn.query_opt("SELECT check_sealed FROM master_key WHERE id = 1", &[])
        .await?
        .map(|row| row.get("check_sealed"))
        .transpose()
}

/// Writes what is sealed at the first start, unless another node was faster.
///
/// # Errors
/// See [`DbError`].
pub async fn insert_check(conn: &mut Conn, sealed: Vec<u8>) -> Result<(), DbError> {
    let sql = "INSERT INTO master_key (id, check_sealed) VALUES (1, $1) ON CONFLICT (id) DO NOTHING";
    conn.execute(sql, &[sealed.into()]).await.map(drop)
}

/// Replaces what was sealed at the first start.
///
/// # Errors
/// See [`DbError`].
pub async fn replace_check(conn: &mut Conn, sealed: Vec<u8>) -> Result<(), DbError> {
    conn.execute("UPDATE master_key SET check_sealed = $1 WHERE id = 1", &[sealed.into()]).await.map(drop)
}

/// The values of a column in the rows after `after` (an id), in the order of their ids; at most `limit`.
///
/// # Errors
/// See [`DbError`].
pub async fn sealed(conn: &mut Conn, column: Column, after: &str, limit: u32) -> Result<Vec<SealedRow>, DbError> {
    let Column { table, column } = column;
    let sql = format!(
        "SELECT workspace_id, id, {column} AS sealed FROM {table} WHERE id > $1 AND {column} IS NOT NULL ORDER BY id LIMIT $2"
    );
    let rows = conn.query(&sql, &[after.into(), i64::from(limit).into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(SealedRow { workspace: row.get("workspace_id")?, id: row.get("id")?, sealed: row.get("sealed")? })
        })
        .collect()
}

/// Replaces a value of a column.
///
/// # Errors
/// See [`DbError`].
pub async fn replace(conn: &mut Conn, column: Column, row: &SealedRow) -> Result<(), DbError> {
    let Column { table, column } = column;
    let sql = format!("UPDATE {table} SET {column} = $2 WHERE id = $1");
    let values: [Value; 2] = [row.id.as_str().into(), row.sealed.clone().into()];
    conn.execute(&sql, &values).await.map(drop)
}
