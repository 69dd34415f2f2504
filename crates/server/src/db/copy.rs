//! Copies everything from one database into another, of whichever engines: all of it or nothing.
//!
//! The source is read in one snapshot and the target is written in one transaction. Before the commit everything is read back
//! from the target, and counted and summed up again: what is not exactly the same does not become visible. Which tables there are, what they
//! consist of and which refer to which is asked of both databases ([`schema`]), so that a table can't be forgotten.
//!
//! A row's sum is the SHA-256 of its values; a table's is the sum of its rows', which doesn't depend on their order (the engines
//! sort texts differently).

mod schema;

use sha2::{Digest, Sha256};

use self::schema::{Kind, Table};
use super::{Conn, Db, DbError, Value, dialect::Column, dialect::Twofold, postgres, sqlite};

/// Rows in memory at once. The largest has a little more than 256 KiB.
const STEP: usize = 250;

/// How far a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The table.
    pub table: &'a str,
    /// Rows of all tables that were copied, or read back.
    pub done: u64,
    /// As many will be.
    pub of: u64,
}

/// A table that was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Its name.
    pub table: String,
    /// How many rows it has.
    pub rows: u64,
}

const BEGIN_READING: Twofold = Twofold { sqlite: "BEGIN", postgres: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" };
const BEGIN_WRITING: Twofold = Twofold { sqlite: "BEGIN IMMEDIATE", postgres: "BEGIN" };

/// Copies all tables of the database `from` into the database `to`, which must be empty. Nobody else may write to either.
///
/// # Errors
/// With a sentence for the operator; then the target is as empty as before.
pub async fn run(from: &str, to: &str, mut tell: impl FnMut(Progress<'_>)) -> Result<Vec<Copied>, DbError> {
    let missing = Db::connect_existing(from).await?.missing_migrations().await?;
    if !missing.is_empty() {
        return Err(DbError::Fault("its tables are not up to date: run bellwire migrate first".to_owned()));
    }
    Db::open(to).await.map_err(|error| about_target(&error))?;
    let (mut source, mut target) = (connect(from).await?, connect(to).await.map_err(|error| about_target(&error))?);
    source.script(BEGIN_READING.of(&source)).await?;
    target.script(BEGIN_WRITING.of(&target)).await?;
    // Whatever goes wrong from here on, the target's connection is dropped, and its transaction with it.
    let copied = copy(&mut source, &mut target, &mut tell).await;
    match &copied {
        Ok(_) => {
            target.script("COMMIT").await?;
            target.script("ANALYZE").await?;
        }
        Err(_) => target.script("ROLLBACK").await?,
    }
    source.script("ROLLBACK").await?;
    copied
}

fn about_target(error: &DbError) -> DbError {
    DbError::Fault(format!("the target: {error}"))
}

async fn connect(url: &str) -> Result<Conn, DbError> {
    match url.strip_prefix("sqlite:") {
        Some(path) => Ok(Conn::Sqlite(sqlite::connect(path, false)?)),
        None => Ok(Conn::Postgres(postgres::Postgres::open(url).await?.get().await?)),
    }
}

async fn copy(
    source: &mut Conn,
    target: &mut Conn,
    tell: &mut impl FnMut(Progress<'_>),
) -> Result<Vec<Copied>, DbError> {
    // In the order in which the target can be filled.
    let (theirs, tables) = (schema::tables(source).await?, schema::tables(target).await?);
    if let Some(table) = theirs.iter().find(|table| !tables.iter().any(|other| table.is_like(other))) {
        return Err(DbError::Fault(format!("the table {} is not the same in both databases", table.name)));
    }
    if let Some(table) = tables.iter().find(|other| theirs.iter().all(|table| table.name != other.name)) {
        return Err(DbError::Fault(format!("the target has a table {} that is not bellwire's", table.name)));
    }
    let mut total = 0;
    for table in &tables {
        if count(target, table).await? > 0 {
            return Err(DbError::Fault(format!("the target is not empty: its table {} has rows", table.name)));
        }
        total += count(source, table).await?;
    }
    let (mut done, mut copied) = (0, Vec::new());
    for table in &tables {
        let mut wanted = Sum::default();
        let mut reader = Reader::new(table);
        while let Some(rows) = reader.next(source).await? {
            rows.iter().for_each(|row| wanted.add(row));
            done += rows.len() as u64;
            insert(target, table, rows).await?;
            tell(Progress { table: &table.name, done, of: 2 * total });
        }
        copied.push((table, wanted));
    }
    for (table, wanted) in &copied {
        let mut found = Sum::default();
        let mut reader = Reader::new(table);
        while let Some(rows) = reader.next(target).await? {
            rows.iter().for_each(|row| found.add(row));
            done += rows.len() as u64;
            tell(Progress { table: &table.name, done, of: 2 * total });
        }
        if found != *wanted {
            return Err(DbError::Fault(format!(
                "the copy of the table {} is not the same; nothing was copied",
                table.name
            )));
        }
    }
    Ok(copied.into_iter().map(|(table, sum)| Copied { table: table.name.clone(), rows: sum.rows }).collect())
}

async fn count(conn: &mut Conn, table: &Table) -> Result<u64, DbError> {
    let rows: i64 = conn.query_one(&format!("SELECT COUNT(*) AS n FROM {}", table.quoted()), &[]).await?.get("n")?;
    Ok(u64::try_from(rows).unwrap_or(0))
}

/// Reads a table a step at a time, in the order of its primary key.
struct Reader<'t> {
    table: &'t Table,
    after: Option<Vec<Value>>,
}

impl<'t> Reader<'t> {
    fn new(table: &'t Table) -> Self {
        Self { table, after: None }
    }

    async fn next(&mut self, conn: &mut Conn) -> Result<Option<Vec<Vec<Value>>>, DbError> {
        let key = self.table.key_columns().join(", ");
        let after = if self.after.is_some() {
            let places: Vec<String> = (1..=self.table.key.len()).map(|n| format!("${n}")).collect();
            format!("WHERE ({key}) > ({})", places.join(", "))
        } else {
            String::new()
        };
        let (columns, table) = (self.table.quoted_columns().join(", "), self.table.quoted());
        let sql = format!("SELECT {columns} FROM {table} {after} ORDER BY {key} LIMIT {STEP}");
        let rows = conn.query(&sql, self.after.as_deref().unwrap_or_default()).await?;
        let rows: Vec<Vec<Value>> = rows.into_iter().map(|row| row.values).collect();
        let Some(last) = rows.last() else { return Ok(None) };
        self.after = Some(self.table.key.iter().map(|index| last[*index].clone()).collect());
        Ok(Some(rows))
    }
}

async fn insert(conn: &mut Conn, table: &Table, rows: Vec<Vec<Value>>) -> Result<(), DbError> {
    let (columns, name) = (table.quoted_columns().join(", "), table.quoted());
    match conn {
        Conn::Sqlite(connection) => {
            let places: Vec<String> = (1..=table.columns.len()).map(|n| format!("${n}")).collect();
            let sql = format!("INSERT INTO {name} ({columns}) VALUES ({})", places.join(", "));
            sqlite::many(connection, &sql, &rows)?;
        }
        Conn::Postgres(connection) => {
            let arrays = (1..).zip(&table.columns).map(|(n, (_, kind))| match kind {
                Kind::Int => format!("${n}::bigint[]"),
                Kind::Text => format!("${n}::text[]"),
                Kind::Bytes => format!("${n}::bytea[]"),
            });
            let sql = format!(
                "INSERT INTO {name} ({columns}) SELECT * FROM UNNEST({})",
                arrays.collect::<Vec<_>>().join(", ")
            );
            let kinds: Vec<Column> = table
                .columns
                .iter()
                .map(|(_, kind)| match kind {
                    Kind::Int => Column::Int,
                    Kind::Text => Column::Text,
                    Kind::Bytes => Column::Bytes,
                })
                .collect();
            connection.many(&sql, &kinds, rows).await?;
        }
    }
    Ok(())
}

/// How many rows, and their sum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sum {
    rows: u64,
    parts: [u64; 4],
}

impl Sum {
    fn add(&mut self, row: &[Value]) {
        let mut hash = Sha256::new();
        for value in row {
            // What kind it is and how long, so that no two rows are the same bytes.
            let (kind, bytes): (u8, &[u8]) = match value {
                Value::Null => (0, &[]),
                Value::Int(it) => (1, &it.to_be_bytes()),
                Value::Text(it) => (2, it.as_bytes()),
                Value::Bytes(it) => (3, it),
            };
            hash.update([kind]);
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        }
        for (part, bytes) in self.parts.iter_mut().zip(hash.finalize().chunks_exact(8)) {
            let number = bytes.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
            *part = part.wrapping_add(number);
        }
        self.rows += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_more_or_less_is_another_sum() {
        let sum = |rows: &[Vec<Value>]| {
            let mut sum = Sum::default();
            rows.iter().for_each(|row| sum.add(row));
            sum
        };
        let (a, b) = (vec![Value::Int(1), "x".into()], vec![Value::Int(2), Value::Null]);
        assert_eq!(sum(&[a.clone(), b.clone()]), sum(&[b.clone(), a.clone()]), "the order does not matter");
        for other in [vec![Value::Int(1), "y".into()], vec!["1".into(), "x".into()], vec![Value::Int(1), Value::Null]] {
            assert_ne!(sum(&[a.clone(), b.clone()]), sum(&[other, b.clone()]));
        }
        assert_ne!(sum(&[a.clone(), b.clone()]), sum(&[a, b.clone(), b]));
        assert_ne!(sum(&[vec!["ab".into(), "c".into()]]), sum(&[vec!["a".into(), "bc".into()]]));
    }
}
