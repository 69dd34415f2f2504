//! A lane: the deliveries of one webhook that are in memory, and the workers that send them.
//!
//! Each webhook has its own, so that a receiver that hangs costs itself and nobody else. A worker takes the next delivery, sends
//! it over the connection that it keeps, hands the outcome to `finish`, and goes on until there is nothing left. How many work at
//! once is the lane's *width*: it begins small, grows by one with every answer, and is halved when the receiver
//! doesn't answer, breaks off or asks for rest.
//!
//! A receiver that fails again and again is left alone for some seconds between one attempt and the next, whatever waits for it,
//! and until it answers, its exchanges count against a share of the workspace's that those who do answer never need: however many
//! receivers of a workspace are dead or hang, there are places for the others.
//!
//! What always holds:
//! - A delivery in memory holds a place; when places are scarce, a lane keeps only what it can send in a few seconds, and gives
//!   the leases of the rest back to the database.
//! - Nothing is sent whose lease could end during the exchange: it is dropped, and the sweep finds it again.
//! - Nothing is sent while the database can't be reached: the leases can't be known to be ours for long.
//! - Nothing is sent to an inactive or deleted webhook but tests; leases are given back.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasherDefault, DefaultHasher},
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bellwire_core::{
    delivery::{Outcome, Reason, parse_retry_after},
    id::{WebhookId, WorkspaceId},
    time::Timestamp,
};
use futures_util::FutureExt;
use tokio::sync::OwnedSemaphorePermit;

use super::{
    Shared,
    dial::Failure,
    finish::{Attempted, Finished},
    send::Connection,
    target::Target,
};
use crate::{
    app::{Owed, ROOM},
    clock::Moment,
    db::{self, DbError},
};

/// Exchanges at once, at the most.
pub(super) const MAX_WIDTH: usize = 32;
/// Exchanges at once with a receiver that is not known yet.
const FIRST_WIDTH: usize = 2;
/// Exchanges at once in one workspace with receivers that answer.
const MAX_IN_WORKSPACE: usize = 4_096;
/// Exchanges at once in one workspace with receivers that failed last, or have not answered yet.
const MAX_IN_DOUBT: usize = 1_024;
/// Failures in a row after which a receiver is left alone between attempts.
const STRIKES: u32 = 8;
/// For so long: less than the shortest wait of the usual schedule, so that no delivery's own retry is late.
const REST: Duration = Duration::from_secs(4);
/// What a lane that answers may hold when places are not scarce: claims fill it up to here.
const QUEUE: usize = 1_024;
/// A delivery whose lease ends sooner is not sent any more: an exchange lasts 15 s at the most, and its outcome must be written.
const LEASE_MARGIN: Duration = Duration::from_secs(20);
/// How long an idle connection is kept, and a lane without work.
const IDLE: Duration = Duration::from_secs(30);
/// How long a webhook that answered counts as healthy without asking the database.
const HEALTHY: Duration = Duration::from_secs(30);
/// How long other nodes' changes of a webhook may be overlooked.
const KNOWN: Duration = Duration::from_secs(5);
/// How long to wait when this machine has no more sockets.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Lane {
    pub(super) webhook: WebhookId,
    in_workspace: Arc<InWorkspace>,
    /// Microseconds of a [`Moment`].
    healthy_until: AtomicU64,
    state: Mutex<State>,
}

/// Exchanges of one workspace.
#[derive(Default)]
pub(super) struct InWorkspace {
    answering: AtomicUsize,
    in_doubt: AtomicUsize,
}

impl InWorkspace {
    fn of(&self, in_doubt: bool) -> (&AtomicUsize, usize) {
        if in_doubt { (&self.in_doubt, MAX_IN_DOUBT) } else { (&self.answering, MAX_IN_WORKSPACE) }
    }
}

