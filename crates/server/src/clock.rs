//! The clock and the source of randomness that everything asks: real in production, moved by hand and seeded in tests.
//!
//! There are two kinds of time. What is written down, shown and signed is the time of day ([`Clock::now`]), which somebody may
//! set, forward or back. Whatever waits or measures asks [`Clock::moment`], which only goes on. So a clock that is set by a day
//! neither wakes everybody up nor puts anybody to sleep for that day.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bellwire_core::{
    id::{Id, IdEntropy, Kind, Succession},
    time::Timestamp,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::sync::oneshot;

/// What time it is.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's.
    System,
    /// One that stands still until a test moves it.
    Fake(Arc<FakeClock>),
}

/// A moment of this process: it can be compared with others of the same process, and means nothing elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// `by` later.
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by))
    }

    /// For keeping it in an atomic number.
    pub fn as_micros(self) -> u64 {
        u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX)
    }

    /// How long ago `earlier` was; zero when it is still to come.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Clock {
    /// A clock that shows `start` until it is moved.
    pub fn fake(start: Timestamp) -> Self {
        let state = FakeState { now: start, moment: Moment::default(), sleepers: BTreeMap::new(), count: 0 };
        Self::Fake(Arc::new(FakeClock(Mutex::new(state))))
    }

    /// The time of day, which may be set forward and back.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
                let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
                Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
            }
            Self::Fake(fake) => fake.state().now,
        }
    }

    /// The moment that it is: goes on evenly, whatever is done to the time of day.
    pub fn moment(&self) -> Moment {
        match self {
            #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
            Self::System => {
                static START: LazyLock<Instant> = LazyLock::new(Instant::now);
                Moment(START.elapsed())
            }
            Self::Fake(fake) => fake.state().moment,
        }
    }

    /// Waits until `moment` has come.
    pub async fn sleep_until(&self, moment: Moment) {
        match self {
            Self::System => tokio::time::sleep(moment.since(self.moment())).await,
            Self::Fake(fake) => fake.sleep_until(moment).await,
        }
    }

    /// Rests until then, to let work gather. A clock that is moved by hand doesn't go on meanwhile, so with one nobody rests.
    pub async fn rest_until(&self, moment: Moment) {
        if matches!(self, Self::System) {
            self.sleep_until(moment).await;
        }
    }

    /// Waits that long.
    pub async fn sleep(&self, duration: Duration) {
        self.sleep_until(self.moment().plus(duration)).await;
    }

    /// Lets time pass on a fake clock; a system clock goes on by itself.
    pub fn advance(&self, by: Duration) {
        if let Self::Fake(fake) = self {
            fake.advance(by);
        }
    }

    /// Sets the time of day of a fake clock, as an operator may set the machine's: no time passes.
    pub fn set(&self, now: Timestamp) {
        if let Self::Fake(fake) = self {
            fake.state().now = now;
        }
    }
}

/// A clock that tests move. It wakes sleepers in the order of their times.
#[derive(Debug)]
pub struct FakeClock(Mutex<FakeState>);

#[derive(Debug)]
struct FakeState {
    now: Timestamp,
    moment: Moment,
    sleepers: BTreeMap<(Moment, u64), oneshot::Sender<()>>,
    count: u64,
}

impl FakeClock {
    fn state(&self) -> MutexGuard<'_, FakeState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn sleep_until(&self, moment: Moment) {
        let woken = {
            let mut state = self.state();
            if state.moment >= moment {
                return;
            }
            let (wake, woken) = oneshot::channel();
            state.count += 1;
            let key = (moment, state.count);
            state.sleepers.insert(key, wake);
            woken
        };
        // Fails only when the clock is gone, which `self` borrows.
        let _ = woken.await;
    }

    fn advance(&self, by: Duration) {
        let mut state = self.state();
        state.now = state.now.saturating_add(by);
        state.moment = state.moment.plus(by);
        let moment = state.moment;
        let later = state.sleepers.split_off(&(moment, u64::MAX));
        let due = std::mem::replace(&mut state.sleepers, later);
        drop(state);
        for wake in due.into_values() {
            let _ = wake.send(()); // whoever slept may have gone away
        }
    }
}

