//! A database that fails when it is told to, for tests of what follows: what is lost, what is acknowledged falsely, what stands
//! still afterwards.
//!
//! It stands before a real one. Transactions are all or nothing, so it is enough to break them at these points: before they
//! begin, when their work is done but not committed, and when they are committed but nobody has been told.

use std::{any::type_name, sync::Arc, time::Duration};

use super::{BoxFuture, Conn, Db, DbError};
use crate::clock::Clock;

/// Where a fault can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Point {
    /// Before statements that only read.
    Read,
    /// Before a transaction.
    Begin,
    /// Its work is done; it is about to be committed.
    Commit,
    /// It is committed; nobody knows yet.
    Committed,
}

/// What can happen there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The database can't be reached.
    Unavailable,
    /// Its disk is full.
    Full,
    /// The program and the data disagree.
    Wrong,
    /// The program is wrong.
    Panic,
    /// It takes so long. Within a transaction it can't be waited: there nothing happens.
    Delay(Duration),
}

/// The second argument names the work: the closure's type, by the function in which it stands.
type Decide = Arc<dyn Fn(Point, &'static str) -> Option<Fault> + Send + Sync>;

/// See the module.
#[derive(Clone)]
pub struct Faulty {
    inner: Box<Db>,
    clock: Clock,
    decide: Decide,
}

impl Faulty {
    /// Asks `decide` at every point, in the order in which they are reached.
    pub(crate) fn before(
        inner: Db,
        clock: &Clock,
        decide: impl Fn(Point, &'static str) -> Option<Fault> + Send + Sync + 'static,
    ) -> Db {
        Db::Faulty(Self { inner: Box::new(inner), clock: clock.clone(), decide: Arc::new(decide) })
    }

    pub(super) fn inner(&self) -> &Db {
        &self.inner
    }

    async fn at(&self, point: Point, work: &'static str) -> Result<(), DbError> {
        match (self.decide)(point, work) {
            Some(Fault::Delay(time)) => {
                self.clock.sleep(time).await;
                Ok(())
            }
            fault => happen(fault, point),
        }
    }

    pub(super) async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
    {
        self.at(Point::Read, type_name::<F>()).await?;
        match &*self.inner {
            Db::Sqlite(sqlite) => sqlite.read(work).await,
            Db::Postgres(postgres) => postgres.read(work).await,
            Db::Inline(inline) => inline.read(work),
            Db::Faulty(_) => unreachable!("one is enough"),
        }
    }

    pub(super) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
    {
        self.at(Point::Begin, type_name::<F>()).await?;
        let work = breaking(Arc::clone(&self.decide), type_name::<F>(), work);
        let value = match &*self.inner {
            Db::Sqlite(sqlite) => sqlite.write(false, work).await,
            Db::Postgres(postgres) => postgres.write(work).await,
            Db::Inline(inline) => inline.write(work),
            Db::Faulty(_) => unreachable!("one is enough"),
        }?;
        self.at(Point::Committed, type_name::<F>()).await?;
        Ok(value)
    }
}

/// The same work, which may fail when it is done.
fn breaking<T, E, F>(
    decide: Decide,
    name: &'static str,
    work: F,
) -> impl for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, E>> + Send + 'static
where
    T: Send + 'static,
    E: From<DbError> + Send + 'static,
    F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
{
    move |conn| {
        Box::pin(async move {
            let value = work(conn).await?;
            happen(decide(Point::Commit, name), Point::Commit)?;
            Ok(value)
        })
    }
}

/// Begins what a panic says that a test wants.
pub(crate) const WANTED: &str = "a fault of the test";

/// From here on, panics that tests want are silent: telling where they come from takes longer than everything else.
pub(crate) fn silence_wanted_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !info.payload_as_str().is_some_and(|message| message.starts_with(WANTED)) {
                others(info);
            }
        }));
    });
}

fn happen(fault: Option<Fault>, point: Point) -> Result<(), DbError> {
    let detail = format!("{WANTED} at {point:?}");
    match fault {
        None | Some(Fault::Delay(_)) => Ok(()),
        Some(Fault::Unavailable) => Err(DbError::Unavailable(detail)),
        Some(Fault::Full) => Err(DbError::Full(detail)),
        Some(Fault::Wrong) => Err(DbError::Fault(detail)),
        Some(Fault::Panic) => panic!("{detail}"),
    }
}