struct State {
    queue: VecDeque<Owed>,
    idle: Vec<Parked>,
    running: usize,
    width: usize,
    /// Whether the receiver answered last time.
    answers: bool,
    /// Failures in a row.
    strikes: u32,
    /// After many of them: no attempt before.
    rests_until: Timestamp,
    target: Known,
    /// When it was read.
    known_at: Moment,
    /// Counts changes of the webhook, so that a read that began before one is not believed.
    changes: u64,
    loading: bool,
    /// There is more in the database than was fetched.
    backlog: bool,
    /// With a rate limit: when the next request may be made.
    slot: Moment,
    /// Exchanges that ended in this second, and in the one before.
    ended: usize,
    recent: usize,
    made_at: Moment,
    used_at: Moment,
}

#[derive(Clone)]
enum Known {
    Nothing,
    Deleted,
    Is(Arc<Target>),
}

/// A connection that nobody uses. All of the engine share a number of places for them.
struct Parked {
    open: Open,
    since: Moment,
    _place: OwnedSemaphorePermit,
}

/// A connection and where it goes to.
struct Open {
    connection: Connection,
    target: Arc<Target>,
}

/// What a worker tells its lane of the exchange that it has ended.
#[derive(Clone, Copy)]
enum Ended {
    Answered,
    Strained,
}

/// What a worker does next.
struct Job {
    owed: Owed,
    target: Arc<Target>,
    open: Option<Open>,
    /// Not before.
    at: Option<Moment>,
}

