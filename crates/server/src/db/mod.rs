//! The only place that knows SQL.
//!
//! Two engines behind one closed enum: SQLite (embedded, the default) and PostgreSQL. A function of this module takes a
//! [`Conn`] and portable SQL with `$1`, `$2`, …; the few statements that differ are in [`dialect`].
//!
//! * [`Db::read`] runs statements on a connection of the reading pool.
//! * [`Db::write`] runs a transaction. It returns `Ok` only after the commit is durable (fsynced).
//!
//! On SQLite one thread writes. It takes all the transactions that wait, runs each (all but the first in a savepoint of its
//! own) and commits them together, so that one fsync serves many (group commit). [`Db::write_along`] is for what nobody waits
//! for: it waits for company. The closures given to `read` and `write` may
//! await nothing but their `Conn`: on SQLite they run to their end on the database's thread, without a hop for each statement.
//! On PostgreSQL a transaction runs on a task of its own, so that a caller who goes away can't leave it half done.

pub mod api_keys;
pub mod attempts;
pub mod backlog;
pub mod bulk;
pub mod clock;
pub mod copy;
pub mod deliveries;
pub mod dialect;
pub mod event_views;
pub mod events;
#[cfg(test)]
pub(crate) mod faulty;
pub mod group_candidates;
pub mod group_members;
pub mod groups;
pub mod health;
pub mod idempotency_keys;
#[cfg(test)]
pub(crate) mod inline;
pub mod inspect;
pub mod invites;
pub mod leases;
pub mod license_credits;
pub mod license_usage;
pub mod licenses;
pub mod master_key;
mod migrate;
pub mod nodes;
pub mod notices;
pub mod ownership_offers;
pub mod page;
mod postgres;
pub mod principals;
pub mod prune;
pub mod recent;
pub mod replays;
pub mod roles;
pub mod sessions;
mod sqlite;
mod sqlite_backup;
pub mod status_changes;
#[cfg(test)]
mod tests;
pub mod users;
mod value;
pub mod webhooks;
pub mod workspaces;

use std::{future::Future, path::Path, pin::Pin};

pub use value::{FromValue, Row, Value};

use crate::metrics::Commits;

/// A future that borrows the connection.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A database: one of the two.
#[derive(Clone)]
pub enum Db {
    /// One file, one writing thread, a few reading ones.
    Sqlite(sqlite::Sqlite),
    /// A server and a pool of connections.
    Postgres(postgres::Postgres),
    /// SQLite in memory, without threads: for simulations.
    #[cfg(test)]
    Inline(inline::Inline),
    /// One of the others that fails when it is told to.
    #[cfg(test)]
    Faulty(faulty::Faulty),
}

/// A connection, inside a transaction when it came from [`Db::write`].
pub enum Conn {
    /// To a SQLite file.
    Sqlite(rusqlite::Connection),
    /// To a PostgreSQL server.
    Postgres(postgres::Connection),
}

/// The connections to a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// Open now.
    pub open: i64,
    /// At work now.
    pub busy: i64,
    /// As many may be open.
    pub max: i64,
    /// Transactions that wait for one.
    pub waiting: i64,
}

/// What can go wrong below `ops`.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// A unique constraint: somebody was faster, or it exists already.
    #[error("exists already: {0}")]
    Conflict(String),
    /// The database can't be reached, is shutting down, or is too busy: trying later may help.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// No room on the disk.
    #[error("the database's disk is full: {0}")]
    Full(String),
    /// The program and the data disagree.
    #[error("{0}")]
    Fault(String),
}

impl DbError {
    fn corrupt(column: &str, what: &str) -> Self {
        Self::Fault(format!("column {column}: {what}"))
    }
}

impl Db {
    /// Connections that one process opens to PostgreSQL at the most, the one that listens among them.
    pub const MAX_CONNECTIONS: usize = postgres::CONNECTIONS + 1;

    /// Opens the database that `url` names (`sqlite:PATH` or `postgres://…`) and brings its tables up to date.
    ///
    /// # Errors
    /// With a sentence for the operator when it can't be opened.
    pub async fn open(url: &str) -> Result<Self, DbError> {
        let db = Self::connect(url).await?;
        db.migrate().await?;
        Ok(db)
    }

