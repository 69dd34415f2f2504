//! PostgreSQL: a pool of connections. A transaction runs on a task of its own and is rolled back unless it says otherwise.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use tokio::time::timeout;
use tokio_postgres::{
    AsyncMessage, Config, NoTls,
    error::SqlState,
    types::{ToSql, Type},
};

use super::{
    BoxFuture, Conn, Connections, DbError, Row, Value,
    dialect::Column,
    notices::{Ears, Listener},
};
use crate::metrics::Commits;

pub(super) const CONNECTIONS: usize = 16;
/// How long to wait for a connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a server may be silent while it owes an answer to what a node asks: then the connection is given up. What was
/// asked may have been done all the same.
const SILENCE: Duration = Duration::from_secs(20);

/// A handle to the pool.
#[derive(Clone)]
pub struct Postgres {
    pool: Pool,
    commits: Arc<Commits>,
    /// Whether a server that is silent for [`SILENCE`] is given up.
    hurries: Arc<AtomicBool>,
}

impl Postgres {
    pub(super) async fn open(url: &str) -> Result<Self, DbError> {
        let config = named(url)?;
        let manager = Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(PATIENCE))
            .build()
            .map_err(|error| DbError::Fault(error.to_string()))?;
        let postgres = Self { pool, commits: Arc::default(), hurries: Arc::default() };
        drop(postgres.get().await?); // a wrong URL is told at start
        Ok(postgres)
    }

    /// How many connections other processes of this program have to the database of `url`.
    pub(super) async fn others(url: &str) -> Result<u64, DbError> {
        let mut config = named(url)?;
        let name = config.get_application_name().unwrap_or_default().to_owned();
        config.application_name("bellwire command").connect_timeout(PATIENCE);
        let (client, connection) = config.connect(NoTls).await?;
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

    pub(super) async fn get(&self) -> Result<Object, DbError> {
        self.pool.get().await.map_err(|error| DbError::Unavailable(error.to_string()))
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

/// The settings of a URL, and the name by which the server knows our connections.
fn named(url: &str) -> Result<Config, DbError> {
    // The URL may hold a password: errors never repeat it.
    let mut config: Config =
        url.parse().map_err(|error| DbError::Fault(format!("the database's URL can't be read: {error}")))?;
    if config.get_application_name().is_none() {
        config.application_name("bellwire");
    }
    // A server that is gone without a word is noticed in time.
    config.tcp_user_timeout(PATIENCE).keepalives_idle(PATIENCE).keepalives_interval(PATIENCE / 3).keepalives_retries(2);
    Ok(config)
}

/// See [`Db::listen`](super::Db::listen).
pub(super) async fn listen(url: &str) -> Result<Listener, DbError> {
    let config = named(url)?;
    let listening = async {
        let (client, mut connection) = config.connect(NoTls).await?;
        let hear = |ears: Ears| async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notification(notice) = message {
                    ears.hear(notice.payload());
                }
            }
        };
        Listener::new(client, hear).await
    };
    timeout(PATIENCE, listening).await.unwrap_or_else(|_| Err(silent()))
}

fn silent() -> DbError {
    DbError::Unavailable("the server does not answer".to_owned())
}

async fn transaction<T, E, F>(connection: Object, work: F, commits: &Commits) -> Result<T, E>
where
    E: From<DbError>,
    F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, E>>,
{
    let mut open = Open(Some(Conn::Postgres(connection)));
    let Some(conn) = &mut open.0 else { unreachable!("it was put there one line above") };
    conn.script("BEGIN").await?;
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
            drop(Object::take(connection));
        }
    }
}

fn references(parameters: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    parameters.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

pub(super) async fn query(connection: &Object, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, DbError> {
    let statement = connection.prepare_cached(sql).await?;
    let columns: Arc<[String]> = statement.columns().iter().map(|column| column.name().to_owned()).collect();
    let rows = connection.query(&statement, &references(parameters)).await?;
    rows.iter().map(|row| to_row(row, &columns)).collect()
}

fn to_row(row: &tokio_postgres::Row, columns: &Arc<[String]>) -> Result<Row, DbError> {
    let mut values = Vec::with_capacity(columns.len());
    for (index, column) in row.columns().iter().enumerate() {
        values.push(match *column.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(index)?.into(),
            Type::INT4 => row.try_get::<_, Option<i32>>(index)?.into(),
            Type::BOOL => row.try_get::<_, Option<bool>>(index)?.into(),
            Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(index)?.into(),
            _ => row.try_get::<_, Option<String>>(index)?.into(),
        });
    }
    Ok(Row { columns: Arc::clone(columns), values })
}

pub(super) async fn execute(connection: &Object, sql: &str, parameters: &[Value]) -> Result<u64, DbError> {
    let statement = connection.prepare_cached(sql).await?;
    Ok(connection.execute(&statement, &references(parameters)).await?)
}

/// Runs a statement in which each parameter is an array, with a value for each row.
pub(super) async fn many(
    connection: &Object,
    sql: &str,
    kinds: &[Column],
    rows: Vec<Vec<Value>>,
) -> Result<u64, DbError> {
    let mut columns: Vec<Vec<Value>> = kinds.iter().map(|_| Vec::with_capacity(rows.len())).collect();
    for row in rows {
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value);
        }
    }
    let arrays: Vec<Box<dyn ToSql + Sync + Send>> =
        columns.into_iter().zip(kinds).map(|(values, kind)| array(values, *kind)).collect();
    let parameters: Vec<&(dyn ToSql + Sync)> =
        arrays.iter().map(|array| array.as_ref() as &(dyn ToSql + Sync)).collect();
    let prepared = connection.prepare_cached(sql).await?;
    Ok(connection.execute(&prepared, &parameters).await?)
}

fn array(values: Vec<Value>, column: Column) -> Box<dyn ToSql + Sync + Send> {
    match column {
        Column::Int => Box::new(
            values.into_iter().map(|v| if let Value::Int(it) = v { Some(it) } else { None }).collect::<Vec<_>>(),
        ),
        Column::Text => Box::new(
            values.into_iter().map(|v| if let Value::Text(it) = v { Some(it) } else { None }).collect::<Vec<_>>(),
        ),
        Column::Bytes => Box::new(
            values.into_iter().map(|v| if let Value::Bytes(it) = v { Some(it) } else { None }).collect::<Vec<_>>(),
        ),
    }
}

impl From<tokio_postgres::Error> for DbError {
    fn from(error: tokio_postgres::Error) -> Self {
        let text = error
            .as_db_error()
            .map_or_else(|| error.to_string(), |db| format!("{} ({})", db.message(), db.code().code()));
        match error.code() {
            Some(code) if *code == SqlState::UNIQUE_VIOLATION => Self::Conflict(text),
            Some(code) if *code == SqlState::DISK_FULL => Self::Full(text),
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