impl Lane {
    pub(super) fn new(webhook: WebhookId, in_workspace: Arc<InWorkspace>, now: Moment, due: Timestamp) -> Self {
        let state = State {
            queue: VecDeque::new(),
            idle: Vec::new(),
            running: 0,
            width: FIRST_WIDTH,
            answers: false,
            strikes: 0,
            rests_until: due,
            target: Known::Nothing,
            known_at: now,
            changes: 0,
            loading: false,
            backlog: false,
            slot: now,
            ended: 0,
            recent: 0,
            made_at: now,
            used_at: now,
        };
        Self { webhook, in_workspace, healthy_until: AtomicU64::new(0), state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes deliveries in.
    pub(super) fn push(self: &Arc<Self>, shared: &Arc<Shared>, owed: impl IntoIterator<Item = Owed>, backlog: bool) {
        let mut state = self.state();
        state.queue.extend(owed);
        state.backlog |= backlog;
        self.rest(shared, &mut state, shared.app.database_clock.now());
        self.trim(shared, &mut state);
        self.advance(shared, &mut state);
    }

    /// Puts workers to work.
    fn advance(self: &Arc<Self>, shared: &Arc<Shared>, state: &mut State) {
        if state.queue.is_empty() || !shared.app.database_clock.is_confirmed() {
            return;
        }
        // Other nodes may have changed it, and what they said of that got lost.
        let is_old = shared.app.db.is_shared() && shared.app.clock.moment().since(state.known_at) >= KNOWN;
        if matches!(state.target, Known::Nothing) || state.running == 0 && is_old {
            self.load(shared, state);
            return;
        }
        let wanted = state.queue.len().min(state.width).saturating_sub(state.running);
        for _ in 0..wanted {
            self.hire(shared, state);
        }
    }

    fn hire(self: &Arc<Self>, shared: &Arc<Shared>, state: &mut State) {
        let in_doubt = !state.answers;
        let (count, most) = self.in_workspace.of(in_doubt);
        if count.fetch_add(1, Relaxed) >= most {
            count.fetch_sub(1, Relaxed); // the next tick tries again
            return;
        }
        state.running += 1;
        let (shared, lane) = (Arc::clone(shared), Arc::clone(self));
        // The worker is made inside its task: a runtime that is shutting down drops the task here, under the lock.
        tokio::spawn(async move { Worker { shared, lane, in_doubt, working: true }.work().await });
    }

    /// While the receiver is left alone, gives back what would be sent to it by itself.
    fn rest(&self, shared: &Shared, state: &mut State, now: Timestamp) {
        if now >= state.rests_until {
            return;
        }
        for owed in std::mem::take(&mut state.queue) {
            if owed.reason == Reason::Automatic {
                shared.release(owed, state.rests_until);
            } else {
                state.queue.push_back(owed);
            }
        }
    }

    /// When places are scarce, gives back what this lane can't send soon.
    fn trim(&self, shared: &Shared, state: &mut State) {
        let capacity = state.capacity(shared);
        if state.queue.len() <= capacity {
            return;
        }
        let now = shared.app.database_clock.now();
        for owed in state.queue.drain(capacity..) {
            shared.release(owed, now);
        }
        state.backlog = true;
    }

    /// Deliveries that this lane would take in from the database. When it is full it asks again by itself.
    pub(super) fn room(&self, shared: &Shared) -> usize {
        let mut state = self.state();
        let now = shared.app.database_clock.now();
        if now < state.rests_until {
            shared.agenda.note(self.webhook, state.rests_until);
            return 0;
        }
        let wish = if state.width < MAX_WIDTH / 4 { state.width * 2 } else { QUEUE };
        let room = wish.min(state.capacity(shared)).saturating_sub(state.queue.len());
        if room == 0 && state.running > 0 {
            state.backlog = true;
        }
        // A lane in which nobody works asks nobody: it always has room for one.
        if state.running == 0 { room.max(1) } else { room }
    }

    /// The webhook was changed: what is known about it is old.
    pub(super) fn changed(self: &Arc<Self>, shared: &Arc<Shared>) {
        let mut state = self.state();
        state.target = Known::Nothing;
        state.changes += 1;
        self.unsure();
        self.advance(shared, &mut state);
    }

    /// Reads the webhook, again if it is changed meanwhile. What was known stays in use until then.
    fn load(self: &Arc<Self>, shared: &Arc<Shared>, state: &mut State) {
        if state.loading {
            return;
        }
        state.loading = true;
        let (shared, lane) = (Arc::clone(shared), Arc::clone(self));
        tokio::spawn(async move {
            loop {
                let (changes, now) = (lane.state().changes, shared.app.clock.moment());
                let webhook = lane.webhook;
                let reading = shared.app.db.read(move |conn| Box::pin(db::webhooks::target(conn, webhook)));
                // Whatever happens, the lane has to know that nobody is reading any more.
                let read = AssertUnwindSafe(reading).catch_unwind().await;
                let read = read.unwrap_or_else(|_| Err(DbError::Fault("reading a webhook panicked".to_owned())));
                let known = read.map_err(crate::error::Error::from).and_then(|stored| {
                    stored.map(|stored| Target::open(&shared.app, &stored).map(Arc::new)).transpose()
                });
                let mut state = lane.state();
                match known {
                    Ok(_) if state.changes != changes => continue,
                    Ok(target) => lane.know(&shared, &mut state, target, now),
                    Err(error) => error.log(), // the next tick tries again
                }
                state.loading = false;
                if !matches!(state.target, Known::Nothing) {
                    lane.advance(&shared, &mut state);
                }
                return;
            }
        });
    }

    /// Keeps what was read, and gives back what is not to be sent: the workers may all be waiting for answers.
    fn know(&self, shared: &Shared, state: &mut State, target: Option<Arc<Target>>, at: Moment) {
        let now = shared.app.database_clock.now();
        state.known_at = at;
        for owed in std::mem::take(&mut state.queue) {
            if target.as_ref().is_some_and(|target| target.wants(&owed)) {
                state.queue.push_back(owed);
            } else {
                shared.release(owed, now);
            }
        }
        if state.used_at == state.made_at {
            // Nothing has been sent yet.
            state.answers = target.as_ref().is_some_and(|target| target.healthy);
        }
        state.target = target.map_or(Known::Deleted, Known::Is);
    }

    /// What a worker does next; `None` when it is not needed any more.
    fn next(self: &Arc<Self>, shared: &Arc<Shared>, ended: Option<Ended>, mut open: Option<Open>) -> Option<Job> {
        let (moment, now) = (shared.app.clock.moment(), shared.app.database_clock.now());
        let mut state = self.state();
        state.note(ended, now);
        self.rest(shared, &mut state, now);
        loop {
            if state.running > state.width || !shared.app.database_clock.is_confirmed() {
                break;
            }
            let Some(owed) = state.queue.pop_front() else { break };
            let target = match &state.target {
                Known::Is(target) if target.wants(&owed) && !shared.stopping() => Arc::clone(target),
                Known::Nothing => {
                    state.queue.push_front(owed);
                    self.load(shared, &mut state);
                    break;
                }
                _ => {
                    shared.release(owed, now);
                    continue;
                }
            };
            if owed.leased_until < now.saturating_add(LEASE_MARGIN) {
                shared.agenda.note(self.webhook, owed.leased_until);
                continue;
            }
            let at = target.pace.map(|pace| {
                let at = state.slot.max(moment);
                state.slot = at.plus(pace);
                at
            });
            if state.running < state.width && !state.queue.is_empty() {
                self.hire(shared, &mut state);
            }
            state.refill(shared, self.webhook, now);
            let open = open.take().or_else(|| state.idle.pop().map(|parked| parked.open));
            let open = open.filter(|open| open.target.url == target.url);
            return Some(Job { owed, target, open, at });
        }
        state.refill(shared, self.webhook, now);
        state.running -= 1;
        state.used_at = moment;
        if let Some(open) = open
            && state.idle.len() < MAX_WIDTH
            && let Ok(place) = Arc::clone(&shared.idle).try_acquire_owned()
        {
            state.idle.push(Parked { open, since: moment, _place: place });
        }
        None
    }

    /// What is known of the webhook now, when this is to be sent to it.
    fn target_for(&self, owed: &Owed) -> Option<Arc<Target>> {
        match &self.state().target {
            Known::Is(target) if target.wants(owed) => Some(Arc::clone(target)),
            _ => None,
        }
    }

    /// To be looked at again, as the next one.
    fn put_back(&self, owed: Owed) {
        self.state().queue.push_front(owed);
    }

    /// What is done once a second. `false` when the lane is not needed any more.
    pub(super) fn tick(self: &Arc<Self>, shared: &Arc<Shared>, now: Moment, reload: bool) -> bool {
        let mut state = self.state();
        state.recent = std::mem::take(&mut state.ended);
        state.idle.retain(|parked| now.since(parked.since) < IDLE);
        self.trim(shared, &mut state);
        self.advance(shared, &mut state);
        let busy = state.running > 0 || state.loading || !state.queue.is_empty();
        if reload && busy {
            self.load(shared, &mut state);
        }
        busy || !state.idle.is_empty() || now.since(state.used_at) < IDLE
    }

    /// Deliveries that wait, and workers that send.
    fn burden(&self) -> (usize, usize) {
        let state = self.state();
        (state.queue.len(), state.running)
    }

    /// Gives everything back that is not under way.
    pub(super) fn stop(&self, shared: &Shared) {
        let now = shared.app.database_clock.now();
        for owed in self.state().queue.drain(..) {
            shared.release(owed, now);
        }
    }

    /// Whether the webhook was found healthy a short while ago: then a success is no news.
    pub(super) fn is_healthy(&self, now: Moment) -> bool {
        self.healthy_until.load(Relaxed) > now.as_micros()
    }

    /// The database says that it is healthy.
    pub(super) fn healthy(&self, now: Moment) {
        self.healthy_until.store(now.plus(HEALTHY).as_micros(), Relaxed);
    }

    /// It may not be healthy.
    pub(super) fn unsure(&self) {
        self.healthy_until.store(0, Relaxed);
    }
}

impl State {
    /// Deliveries that may wait here. Places are everybody's: when they are scarce, what can be sent in some seconds.
    fn capacity(&self, shared: &Shared) -> usize {
        let paced = match &self.target {
            Known::Is(target) => target.pace.map(|pace| LEASE_MARGIN.div_duration_f64(pace)),
            _ => None,
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at least 1, and cut to ROOM")]
        let paced = paced.map_or(ROOM, |requests| requests.clamp(1.0, 16_384.0) as usize);
        if shared.app.wake.room() > ROOM / 2 {
            return paced;
        }
        paced.min((4 * self.recent.max(self.ended)).max(self.width.saturating_sub(self.running)))
    }

    fn note(&mut self, ended: Option<Ended>, now: Timestamp) {
        let Some(ended) = ended else { return };
        self.ended += 1;
        self.answers = matches!(ended, Ended::Answered);
        if self.answers {
            self.width = (self.width + 1).min(MAX_WIDTH);
            self.strikes = 0;
            self.rests_until = self.rests_until.min(now);
        } else {
            self.width = (self.width / 2).max(1);
            self.strikes = self.strikes.saturating_add(1);
            if self.strikes >= STRIKES {
                self.rests_until = now.saturating_add(REST);
            }
        }
    }

    /// Asks for more when there is more and the queue is nearly empty.
    fn refill(&mut self, shared: &Shared, webhook: WebhookId, now: Timestamp) {
        if self.backlog && self.queue.len() <= self.width {
            self.backlog = false;
            shared.agenda.note(webhook, now.max(self.rests_until));
        }
    }
}

struct Worker {
    shared: Arc<Shared>,
    lane: Arc<Lane>,
    /// What it counts as in its workspace.
    in_doubt: bool,
    working: bool,
}

impl Worker {
    async fn work(mut self) {
        let (mut ended, mut open) = (None, None);
        while let Some(job) = self.lane.next(&self.shared, ended.take(), open.take()) {
            (ended, open) = self.send(job).await;
        }
        self.working = false;
    }

    async fn send(&self, job: Job) -> (Option<Ended>, Option<Open>) {
        let Job { owed, mut target, mut open, at } = job;
        let shared = &self.shared;
        let (clock, due_clock) = (&shared.app.clock, &shared.app.database_clock);
        if let Some(at) = at
            && at > clock.moment()
        {
            let stopped = Box::pin(async {
                tokio::select! {
                    biased;
                    () = clock.sleep_until(at) => false,
                    () = shared.stopped() => true,
                }
            });
            if stopped.await {
                shared.release(owed, due_clock.now());
                return (None, open);
            }
            if owed.leased_until < due_clock.now().saturating_add(LEASE_MARGIN) {
                shared.agenda.note(self.lane.webhook, owed.leased_until);
                return (None, open);
            }
            // It may have been switched off, changed or deleted meanwhile; or the database may be gone.
            let current = self.lane.target_for(&owed).filter(|_| due_clock.is_confirmed());
            let Some(current) = current else {
                self.lane.put_back(owed);
                return (None, open);
            };
            target = current;
            open = open.filter(|open| open.target.url == target.url);
        }
        let started_at = clock.now();
        let connection = open.map(|open| open.connection);
        let result = shared.transport.exchange(&target, connection, &owed, started_at).await;
        let (ended_at, due_from) = (clock.now(), due_clock.now());
        let (outcome, answer, open) = match result {
            Ok((answer, connection)) => {
                let retry_after = answer.retry_after.as_deref().and_then(|text| parse_retry_after(text, ended_at));
                let open = connection.map(|connection| Open { connection, target });
                (Outcome::Answered { status: answer.status, retry_after }, Some(answer), open)
            }
            Err(Failure::Attempt(error)) => (Outcome::Error(error), None, None),
            Err(Failure::NotTried(error)) => {
                tracing::warn!(%error, "can't open more connections");
                shared.release(owed, due_from.saturating_add(PAUSE));
                return (Some(Ended::Strained), None);
            }
        };
        let strained = matches!(outcome, Outcome::Error(_) | Outcome::Answered { status: 429 | 500..=599, .. });
        let lane = Arc::clone(&self.lane);
        shared.finish(Finished::Attempt(Box::new(Attempted {
            owed,
            lane,
            started_at,
            ended_at,
            due_from,
            outcome,
            answer,
        })));
        (Some(if strained { Ended::Strained } else { Ended::Answered }), open)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.lane.in_workspace.of(self.in_doubt).0.fetch_sub(1, Relaxed);
        if self.working {
            // It panicked or was cut off: what it held is found again when the lease ends.
            self.lane.state().running -= 1;
        }
    }
}

/// The ids are our own, so nobody can choose them; and a simulation has to meet lanes in the same order every time.
type Unseeded = BuildHasherDefault<DefaultHasher>;

/// All lanes, and how many exchanges each workspace has.
#[derive(Default)]
pub(super) struct Lanes(Mutex<Registry>);

#[derive(Default)]
struct Registry {
    lanes: HashMap<WebhookId, Arc<Lane>, Unseeded>,
    workspaces: HashMap<WorkspaceId, Arc<InWorkspace>, Unseeded>,
}

impl Lanes {
    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives deliveries to their lanes. `backlog` says for which webhooks there is more in the database.
    pub(super) fn push(&self, shared: &Arc<Shared>, owed: Vec<Owed>, backlog: impl Fn(WebhookId) -> bool) {
        let (now, due) = (shared.app.clock.moment(), shared.app.database_clock.now());
        let mut registry = self.registry();
        let mut owed = owed.into_iter().peekable();
        while let Some(first) = owed.next() {
            let webhook = first.webhook;
            let Registry { lanes, workspaces } = &mut *registry;
            let lane = lanes.entry(webhook).or_insert_with(|| {
                let in_workspace = workspaces.entry(first.workspace).or_default();
                Arc::new(Lane::new(webhook, Arc::clone(in_workspace), now, due))
            });
            let rest = std::iter::from_fn(|| owed.next_if(|next| next.webhook == webhook));
            lane.push(shared, std::iter::once(first).chain(rest), backlog(webhook));
        }
    }

    /// See [`Lane::room`]; a webhook without a lane has a little.
    pub(super) fn room(&self, shared: &Shared, webhook: WebhookId) -> usize {
        let lane = self.registry().lanes.get(&webhook).cloned();
        lane.map_or(FIRST_WIDTH * 2, |lane| lane.room(shared))
    }

    /// See [`Lane::changed`].
    pub(super) fn changed(&self, shared: &Arc<Shared>, webhook: WebhookId) {
        if let Some(lane) = self.registry().lanes.get(&webhook) {
            lane.changed(shared);
        }
    }

    /// All webhooks may have been changed.
    pub(super) fn all_changed(&self, shared: &Arc<Shared>) {
        self.registry().lanes.values().for_each(|lane| lane.changed(shared));
    }

    /// Puts workers to work, in all lanes.
    pub(super) fn advance(&self, shared: &Arc<Shared>) {
        self.registry().lanes.values().for_each(|lane| lane.advance(shared, &mut lane.state()));
    }

    /// See [`Lane::tick`]. Lanes that are not needed any more are forgotten.
    pub(super) fn tick(&self, shared: &Arc<Shared>, now: Moment, reload: bool) {
        let mut registry = self.registry();
        registry.lanes.retain(|_, lane| lane.tick(shared, now, reload));
        let burdens = registry.lanes.values().map(|lane| lane.burden());
        let (queued, running) = burdens.fold((0, 0), |(queued, running), lane| (queued + lane.0, running + lane.1));
        let metrics = &shared.app.metrics.lanes;
        metrics.lanes.count(registry.lanes.len());
        metrics.queued.count(queued);
        metrics.exchanges.count(running);
        registry.workspaces.retain(|_, count| Arc::strong_count(count) > 1);
    }

    /// See [`Lane::stop`].
    pub(super) fn stop(&self, shared: &Shared) {
        for lane in self.registry().lanes.values() {
            lane.stop(shared);
        }
    }
}