    /// From now on a PostgreSQL that is silent for 20 s while it owes an answer counts as not available: for servers. A command may
    /// work for hours.
    pub fn hurry(&self) {
        if let Self::Postgres(postgres) = self {
            postgres.hurry();
        }
    }

    /// Opens the database as it is: its tables may be missing or old.
    ///
    /// # Errors
    /// With a sentence for the operator when it can't be opened.
    pub async fn connect(url: &str) -> Result<Self, DbError> {
        let db = if let Some(path) = url.strip_prefix("sqlite:") {
            Self::Sqlite(sqlite::Sqlite::open(path)?)
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Self::Postgres(postgres::Postgres::open(url).await?)
        } else {
            return Err(DbError::Fault("the database's URL must begin with sqlite: or postgres://".to_owned()));
        };
        Ok(db)
    }

    /// As [`Db::connect`], but makes no file when there is none.
    ///
    /// # Errors
    /// With a sentence for the operator when it can't be opened.
    pub async fn connect_existing(url: &str) -> Result<Self, DbError> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            sqlite::must_exist(path)?;
        }
        Self::connect(url).await
    }

    /// Copies a SQLite database into a new file, as it is at one moment, while others read and write it. Returns how many
    /// bytes it has.
    ///
    /// # Errors
    /// When it is no SQLite database, and when the copy can't be written or is damaged: then there is none.
    pub fn backup(url: &str, file: &Path) -> Result<u64, DbError> {
        match url.strip_prefix("sqlite:") {
            Some(path) => sqlite_backup::run(path, file),
            None => Err(DbError::Fault("only SQLite is copied by this command: use pg_dump for PostgreSQL".to_owned())),
        }
    }

    /// How many connections other processes of this program have to the database of `url`, as far as the database can tell: on
    /// SQLite a lock beside the file tells better.
    ///
    /// # Errors
    /// When it can't be reached.
    pub async fn others(url: &str) -> Result<u64, DbError> {
        if url.starts_with("sqlite:") { Ok(0) } else { postgres::Postgres::others(url).await }
    }

    /// Listens to what other processes on the database of `url` tell; `None` on SQLite, where there are none. What is told from
    /// now on is heard, until the connection ends.
    ///
    /// # Errors
    /// When it can't be reached.
    pub async fn listen(url: &str) -> Result<Option<notices::Listener>, DbError> {
        if url.starts_with("sqlite:") { Ok(None) } else { postgres::listen(url).await.map(Some) }
    }

    /// Brings the tables up to date. Returns the names of the migrations that were run.
    ///
    /// # Errors
    /// When the database was made by a newer version, and when a migration fails: then nothing was changed.
    pub async fn migrate(&self) -> Result<Vec<&'static str>, DbError> {
        migrate::run(self).await
    }

    /// The migrations that the tables lack, in their order.
    ///
    /// # Errors
    /// When the database was made by a newer version.
    pub async fn missing_migrations(&self) -> Result<Vec<&'static str>, DbError> {
        self.read(|conn| Box::pin(async move { migrate::missing(conn).await })).await
    }

    /// Reads. Several statements see one state of the data on SQLite, and each its own on PostgreSQL.
    ///
    /// # Errors
    /// What `work` returns, and when the database can't be reached.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
    {
        match self {
            Self::Sqlite(sqlite) => sqlite.read(work).await,
            Self::Postgres(postgres) => postgres.read(work).await,
            #[cfg(test)]
            Self::Inline(inline) => inline.read(work),
            #[cfg(test)]
            Self::Faulty(faulty) => faulty.read(work).await,
        }
    }

    /// Runs a transaction: all of `work` or nothing of it, on disk when this returns `Ok`.
    ///
    /// # Errors
    /// What `work` returns (then nothing was changed), and when the commit fails.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
    {
        match self {
            Self::Sqlite(sqlite) => sqlite.write(false, work).await,
            Self::Postgres(postgres) => postgres.write(work).await,
            #[cfg(test)]
            Self::Inline(inline) => inline.write(work),
            #[cfg(test)]
            Self::Faulty(faulty) => faulty.write(work).await,
        }
    }

    /// As [`Db::write`], for what nobody waits for: on SQLite it waits some milliseconds for another transaction, to share its
    /// commit.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn write_along<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
    {
        match self {
            Self::Sqlite(sqlite) => sqlite.write(true, work).await,
            _ => self.write(work).await,
        }
    }

    /// Whether other processes may use the same database.
    pub fn is_shared(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::Postgres(_) => true,
            #[cfg(test)]
            Self::Inline(inline) => inline.shared,
            #[cfg(test)]
            Self::Faulty(faulty) => faulty.inner().is_shared(),
        }
    }

    /// What was committed by this process.
    pub fn commits(&self) -> &Commits {
        match self {
            Self::Sqlite(sqlite) => sqlite.commits(),
            Self::Postgres(postgres) => postgres.commits(),
            #[cfg(test)]
            Self::Inline(inline) => inline.commits(),
            #[cfg(test)]
            Self::Faulty(faulty) => faulty.inner().commits(),
        }
    }

    /// The connections of this process.
    pub fn connections(&self) -> Connections {
        match self {
            Self::Sqlite(sqlite) => sqlite.connections(),
            Self::Postgres(postgres) => postgres.connections(),
            #[cfg(test)]
            Self::Inline(_) => Connections { open: 1, busy: 0, max: 1, waiting: 0 },
            #[cfg(test)]
            Self::Faulty(faulty) => faulty.inner().connections(),
        }
    }

    /// Which engine: `sqlite` or `postgres`.
    pub fn engine(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
            #[cfg(test)]
            Self::Inline(_) => "sqlite",
            #[cfg(test)]
            Self::Faulty(faulty) => faulty.inner().engine(),
        }
    }
}

