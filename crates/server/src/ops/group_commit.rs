//! Group commit: requests of one kind that arrive while a commit is under way share the next one.
//!
//! The first that finds nobody at work starts a task that takes what waits, writes it in one transaction, answers, and goes on
//! until nothing waits. The task belongs to nobody's request, so a caller who goes away harms nobody else.
//!
//! What always holds: an answer means that it is on disk; when the transaction fails, everybody in it is told so; what waits is
//! bounded, in items and in bytes, and more is refused.

use std::{
    collections::{BTreeSet, VecDeque},
    panic::AssertUnwindSafe,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bellwire_core::{
    event::PrincipalId,
    id::WorkspaceId,
    permission::{Permission, Permissions},
};
use futures_util::{FutureExt, future::join};
use tokio::{
    sync::{Notify, oneshot},
    time::timeout,
};

use super::{Actor, nodes};
use crate::{
    app::{App, Signal},
    crypt::TokenHash,
    db::{self, Conn},
    error::Error,
};

/// After a commit for so many requests, the next waits until all of them ask again. Each commit costs as much as a dozen requests, and
/// those who were answered are about to ask again.
const CROWD: usize = 8;
/// How long it waits at the most; a timer ends at the next whole millisecond.
const GATHER: Duration = Duration::from_millis(1);

/// A kind of requests that share commits.
pub trait Shared: Sized + Send + 'static {
    /// What one request brings.
    type Part: Send + 'static;
    /// What one request gets.
    type Answer: Send + 'static;

    /// What they are called when too many wait: `publishes`.
    const NAME: &'static str;
    /// Items that one transaction writes, unless a single request has more.
    const GROUP: usize;
    /// Items that may wait.
    const MAX_WAITING: usize;
    /// Bytes that may wait.
    const MAX_WAITING_BYTES: usize;

    /// Where they wait.
    fn line(app: &App) -> &Line<Self>;

    /// Items and bytes of a part.
    fn size(part: &Self::Part) -> (usize, usize);

    /// Writes the parts in a transaction. What is wrong with one part is its own answer; an error is everybody's.
    fn write(
        app: &App,
        conn: &mut Conn,
        parts: Vec<Self::Part>,
    ) -> impl Future<Output = Result<Written<Self::Answer>, Error>> + Send;
}

/// What a transaction has written.
pub struct Written<A> {
    /// One for each part, in their order.
    pub answers: Vec<Result<A, Error>>,
    /// How many events are new.
    pub events: usize,
    /// To be sent after the commit.
    pub signals: Vec<Signal>,
    /// Which open pages have to look again.
    pub changed: BTreeSet<(WorkspaceId, &'static str)>,
}

/// Requests that wait for the next commit.
pub struct Line<S: Shared> {
    waiting: Mutex<Waiting<S>>,
    /// As many wait as are waited for.
    gathered: Notify,
}

struct Waiting<S: Shared> {
    jobs: VecDeque<Job<S>>,
    items: usize,
    bytes: usize,
    /// Whether a task is at work.
    busy: bool,
    /// The number of jobs that it waits for; the most of all when it waits for none.
    crowd: usize,
}

struct Job<S: Shared> {
    part: S::Part,
    size: (usize, usize),
    reply: oneshot::Sender<Result<S::Answer, Error>>,
}

impl<S: Shared> Waiting<S> {
    /// Whether nobody else is to be waited for.
    fn is_crowd(&self) -> bool {
        self.jobs.len() >= self.crowd || self.items >= S::GROUP
    }
}

impl<S: Shared> Default for Line<S> {
    fn default() -> Self {
        let waiting = Waiting { jobs: VecDeque::new(), items: 0, bytes: 0, busy: false, crowd: usize::MAX };
        Self { waiting: Mutex::new(waiting), gathered: Notify::new() }
    }
}

impl<S: Shared> Line<S> {
    fn waiting(&self) -> MutexGuard<'_, Waiting<S>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a job wait. Returns whether nobody is at work.
    fn push(&self, job: Job<S>) -> Result<bool, Error> {
        let mut waiting = self.waiting();
        let (items, bytes) = job.size;
        let has_room = waiting.jobs.is_empty()
            || (waiting.items + items <= S::MAX_WAITING && waiting.bytes + bytes <= S::MAX_WAITING_BYTES);
        if !has_room {
            return Err(Error::Unavailable(format!("too many {} are waiting", S::NAME)));
        }
        waiting.items += items;
        waiting.bytes += bytes;
        waiting.jobs.push_back(job);
        if waiting.crowd != usize::MAX && waiting.is_crowd() {
            waiting.crowd = usize::MAX;
            self.gathered.notify_one();
        }
        Ok(!std::mem::replace(&mut waiting.busy, true))
    }

