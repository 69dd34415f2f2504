//! SQLite: a thread that writes, threads that read.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use futures_util::FutureExt;
use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig};
use tokio::sync::oneshot;

use super::{BoxFuture, Conn, Connections, DbError, Row, Value};
use crate::metrics::{Commits, Gauge};

/// Transactions that share one commit at the most: bounds how long the first of them waits.
const GROUP: usize = 256;
/// Transactions that may wait for the writer; more wait at the sender.
const QUEUE: usize = 4096;
const READERS: usize = 4;
/// How long a transaction that nobody waits for waits for another one, to share its commit.
const PATIENCE: Duration = Duration::from_millis(3);

/// Handles to the threads; they end when the last handle is gone.
#[derive(Clone)]
pub struct Sqlite {
    writer: mpsc::SyncSender<Box<dyn Write>>,
    readers: mpsc::SyncSender<Read>,
    commits: Arc<Commits>,
    reading: Arc<Gauge>,
}

type Read = Box<dyn FnOnce(&mut Conn) + Send>;

/// A transaction that waits: `run` in the transaction, then `finish` after the commit (or its failure).
trait Write: Send {
    /// Whether it may wait for another one to share its commit.
    fn is_patient(&self) -> bool;
    fn run(&mut self, conn: &mut Conn) -> bool;
    fn finish(self: Box<Self>, commit: Result<(), DbError>);
}

struct Job<T, E, F> {
    work: Option<F>,
    result: Option<Result<T, E>>,
    patient: bool,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Write for Job<T, E, F>
where
    T: Send,
    E: From<DbError> + Send,
    F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, E>> + Send,
{
    fn is_patient(&self) -> bool {
        self.patient
    }

    fn run(&mut self, conn: &mut Conn) -> bool {
        let Some(work) = self.work.take() else { return false };
        let result = to_the_end(work, conn);
        let ok = result.is_ok();
        self.result = Some(result);
        ok
    }

    fn finish(self: Box<Self>, commit: Result<(), DbError>) {
        let result = match (self.result, commit) {
            // Nothing of it is on disk, and it may be asked for again; that there is no room is said as that.
            (Some(Ok(_)) | None, Err(error @ DbError::Full(_))) => Err(E::from(error)),
            (Some(Ok(_)) | None, Err(error)) => Err(E::from(DbError::Unavailable(format!("not committed: {error}")))),
            (Some(result), _) => result,
            (None, Ok(())) => Err(E::from(DbError::Unavailable("the transaction was not run".to_owned()))),
        };
        // The caller may have gone away: what was committed stays committed.
        let _ = self.reply.send(result);
    }
}

/// Runs a closure that awaits nothing but its connection. A panic in it ends this transaction only.
pub(super) fn to_the_end<T, E: From<DbError>>(
    work: impl for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, E>>,
    conn: &mut Conn,
) -> Result<T, E> {
    match catch_unwind(AssertUnwindSafe(|| work(conn).now_or_never())) {
        Ok(Some(result)) => result,
        Ok(None) => Err(DbError::Fault("a transaction awaited something else than its connection".to_owned()).into()),
        Err(_) => Err(DbError::Fault("a transaction panicked".to_owned()).into()),
    }
}

impl Sqlite {
    pub(super) fn open(path: &str) -> Result<Self, DbError> {
        if path.is_empty() || path.contains(":memory:") {
            return Err(DbError::Fault("a SQLite database needs a file, as in sqlite:bellwire.db".to_owned()));
        }
        private_file(path)?;
        let writer = connect(path, false)?;
        let (send_write, receive_write) = mpsc::sync_channel(QUEUE);
        let (commits, reading) = (Arc::<Commits>::default(), Arc::<Gauge>::default());
        let counted = Arc::clone(&commits);
        spawn("sqlite-writer", move || write_loop(writer, &receive_write, &counted))?;
        let (send_read, receive_read) = mpsc::sync_channel::<Read>(QUEUE);
        let receive_read = Arc::new(Mutex::new(receive_read));
        for _ in 0..READERS {
            let mut conn = Conn::Sqlite(connect(path, true)?);
            let (receive, reading) = (Arc::clone(&receive_read), Arc::clone(&reading));
            spawn("sqlite-reader", move || {
                while let Ok(Ok(work)) = receive.lock().map(|queue| queue.recv()) {
                    reading.add(1);
                    work(&mut conn);
                    reading.add(-1);
                }
            })?;
        }
        Ok(Self { writer: send_write, readers: send_read, commits, reading })
    }