/// The time by which `due_at` is judged, the same for everybody who shares the database: what is due, and whose lease has run
/// out.
///
/// On PostgreSQL it is the server's clock, measured from time to time; in between it goes on with [`Clock::moment`]. A SQLite
/// file belongs to one process: there it is that process's clock as it was at the start, and goes on in the same way.
#[derive(Debug)]
pub struct DatabaseClock {
    clock: Clock,
    /// Microseconds since the epoch at the moment zero.
    start: AtomicI64,
    /// Microseconds of the moment at which the server was last asked with success; 0: never yet.
    confirmed: AtomicU64,
}

impl DatabaseClock {
    /// Half of it is how wrong a measure may be: far less than a lease leaves unused.
    const BELIEVED: Duration = Duration::from_secs(5);
    /// How long it counts that the server answered: it is asked once a second, and a lease lasts a minute.
    const CONFIRMED: Duration = Duration::from_secs(10);

    /// Shows what `clock` shows, until it is measured.
    pub fn new(clock: &Clock) -> Self {
        let start = clock.now().saturating_sub(clock.moment().0);
        Self { clock: clock.clone(), start: AtomicI64::new(start.as_micros()), confirmed: AtomicU64::new(0) }
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.start.load(Relaxed)).saturating_add(self.clock.moment().0)
    }

    /// How long it is until `time`; zero when it has come.
    pub fn until(&self, time: Timestamp) -> Duration {
        time.since(self.now())
    }

    /// The server was asked at `asked`, and has just answered that it is `time` there. What took so long that it says little
    /// is not believed.
    pub fn measured(&self, asked: Moment, time: Timestamp) {
        let took = self.clock.moment().since(asked);
        if took > Self::BELIEVED {
            return;
        }
        let middle = asked.0 + took / 2;
        self.start.store(time.saturating_sub(middle).as_micros(), Relaxed);
    }

    /// The server has answered somebody who asked at `asked`: then this process could still reach it.
    pub fn confirm(&self, asked: Moment) {
        self.confirmed.fetch_max(asked.as_micros().max(1), Relaxed);
    }

    /// Whether the server answered a short while ago. A process that can't reach it may neither keep its leases nor write down
    /// what it does, so it had better begin nothing. Where there is no server this is always so.
    pub fn is_confirmed(&self) -> bool {
        self.clock.moment() < self.confirmed_until()
    }

    /// Until when [`DatabaseClock::is_confirmed`], if the server does not answer again.
    pub fn confirmed_until(&self) -> Moment {
        match self.confirmed.load(Relaxed) {
            0 => Moment(Duration::MAX),
            at => Moment(Duration::from_micros(at)).plus(Self::CONFIRMED),
        }
    }
}

/// A seeded source of random bytes and ids, shared by all tasks.
#[derive(Clone, Debug)]
pub struct Randomness(Arc<Mutex<Source>>);

#[derive(Debug)]
struct Source {
    bytes: StdRng,
    ids: Succession,
}

impl Randomness {
    /// Seeded by the operating system.
    pub fn from_system() -> Self {
        Self::new(rand::make_rng())
    }

    /// The same seed gives the same run.
    pub fn seeded(seed: u64) -> Self {
        Self::new(StdRng::seed_from_u64(seed))
    }

    fn new(bytes: StdRng) -> Self {
        Self(Arc::new(Mutex::new(Source { bytes, ids: Succession::default() })))
    }

    fn source(&self) -> MutexGuard<'_, Source> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.source().bytes.fill_bytes(&mut bytes);
        bytes
    }

    /// A number from 0 up to, but not including, 1.
    pub fn fraction(&self) -> f64 {
        f64::from(u32::from_le_bytes(self.bytes())) / (f64::from(u32::MAX) + 1.0)
    }

    /// A new identifier, made at `now`: above all that were made before.
    pub fn id<K: Kind>(&self, now: Timestamp) -> Id<K> {
        let mut source = self.source();
        let mut entropy = IdEntropy::default();
        source.bytes.fill_bytes(&mut entropy);
        source.ids.next(now, entropy)
    }
}