    /// Waits for those who were just answered to ask again, for a moment at the most. Others who wait already are in time for the
    /// same commit: otherwise two halves of a crowd would take turns, with twice as many commits.
    async fn gather(&self, answered: usize, patience: Duration) {
        {
            let mut waiting = self.waiting();
            waiting.crowd = waiting.jobs.len() + answered;
            if waiting.is_crowd() {
                return; // what waits is more than one transaction writes
            }
        }
        // Too early for once when the crowd before was there just as its time was over: then it is a smaller one.
        let _ = timeout(patience, self.gathered.notified()).await;
    }

    /// Takes what fits into one transaction; when nothing waits, whoever asked is at work no more.
    fn take(&self) -> Vec<Job<S>> {
        let mut waiting = self.waiting();
        waiting.crowd = usize::MAX;
        let (mut jobs, mut items): (Vec<Job<S>>, usize) = (Vec::new(), 0);
        while let Some(job) = waiting.jobs.pop_front_if(|job| jobs.is_empty() || items + job.size.0 <= S::GROUP) {
            items += job.size.0;
            waiting.items -= job.size.0;
            waiting.bytes -= job.size.1;
            jobs.push(job);
        }
        waiting.busy = !jobs.is_empty();
        jobs
    }
}

/// Writes a part together with others. Returns when it is on disk.
///
/// # Errors
/// What [`Shared::write`] says of the part or of the transaction; [`Error::Unavailable`] when too much waits already.
pub(super) async fn submit<S: Shared>(app: &App, part: S::Part) -> Result<S::Answer, Error> {
    let (reply, answer) = oneshot::channel();
    let size = S::size(&part);
    if S::line(app).push(Job { part, size, reply })? {
        app.committing.spawn(work::<S>(app.clone()));
    }
    answer.await.unwrap_or_else(|_| Err(Error::Internal(format!("one of the {} was dropped", S::NAME))))
}

/// Writes what waits until nothing does.
async fn work<S: Shared>(app: App) {
    let mut answered = 0;
    // What a crowd has published is sent while the next of its commits is being written: whoever was answered asks again first, and
    // the writer doesn't stand still meanwhile.
    let mut untold = Vec::new();
    loop {
        // Whoever is about to ask asks first: those who were just answered, when there are many of them.
        if answered >= CROWD {
            S::line(&app).gather(answered, GATHER).await;
        } else {
            tokio::task::yield_now().await;
        }
        let jobs = S::line(&app).take();
        if jobs.is_empty() {
            nodes::wake(&app, untold);
            return;
        }
        answered = jobs.len();
        let (replies, parts): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.reply, job.part)).unzip();
        let held = app.clone();
        let writing = app.db.write(move |conn| Box::pin(async move { S::write(&held, conn, parts).await }));
        // Whatever happens, somebody has to stay at work for those who wait.
        let writing = AssertUnwindSafe(writing).catch_unwind();
        let signals = std::mem::take(&mut untold);
        // In this order: the writer is at work before the engine is.
        let (written, ()) = join(writing, async { nodes::wake(&app, signals) }).await;
        let written = written.unwrap_or_else(|_| Err(Error::Internal("a group commit panicked".to_owned())));
        match written {
            Ok(Written { answers, events, signals, changed }) => {
                app.metrics.events.add(events);
                app.metrics.request_groups.note(replies.len());
                if answered >= CROWD {
                    untold = signals;
                } else {
                    nodes::wake(&app, signals);
                }
                for (reply, answer) in replies.into_iter().zip(answers) {
                    // Whoever asked may have gone away.
                    let _ = reply.send(answer);
                }
                for (workspace, topic) in changed {
                    app.changed(workspace, topic);
                }
            }
            Err(error) => {
                for reply in replies {
                    let _ = reply.send(Err(again(&error)));
                }
            }
        }
    }
}

/// The same error for everybody who shared the transaction.
fn again(error: &Error) -> Error {
    match error {
        Error::StorageFull => Error::StorageFull,
        Error::Unavailable(detail) => Error::Unavailable(detail.clone()),
        other => Error::Internal(match other {
            Error::Internal(detail) => detail.clone(),
            other => other.to_string(),
        }),
    }
}