impl Conn {
    /// Runs a statement and returns its rows.
    ///
    /// # Errors
    /// See [`DbError`].
    pub async fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, DbError> {
        match self {
            Self::Sqlite(connection) => sqlite::query(connection, sql, parameters),
            Self::Postgres(connection) => connection.query(sql, parameters).await,
        }
    }

    /// Runs a statement that gives one row or none.
    ///
    /// # Errors
    /// See [`DbError`].
    pub async fn query_opt(&mut self, sql: &str, parameters: &[Value]) -> Result<Option<Row>, DbError> {
        Ok(self.query(sql, parameters).await?.into_iter().next())
    }

    /// Runs a statement that always gives a row.
    ///
    /// # Errors
    /// See [`DbError`]; a missing row is a fault.
    pub async fn query_one(&mut self, sql: &str, parameters: &[Value]) -> Result<Row, DbError> {
        self.query_opt(sql, parameters).await?.ok_or_else(|| DbError::Fault("a row is missing".to_owned()))
    }

    /// Runs a statement and returns how many rows it changed.
    ///
    /// # Errors
    /// See [`DbError`].
    pub async fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, DbError> {
        match self {
            Self::Sqlite(connection) => sqlite::execute(connection, sql, parameters),
            Self::Postgres(connection) => connection.execute(sql, parameters).await,
        }
    }

    /// Runs one statement for each of `rows`, as a single step: see [`dialect::Many`]. Returns how many rows it changed.
    ///
    /// # Errors
    /// See [`DbError`].
    pub async fn many(&mut self, statement: &dialect::Many, rows: Vec<Vec<Value>>) -> Result<u64, DbError> {
        if rows.is_empty() {
            return Ok(0);
        }
        match self {
            Self::Sqlite(connection) => sqlite::many(connection, statement.sqlite, &rows),
            Self::Postgres(connection) => connection.many(statement.postgres, statement.columns, rows).await,
        }
    }

    async fn script(&mut self, sql: &str) -> Result<(), DbError> {
        match self {
            Self::Sqlite(connection) => connection.execute_batch(sql).map_err(Into::into),
            Self::Postgres(connection) => connection.script(sql).await,
        }
    }
}