    pub(super) fn commits(&self) -> &Commits {
        &self.commits
    }

    /// The writer counts as busy while anything waits for it.
    pub(super) fn connections(&self) -> Connections {
        let (all, waiting) = (READERS as i64 + 1, self.commits.waiting.get().max(0));
        let busy = self.reading.get().max(0) + waiting.min(1);
        Connections { open: all, busy, max: all, waiting: (waiting - 1).max(0) }
    }

    pub(super) async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Read = Box::new(move |conn| {
            let result = in_snapshot(conn, work);
            let _ = reply.send(result);
        });
        self.readers.try_send(job).map_err(|_| busy())?;
        answer.await.unwrap_or_else(|_| Err(busy().into()))
    }

    /// `patient`: nobody waits for it, so that it may wait for another transaction to share its commit.
    pub(super) async fn write<T, E, F>(&self, patient: bool, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.commits.waiting.add(1);
        self.writer.try_send(Box::new(Job { work: Some(work), result: None, patient, reply })).map_err(|_| {
            self.commits.waiting.add(-1);
            busy()
        })?;
        answer.await.unwrap_or_else(|_| Err(busy().into()))
    }
}

fn busy() -> DbError {
    DbError::Unavailable("too many transactions are waiting".to_owned())
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), DbError> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map(drop).map_err(|error| DbError::Unavailable(format!("can't start a thread: {error}")))
}

/// Several statements of one read see the same state.
fn in_snapshot<T, E: From<DbError>>(
    conn: &mut Conn,
    work: impl for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, E>>,
) -> Result<T, E> {
    batch(conn, "BEGIN DEFERRED")?;
    let result = to_the_end(work, conn);
    batch(conn, "ROLLBACK")?;
    result
}

pub(super) fn batch(conn: &mut Conn, sql: &str) -> Result<(), DbError> {
    match conn {
        Conn::Sqlite(connection) => connection.prepare_cached(sql)?.raw_execute().map(drop).map_err(Into::into),
        Conn::Postgres(_) => Err(DbError::Fault("not a SQLite connection".to_owned())),
    }
}

/// Takes what waits, runs it, commits once, answers all; for as long as anybody holds a sender.
fn write_loop(connection: Connection, queue: &mpsc::Receiver<Box<dyn Write>>, commits: &Commits) {
    let mut conn = Conn::Sqlite(connection);
    let mut taken = VecDeque::with_capacity(2);
    loop {
        if taken.is_empty() {
            let Ok(job) = queue.recv() else { return };
            let company = if job.is_patient() { queue.recv_timeout(PATIENCE).ok() } else { None };
            taken.extend(company.into_iter().chain([job]));
        }
        let Some(mut first) = taken.pop_front() else { continue };
        let mut done = Vec::with_capacity(8);
        let begun = batch(&mut conn, "BEGIN IMMEDIATE");
        if let Err(error) = begun {
            commits.failed.add(1);
            commits.waiting.add(-1);
            first.finish(Err(error));
            continue;
        }
        // The first needs no savepoint, which would copy every page that it changes: when it fails there is nothing else to keep.
        if !first.run(&mut conn) {
            let _ = batch(&mut conn, "ROLLBACK"); // may be rolled back already
            commits.waiting.add(-1);
            first.finish(Ok(()));
            continue;
        }
        done.push(first);
        let mut next = || taken.pop_front().or_else(|| queue.try_recv().ok());
        while let Some(mut job) = if done.len() < GROUP { next() } else { None } {
            let kept = batch(&mut conn, "SAVEPOINT job").is_ok() && job.run(&mut conn);
            let undo = if kept { Ok(()) } else { batch(&mut conn, "ROLLBACK TO job") };
            let released = undo.and_then(|()| batch(&mut conn, "RELEASE job"));
            done.push(job);
            if released.is_err() {
                break; // a full disk rolls the whole transaction back; the commit below fails and says so to all
            }
        }
        let begun = commits.begin();
        let commit = batch(&mut conn, "COMMIT");
        commits.end(begun, done.len(), commit.is_ok());
        if commit.is_err() {
            let _ = batch(&mut conn, "ROLLBACK"); // may be rolled back already
        }
        commits.waiting.add(-i64::try_from(done.len()).unwrap_or(0));
        for job in done {
            job.finish(commit.clone());
        }
    }
}

