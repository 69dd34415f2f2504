//! A SQLite database in memory, used on the thread of whoever asks: without threads of its own, a simulation runs the same way
//! every time. For tests only.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, config::DbConfig};

use super::{BoxFuture, Conn, Db, DbError, Row, Value, migrate, sqlite};
use crate::metrics::Commits;

/// Everybody who holds a clone uses the one connection, one after the other.
#[derive(Clone)]
pub struct Inline {
    conn: Arc<Mutex<Conn>>,
    commits: Arc<Commits>,
    /// As if there were other processes that use it too.
    pub(crate) shared: bool,
}

impl Inline {
    /// An empty database with all tables.
    pub(crate) async fn open() -> Self {
        let connection = Connection::open_in_memory().unwrap();
        connection.set_prepared_statement_cache_capacity(256);
        connection.execute_batch("PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY;").unwrap();
        // As for the file of a server; without it almost half of a simulation is planning.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).unwrap();
        let inline =
            Self { conn: Arc::new(Mutex::new(Conn::Sqlite(connection))), commits: Arc::default(), shared: false };
        migrate::run(&Db::Inline(inline.clone())).await.unwrap();
        inline
    }

    /// Remembers the state that there is.
    pub(crate) fn remember(&self) {
        self.with(|conn| sqlite::batch(conn, "SAVEPOINT remembered")).unwrap();
    }

    /// Goes back to what was remembered.
    pub(crate) fn go_back(&self) {
        self.with(|conn| sqlite::batch(conn, "ROLLBACK TO remembered")).unwrap();
    }

    /// The rows of a query.
    pub(crate) fn query(&self, sql: &str, parameters: &[Value]) -> Vec<Row> {
        self.with(|conn| match conn {
            Conn::Sqlite(connection) => sqlite::query(connection, sql, parameters).unwrap(),
            Conn::Postgres(_) => unreachable!("it was opened as SQLite"),
        })
    }

    pub(super) fn commits(&self) -> &Commits {
        &self.commits
    }

    fn with<T>(&self, work: impl FnOnce(&mut Conn) -> T) -> T {
        work(&mut self.conn.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        E: From<DbError>,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, E>>,
    {
        self.with(|conn| sqlite::to_the_end(work, conn))
    }

    pub(super) fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        E: From<DbError>,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, E>>,
    {
        self.with(|conn| {
            sqlite::batch(conn, "SAVEPOINT job")?;
            let result = sqlite::to_the_end(work, conn);
            if result.is_err() {
                sqlite::batch(conn, "ROLLBACK TO job")?;
            }
            sqlite::batch(conn, "RELEASE job")?;
            result
        })
    }
}