/// Whether actors hold a permission now, as of the transaction; asked once for each of them.
pub(super) struct Allowed {
    permission: Permission,
    known: Vec<(PrincipalId, Option<TokenHash>, Option<bool>)>,
}

impl Allowed {
    /// Nobody has been asked about yet.
    pub(super) fn new(permission: Permission) -> Self {
        Self { permission, known: Vec::new() }
    }

    /// What is refused to this actor is the inner error.
    pub(super) async fn check(&mut self, conn: &mut Conn, actor: &Actor) -> Result<Result<(), Error>, Error> {
        let known = |(principal, secret, _): &&_| (*principal, *secret) == (actor.principal, actor.secret);
        let allowed = match self.known.iter().find(known) {
            Some((.., allowed)) => *allowed,
            None => {
                let permissions = current(conn, actor).await?;
                let allowed = permissions.map(|permissions| permissions.allow(self.permission));
                self.known.push((actor.principal, actor.secret, allowed));
                allowed
            }
        };
        Ok(match allowed {
            Some(true) => Ok(()),
            Some(false) => Err(Error::Forbidden(self.permission.as_str())),
            None => Err(Error::Unauthenticated),
        })
    }
}

/// What an actor may do now; `None` when it may not even be who it is: blocked, removed, or its secret is an old one.
pub(super) async fn current(conn: &mut Conn, actor: &Actor) -> Result<Option<Permissions>, Error> {
    if let (PrincipalId::ApiKey(key), Some(secret)) = (actor.principal, actor.secret)
        && !db::api_keys::has_secret(conn, key, &secret.to_hex()).await?
    {
        return Ok(None);
    }
    Ok(db::principals::permissions(conn, actor.workspace, actor.principal).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers as heavy as they are, which nobody writes.
    struct Numbers;

    impl Shared for Numbers {
        type Part = usize;
        type Answer = ();

        const NAME: &'static str = "numbers";
        const GROUP: usize = 5;
        const MAX_WAITING: usize = 10;
        const MAX_WAITING_BYTES: usize = 100;

        fn line(_: &App) -> &Line<Self> {
            unreachable!("the test holds the line itself")
        }

        fn size(part: &usize) -> (usize, usize) {
            (*part, 10 * *part)
        }

        async fn write(_: &App, _: &mut Conn, _: Vec<usize>) -> Result<Written<()>, Error> {
            unreachable!("the test writes nothing")
        }
    }

    fn push(line: &Line<Numbers>, part: usize) -> Result<bool, Error> {
        line.push(Job { part, size: Numbers::size(&part), reply: oneshot::channel().0 })
    }

    fn taken(line: &Line<Numbers>) -> Vec<usize> {
        line.take().into_iter().map(|job| job.part).collect()
    }

    #[tokio::test]
    async fn a_crowd_is_waited_for_by_its_number() {
        const LONG: Duration = Duration::from_hours(1);
        let line = Line::default();
        push(&line, 0).unwrap();
        let gathered = async {
            line.gather(2, LONG).await;
            taken(&line).len()
        };
        let asking = async {
            for _ in 0..2 {
                tokio::task::yield_now().await;
                push(&line, 0).unwrap();
            }
        };
        assert_eq!(tokio::join!(gathered, asking).0, 3, "those who waited, and those who were answered");
        push(&line, 5).unwrap();
        line.gather(2, LONG).await;
        assert_eq!(taken(&line), [5], "a transaction is full");
        push(&line, 0).unwrap();
        line.gather(2, Duration::ZERO).await;
        assert_eq!(taken(&line), [0], "not for ever");
    }

    #[test]
    fn what_waits_is_bounded_and_taken_in_groups() {
        let line = Line::default();
        assert!(push(&line, 3).unwrap(), "nobody is at work yet");
        for part in [2, 2, 3] {
            assert!(!push(&line, part).unwrap());
        }
        let refused = push(&line, 1).unwrap_err();
        assert!(matches!(&refused, Error::Unavailable(detail) if detail == "too many numbers are waiting"));
        assert_eq!(taken(&line), [3, 2]);
        assert!(!push(&line, 5).unwrap(), "there is room again");
        assert_eq!((taken(&line), taken(&line)), (vec![2, 3], vec![5]));
        assert!(taken(&line).is_empty());
        assert!(push(&line, 20).unwrap(), "one that is larger than all bounds is taken when nothing else waits");
        assert_eq!(taken(&line), [20]);
    }
}