/// Makes the file when there is none, so that nobody but its owner can read it. SQLite gives the files beside it the same mode.
fn private_file(path: &str) -> Result<(), DbError> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(|error| DbError::Unavailable(format!("can't open {path}: {error}")))
}

/// Refuses a path at which there is no file.
pub(super) fn must_exist(path: &str) -> Result<(), DbError> {
    match std::fs::metadata(path) {
        Ok(_) => Ok(()),
        Err(error) => Err(DbError::Unavailable(format!("can't open {path}: {error}"))),
    }
}

pub(super) fn connect(path: &str, read_only: bool) -> Result<Connection, DbError> {
    let flags = if read_only {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    } else {
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
    };
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|error| DbError::Unavailable(format!("can't open {path}: {error}")))?;
    connection.set_prepared_statement_cache_capacity(256);
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.execute_batch("PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY;")?;
    // In KiB. The writer goes back to what it has written a moment ago.
    connection.execute_batch(if read_only { "PRAGMA cache_size=-4096;" } else { "PRAGMA cache_size=-16384;" })?;
    if !read_only {
        // Of a new file. What a queue writes stands in a row: pages of twice the usual size are half as many to write, and none of
        // them is wasted.
        connection.execute_batch("PRAGMA page_size=8192;")?;
        let mode: String = connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0))?;
        connection.execute_batch("PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000;")?;
        // A statement keeps its plan whatever is bound to it: planning anew costs more than all the rest of a short statement.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        let synchronous: i64 = connection.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
        if mode != "wal" || synchronous != 2 {
            return Err(DbError::Fault(format!(
                "{path} can't be used safely: journal_mode is {mode}, synchronous is {synchronous}"
            )));
        }
    }
    Ok(connection)
}

/// Which value each parameter of a statement takes: SQLite numbers `$n` by their first appearance, not by their name.
fn places(statement: &rusqlite::Statement<'_>) -> Vec<usize> {
    let number = |index| statement.parameter_name(index)?.get(1..)?.parse::<usize>().ok()?.checked_sub(1);
    (1..=statement.parameter_count()).map(|index| number(index).unwrap_or(usize::MAX)).collect()
}

/// Binds `$n` to the n-th value.
fn bind(statement: &mut rusqlite::Statement<'_>, places: &[usize], values: &[Value]) -> Result<(), DbError> {
    for (index, place) in (1..).zip(places) {
        let value = values.get(*place);
        let value = value.ok_or_else(|| DbError::Fault("a statement has more parameters than values".to_owned()))?;
        statement.raw_bind_parameter(index, value)?;
    }
    Ok(())
}

pub(super) fn query(connection: &Connection, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, DbError> {
    let mut statement = connection.prepare_cached(sql)?;
    let places = places(&statement);
    bind(&mut statement, &places, parameters)?;
    let columns: Arc<[String]> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let values = (0..columns.len()).map(|index| row.get_ref(index).map(to_value)).collect::<Result<_, _>>()?;
        found.push(Row { columns: Arc::clone(&columns), values });
    }
    Ok(found)
}

fn to_value(value: rusqlite::types::ValueRef<'_>) -> Value {
    use rusqlite::types::ValueRef;
    match value {
        ValueRef::Null | ValueRef::Real(_) => Value::Null,
        ValueRef::Integer(it) => Value::Int(it),
        ValueRef::Text(it) => Value::Text(String::from_utf8_lossy(it).into_owned()),
        ValueRef::Blob(it) => Value::Bytes(it.to_vec()),
    }
}

