//! A lane: the deliveries of one webhook that are in memory, and the workers that send them.
//!
//! Each webhook has its own, so that a receiver that hangs costs itself and nobody else. A [`worker`] takes the next delivery, sends
//! it over the connection that it keeps, hands the outcome to `finish`, and goes on until there is nothing left. How many work at
//! once follows from the receiver's [`conduct`], from the webhook's rate limit ([`pace`]), and from the places that there are for
//! exchanges ([`exchanges`](super::exchanges)).
//!
//! What always holds:
//! - A delivery in memory holds a place; when places are scarce, a lane keeps only what it can send in a few seconds, and gives
//!   the leases of the rest back to the database.
//! - Nothing is sent whose lease could end during the exchange: it is dropped, and the sweep finds it again.
//! - Nothing is sent while the database can't be reached: the leases can't be known to be ours for long.
//! - Nothing is sent to an inactive or deleted webhook but tests; leases are given back.
//! - Nobody holds the place of an exchange who only waits: for the time that a rate limit leaves between two requests, the lane
//!   sets itself an alarm.

mod conduct;
pub(super) mod pace;
mod worker;

use std::{
    collections::VecDeque,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bellwire_core::{
    delivery::Reason,
    id::{WebhookId, WorkspaceId},
    time::Timestamp,
};
use futures_util::FutureExt;
use tokio::sync::OwnedSemaphorePermit;

use self::{
    conduct::{Conduct, Ended},
    pace::Pace,
    worker::Worker,
};
use super::{Shared, send::Connection, target::Target};
use crate::{
    app::{Owed, ROOM},
    clock::Moment,
    db::{self, DbError},
};

/// What a lane that answers may hold when places are not scarce: claims fill it up to here.
const QUEUE: usize = 1_024;
/// A delivery whose lease ends sooner is not sent any more: an exchange lasts 15 s at the most, and its outcome must be written.
pub(super) const LEASE_MARGIN: Duration = Duration::from_secs(20);
/// How long an idle connection is kept, and a lane without work.
const IDLE: Duration = Duration::from_secs(30);
/// How long a webhook that answered counts as healthy without asking the database.
const HEALTHY: Duration = Duration::from_secs(30);
/// How long other nodes' changes of a webhook may be overlooked.
const KNOWN: Duration = Duration::from_secs(5);

pub(super) struct Lane {
    pub(super) webhook: WebhookId,
    pub(super) workspace: WorkspaceId,
    /// Microseconds of a [`Moment`].
    healthy_until: AtomicU64,
    state: Mutex<State>,
}

struct State {
    queue: VecDeque<Owed>,
    idle: Vec<Parked>,
    running: usize,
    /// Whether it waits in line for a place of an exchange.
    in_line: bool,
    /// Whether it has set itself an alarm for its next request.
    alarm: bool,
    conduct: Conduct,
    pace: Pace,
    target: Known,
    /// When it was read.
    known_at: Moment,
    /// Counts changes of the webhook, so that a read that began before one is not believed.
    changes: u64,
    loading: bool,
    /// There is more in the database than was fetched: it is asked for when no more than this is left.
    backlog: Option<usize>,
    /// Exchanges that ended in this second, and in the one before.
    ended: usize,
    recent: usize,
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

/// What a worker does next.
struct Job {
    owed: Owed,
    target: Arc<Target>,
    open: Option<Open>,
}

impl Lane {
    pub(super) fn new(shared: &Shared, workspace: WorkspaceId, webhook: WebhookId) -> Self {
        let state = State {
            queue: VecDeque::new(),
            idle: Vec::new(),
            running: 0,
            in_line: false,
            alarm: false,
            conduct: Conduct::new(shared.app.database_clock.now()),
            pace: Pace::new(shared.started),
            target: Known::Nothing,
            known_at: shared.app.clock.moment(),
            changes: 0,
            loading: false,
            backlog: None,
            ended: 0,
            recent: 0,
            used_at: shared.app.clock.moment(),
        };
        Self { webhook, workspace, healthy_until: AtomicU64::new(0), state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes deliveries in. `backlog`: there are more of them in the database.
    pub(super) fn push(self: &Arc<Self>, shared: &Arc<Shared>, owed: impl IntoIterator<Item = Owed>, backlog: bool) {
        let now = shared.app.database_clock.now();
        let mut state = self.state();
        let before = state.queue.len();
        state.queue.extend(owed);
        if shared.stopping() {
            return release_all(shared, &mut state, now);
        }
        if state.queue.range(before..).any(|owed| state.target.refuses(owed)) {
            // It was wanted in the transaction that leased it to us: what is known here is older. Given back, it would be claimed again at
            // once, and so on until somebody tells us.
            state.forget();
        }
        if backlog {
            state.backlog = Some(state.queue.len() / 2);
        }
        self.rest(shared, &mut state, now);
        self.trim(shared, &mut state);
        self.advance(shared, &mut state);
    }

    /// Puts workers to work. Returns whether there is a new one.
    fn advance(self: &Arc<Self>, shared: &Arc<Shared>, state: &mut State) -> bool {
        if state.queue.is_empty() || !shared.app.database_clock.is_confirmed() {
            return false;
        }
        // Other nodes may have changed it, and what they said of that got lost.
        let is_old = shared.app.db.is_shared() && shared.app.clock.moment().since(state.known_at) >= KNOWN;
        if matches!(state.target, Known::Nothing) || state.running == 0 && is_old {
            self.load(shared, state);
            return false;
        }
        let mut wanted = state.queue.len().min(state.conduct.width()).saturating_sub(state.running);
        if let Some(distance) = state.distance()
            && wanted > 0
        {
            wanted = wanted.min(state.pace.allows(distance, shared.app.clock.moment()));
            if wanted == 0 {
                self.set_alarm(shared, state, distance);
            }
        }
        (0..wanted).take_while(|_| self.hire(shared, state)).count() > 0
    }

    /// Puts one more to work. Without a place for another exchange, a lane in which nobody works stands in line for one.
    fn hire(self: &Arc<Self>, shared: &Arc<Shared>, state: &mut State) -> bool {
        let in_doubt = state.conduct.is_in_doubt();
        let take = || shared.exchanges.take(self.workspace, in_doubt);
        let place = take().or_else(|| {
            if state.running > 0 || std::mem::replace(&mut state.in_line, true) {
                return None;
            }
            shared.exchanges.wait(Arc::clone(self), in_doubt);
            take() // all places may have become free before it stood there
        });
        let Some(place) = place else { return false };
        state.running += 1;
        let (shared, lane) = (Arc::clone(shared), Arc::clone(self));
        // The worker is made inside its task: a runtime that is shutting down drops the task here, under the lock.
        tokio::spawn(async move { Worker::new(shared, lane, in_doubt, place).work().await });
        true
    }

    /// Puts workers to work who were kept from it.
    pub(super) fn go_on(self: &Arc<Self>, shared: &Arc<Shared>) {
        self.advance(shared, &mut self.state());
    }

    /// Its turn in the line has come. Returns whether it has taken a place.
    pub(super) fn called(self: &Arc<Self>, shared: &Arc<Shared>) -> bool {
        let mut state = self.state();
        state.in_line = false;
        self.advance(shared, &mut state)
    }

    /// Puts workers to work when the rate limit allows the next request.
    fn set_alarm(self: &Arc<Self>, shared: &Arc<Shared>, state: &mut State, distance: Duration) {
        if std::mem::replace(&mut state.alarm, true) {
            return;
        }
        let at = state.pace.next(distance);
        let (shared, lane) = (Arc::clone(shared), Arc::clone(self));
        tokio::spawn(async move {
            let stopped = tokio::select! {
                biased;
                () = shared.stopped() => true,
                () = shared.app.clock.sleep_until(at) => false,
            };
            let mut state = lane.state();
            state.alarm = false;
            if !stopped {
                lane.advance(&shared, &mut state);
            }
        });
    }

    /// While the receiver is left alone, gives back what would be sent to it by itself.
    fn rest(&self, shared: &Shared, state: &mut State, now: Timestamp) {
        let Some(until) = state.conduct.rest(now) else { return };
        for owed in std::mem::take(&mut state.queue) {
            if owed.reason == Reason::Automatic {
                shared.release(owed, until);
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
        state.backlog = Some(capacity / 2);
    }

    /// Deliveries that this lane would take in from the database: at least one when it has nothing to do. When it is full it asks again
    /// by itself, as soon as it has sent half of what waits.
    pub(super) fn room(&self, shared: &Shared) -> usize {
        let mut state = self.state();
        let now = shared.app.database_clock.now();
        if let Some(until) = state.conduct.rest(now) {
            shared.agenda.note(self.workspace, self.webhook, until);
            return 0;
        }
        let width = state.conduct.width();
        let wish = if width < conduct::MAX_WIDTH / 4 { width * 2 } else { QUEUE };
        let room = wish.min(state.capacity(shared)).saturating_sub(state.queue.len());
        if room == 0 && state.backlog.is_none() {
            state.backlog = Some(state.queue.len() / 2);
        }
        room
    }

    /// The webhook was changed: what is known about it is old.
    pub(super) fn changed(self: &Arc<Self>, shared: &Arc<Shared>) {
        let mut state = self.state();
        state.forget();
        self.unsure();
        self.advance(shared, &mut state);
    }

    /// Reads the webhook, again if it is changed meanwhile. What was known stays in use until then.
    fn load(self: &Arc<Self>, shared: &Arc<Shared>, state: &mut State) {
        if std::mem::replace(&mut state.loading, true) {
            return;
        }
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
                    Err(error) => {
                        error.log();
                        state.loading = false; // the next tick tries again
                        return;
                    }
                }
                state.loading = false;
                lane.advance(&shared, &mut state);
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
        state.conduct.is_said_to_be(target.as_ref().is_some_and(|target| target.healthy));
        state.target = target.map_or(Known::Deleted, Known::Is);
    }

    /// What a worker does next; `None` when it is not needed any more. `in_doubt` is what it counts as.
    fn next(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        in_doubt: bool,
        ended: Option<Ended>,
        mut open: Option<Open>,
    ) -> Option<Job> {
        let (moment, now) = (shared.app.clock.moment(), shared.app.database_clock.now());
        let mut state = self.state();
        if let Some(ended) = ended {
            state.ended += 1;
            state.conduct.note(ended, now);
        }
        self.rest(shared, &mut state, now);
        // Whoever has had a turn lets the others have theirs; and a place among those in doubt is for those in doubt.
        let steps_back =
            ended.is_some() && (in_doubt != state.conduct.is_in_doubt() || shared.exchanges.are_wanted(in_doubt));
        let goes_on = !steps_back && shared.app.database_clock.is_confirmed();
        while goes_on && state.running <= state.conduct.width() {
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
                shared.agenda.note(self.workspace, self.webhook, owed.leased_until);
                continue;
            }
            if let Some(distance) = target.distance {
                if state.pace.allows(distance, moment) == 0 {
                    state.queue.push_front(owed);
                    self.set_alarm(shared, &mut state, distance);
                    break;
                }
                state.pace.take(distance, moment);
            }
            state.refill(self, shared, now);
            let open = open.take().or_else(|| state.idle.pop().map(|parked| parked.open));
            let open = open.filter(|open| open.target.url == target.url);
            if state.running < state.conduct.width() {
                // One brings the next, as long as there is work.
                self.advance(shared, &mut state);
            }
            return Some(Job { owed, target, open });
        }
        state.refill(self, shared, now);
        state.running -= 1;
        state.used_at = moment;
        if let Some(open) = open
            && state.idle.len() < conduct::MAX_WIDTH
            && let Ok(place) = Arc::clone(&shared.idle).try_acquire_owned()
        {
            state.idle.push(Parked { open, since: moment, _place: place });
        }
        None
    }

    /// A worker has ended, and its place is free. When it has stepped back there is still work.
    fn left(self: &Arc<Self>, shared: &Arc<Shared>) {
        let mut state = self.state();
        if state.running == 0 && !matches!(state.target, Known::Nothing) {
            self.advance(shared, &mut state);
        }
    }

    /// A worker panicked or was cut off: what it held is found again when the lease ends.
    fn lost(&self) {
        self.state().running -= 1;
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
    pub(super) fn burden(&self) -> (usize, usize) {
        let state = self.state();
        (state.queue.len(), state.running)
    }

    /// Gives everything back that is not under way.
    pub(super) fn stop(&self, shared: &Shared) {
        release_all(shared, &mut self.state(), shared.app.database_clock.now());
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

fn release_all(shared: &Shared, state: &mut State, now: Timestamp) {
    state.queue.drain(..).for_each(|owed| shared.release(owed, now));
}

impl Known {
    /// Whether, as far as is known, this is not to be sent.
    fn refuses(&self, owed: &Owed) -> bool {
        match self {
            Self::Nothing => false,
            Self::Deleted => true,
            Self::Is(target) => !target.wants(owed),
        }
    }
}

impl State {
    /// What is known of the webhook is old, and so is what is being read.
    fn forget(&mut self) {
        self.target = Known::Nothing;
        self.changes += 1;
    }

    /// With a rate limit: the distance between two requests.
    fn distance(&self) -> Option<Duration> {
        if let Known::Is(target) = &self.target { target.distance } else { None }
    }

    /// Deliveries that may wait here. Places are everybody's: when they are scarce, what can be sent in some seconds.
    fn capacity(&self, shared: &Shared) -> usize {
        let paced = self.distance().map(|distance| LEASE_MARGIN.as_nanos() / distance.as_nanos().max(1));
        let paced = paced.map_or(ROOM, |requests| usize::try_from(requests).unwrap_or(ROOM).clamp(1, ROOM));
        if !shared.app.wake.places.are_scarce() {
            return paced;
        }
        let spare = self.conduct.width().saturating_sub(self.running);
        paced.min((4 * self.recent.max(self.ended)).max(spare))
    }

    /// Asks for more when there is more and half of it was sent.
    fn refill(&mut self, lane: &Lane, shared: &Shared, now: Timestamp) {
        if self.backlog.take_if(|left| self.queue.len() <= *left).is_some() {
            shared.agenda.note(lane.workspace, lane.webhook, self.conduct.rest(now).unwrap_or(now));
        }
    }
}
