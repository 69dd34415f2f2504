//! PostgreSQL: a pool of connections. A transaction runs on a task of its own and is rolled back unless it says otherwise.

mod connection;
mod target;

use std::{
    error::Error,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

pub(super) use connection::Connection;
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use target::Target;
use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, error::SqlState};

use super::{
    BoxFuture, Conn, Connections, DbError,
    notices::{Ears, Listener},
};
use crate::metrics::Commits;

/// A default PostgreSQL bears 100 connections, of which three are for its administrators: ten nodes have room, with one each
/// that listens. More would not make it faster: what waits for a connection shares the next transaction.
pub(super) const CONNECTIONS: usize = 7;
/// How long to wait for a connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a server may be silent while it owes an answer to what a node asks: then the connection is given up. What was
/// asked may have been done all the same.
const SILENCE: Duration = Duration::from_secs(20);

/// A handle to the pool.
#[derive(Clone)]
pub struct Postgres {
    pool: Pool,
    /// See [`Target::keeps_statements`].
    keeps_statements: bool,
    commits: Arc<Commits>,
    /// Whether a server that is silent for [`SILENCE`] is given up.
    hurries: Arc<AtomicBool>,
}

impl Postgres {
    pub(super) async fn open(url: &str) -> Result<Self, DbError> {
        let Target { config, tls, keeps_statements } = Target::parse(url)?;
        let manager = Manager::from_config(config, tls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(PATIENCE))
            .build()
            .map_err(|error| DbError::Fault(error.to_string()))?;
        let postgres = Self { pool, keeps_statements, commits: Arc::default(), hurries: Arc::default() };
        drop(postgres.get().await?); // a wrong URL is told at start
        Ok(postgres)
    }

    /// How many connections other processes of this program have to the database of `url`.
    pub(super) async fn others(url: &str) -> Result<u64, DbError> {
        let Target { mut config, tls, .. } = Target::parse(url)?;
        let name = config.get_application_name().unwrap_or_default().to_owned();
        config.application_name("bellwire command").connect_timeout(PATIENCE);
        let (client, connection) = config.connect(tls).await?;
        let connection = tokio::spawn(connection);
        let sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1";
        let count: i64 = client.query_one(sql, &[&name]).await?.try_get(0)?;
        drop(client);
        let _ = connection.await; // it has nothing more to say
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// See [`Db::hurry`](super::Db::hurry).
    pub(super) fn hurry(&self) {
        self.hurries.store(true, Relaxed);
    }

    /// Waits for `work`; `None` when it takes too long.
    async fn in_time<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        if self.hurries.load(Relaxed) { timeout(SILENCE, work).await.ok() } else { Some(work.await) }
    }

    pub(super) fn commits(&self) -> &Commits {
        &self.commits
    }

    pub(super) fn connections(&self) -> Connections {
        let status = self.pool.status();
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        Connections {
            open: number(status.size),
            busy: number(status.size.saturating_sub(status.available)),
            max: number(status.max_size),
            waiting: number(status.waiting),
        }
    }

    pub(super) async fn get(&self) -> Result<Connection, DbError> {
        let object = self.pool.get().await.map_err(|error| DbError::Unavailable(with_causes(&error)))?;
        Ok(Connection::new(object, self.keeps_statements))
    }

    pub(super) async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        E: From<DbError>,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, E>>,
    {
        let mut open = Open(Some(Conn::Postgres(self.get().await?)));
        let Some(conn) = &mut open.0 else { unreachable!("it was put there one line above") };
        let result = self.in_time(work(conn)).await.ok_or_else(silent)?;
        open.keep();
        result
    }

    pub(super) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
    {
        let connection = self.get().await?;
        let postgres = self.clone();
        let task = tokio::spawn(async move {
            let work = transaction(connection, work, &postgres.commits);
            postgres.in_time(work).await.unwrap_or_else(|| Err(silent().into()))
        });
        task.await.unwrap_or_else(|_| Err(DbError::Fault("a transaction panicked".to_owned()).into()))
    }
}

/// See [`Db::listen`](super::Db::listen).
pub(super) async fn listen(url: &str) -> Result<Listener, DbError> {
    let target = Target::parse(url)?;
    // Boxed: a connection that is being encrypted is large, and whoever listens lives long.
    let listening = Box::pin(async {
        let (client, mut connection) = target.config.connect(target.tls).await?;
        let hear = |ears: Ears| async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notification(notice) = message {
                    ears.hear(notice.payload());
                }
            }
        };
        Listener::new(client, hear).await
    });
    timeout(PATIENCE, listening).await.unwrap_or_else(|_| Err(silent()))
}

fn silent() -> DbError {
    DbError::Unavailable("the server does not answer".to_owned())
}

async fn transaction<T, E, F>(mut connection: Connection, work: F, commits: &Commits) -> Result<T, E>
where
    E: From<DbError>,
    F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, E>>,
{
    connection.begin();
    let mut open = Open(Some(Conn::Postgres(connection)));
    let Some(conn) = &mut open.0 else { unreachable!("it was put there one line above") };
    let result = work(conn).await;
    if result.is_ok() {
        let begun = commits.begin();
        let commit = conn.script("COMMIT").await;
        commits.end(begun, 1, commit.is_ok());
        commit?;
    } else {
        conn.script("ROLLBACK").await?;
    }
    open.keep();
    result
}

/// A connection at work. If the work panics or is given up it is closed instead of going back to the pool.
struct Open(Option<Conn>);

impl Open {
    /// The work is done: back to the pool.
    fn keep(mut self) {
        self.0.take();
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(Conn::Postgres(connection)) = self.0.take() {
            connection.close();
        }
    }
}

/// An error and what is behind it: the libraries tell the two apart, and the first alone says little.
fn with_causes(error: &dyn Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

/// Whether PostgreSQL ended a transaction because it and another one waited for each other. Nothing of it was kept: it can be
/// done again.
pub(super) fn is_deadlock(error: &DbError) -> bool {
    let code = format!("({})", SqlState::T_R_DEADLOCK_DETECTED.code());
    matches!(error, DbError::Unavailable(text) if text.ends_with(&code))
}

impl From<tokio_postgres::Error> for DbError {
    fn from(error: tokio_postgres::Error) -> Self {
        let text = error
            .as_db_error()
            .map_or_else(|| with_causes(&error), |db| format!("{} ({})", db.message(), db.code().code()));
        match error.code() {
            Some(code) if *code == SqlState::UNIQUE_VIOLATION => Self::Conflict(text),
            Some(code) if *code == SqlState::DISK_FULL => Self::Full(text),
            Some(code) if [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::DUPLICATE_PSTATEMENT].contains(code) => {
                Self::Fault(format!(
                    "{text}: behind a pooler that changes connections between transactions, the database's URL needs \
                     prepared_statements=false"
                ))
            }
            Some(code)
                if code.code().starts_with("08")
                    || code.code().starts_with("57P")
                    || code.code().starts_with("53")
                    || code.code().starts_with("40") =>
            {
                Self::Unavailable(text)
            }
            None => Self::Unavailable(text),
            _ => Self::Fault(text),
        }
    }
}