pub(super) fn execute(connection: &Connection, sql: &str, parameters: &[Value]) -> Result<u64, DbError> {
    let mut statement = connection.prepare_cached(sql)?;
    let places = places(&statement);
    bind(&mut statement, &places, parameters)?;
    Ok(statement.raw_execute()? as u64)
}

/// How many rows are inserted by one statement, as long as there are so many. Such a statement opens each tree and index once, and
/// goes on from where it has put the row before.
const ROWS: [usize; 2] = [32, 8];

pub(super) fn many(connection: &Connection, sql: &str, mut rows: &[Vec<Value>]) -> Result<u64, DbError> {
    let mut changed = 0;
    for count in ROWS {
        if rows.len() >= count
            && let Some(sql) = inserting(sql, count)
        {
            let mut statement = connection.prepare_cached(&sql)?;
            let (whole, rest) = rows.split_at(rows.len() - rows.len() % count);
            for rows in whole.chunks(count) {
                for (index, value) in (1..).zip(rows.iter().flatten()) {
                    statement.raw_bind_parameter(index, value)?;
                }
                changed += statement.raw_execute()? as u64;
            }
            rows = rest;
        }
    }
    if rows.is_empty() {
        return Ok(changed);
    }
    let mut statement = connection.prepare_cached(sql)?;
    let places = places(&statement);
    for row in rows {
        bind(&mut statement, &places, row)?;
        changed += statement.raw_execute()? as u64;
    }
    Ok(changed)
}

/// `INSERT INTO … VALUES ($1, $2)` for so many rows: `VALUES (?, ?), (?, ?), …`. `None` when it is another statement, or one that
/// doesn't use each value once and in their order.
fn inserting(sql: &str, count: usize) -> Option<String> {
    let (head, tail) = sql.split_once(" VALUES (").filter(|_| sql.starts_with("INSERT"))?;
    let (row, tail) = tail.split_once(')')?;
    let (mut next, mut values) = (0, Vec::new());
    for value in row.split(", ") {
        values.push(match value.strip_prefix('$') {
            None => value,
            Some(number) => {
                next += 1;
                (number.parse() == Ok(next)).then_some("?")?
            }
        });
    }
    let row = format!("({})", values.join(", "));
    Some(format!("{head} VALUES {}{tail}", vec![row.as_str(); count].join(", ")))
}

impl From<rusqlite::Error> for DbError {
    fn from(error: rusqlite::Error) -> Self {
        let text = error.to_string();
        match error.sqlite_error().map(|error| (error.code, error.extended_code)) {
            Some((_, rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY)) => {
                Self::Conflict(text)
            }
            Some((ErrorCode::DiskFull, _)) => Self::Full(text),
            Some((
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen,
                _,
            )) => Self::Unavailable(text),
            _ => Self::Fault(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_commit_that_fails_for_space_says_so_to_all_who_share_it() {
        let told = async |result: Option<Result<(), DbError>>, commit: Result<(), DbError>| {
            let (reply, answer) = oneshot::channel();
            fn nothing(_: &mut Conn) -> BoxFuture<'_, Result<(), DbError>> {
                Box::pin(async { Ok(()) })
            }
            Box::new(Job { work: Some(nothing), result, reply, patient: false }).finish(commit);
            answer.await.unwrap()
        };
        let full = || Err(DbError::Full("no room".to_owned()));
        assert!(matches!(told(Some(Ok(())), full()).await, Err(DbError::Full(_))));
        assert!(matches!(told(None, full()).await, Err(DbError::Full(_))));
        let broken = Err(DbError::Fault("no transaction is active".to_owned()));
        assert!(matches!(told(Some(Ok(())), broken.clone()).await, Err(DbError::Unavailable(_))));
        let own = Some(Err(DbError::Conflict("exists".to_owned())));
        assert!(matches!(told(own, full()).await, Err(DbError::Conflict(_))));
        assert!(told(Some(Ok(())), Ok(())).await.is_ok());
    }
}
