//! Numbers about what the program does, for whoever watches it.
//!
//! Each is an atomic number, reached by its field: where something is counted, nothing is named, looked up or allocated, so the
//! hot path pays an addition, and mostly one for a whole batch. Names, units and explanations are in one place, the page that
//! reads all of them when somebody asks (`GET /metrics`). ([ADR 27](../../../docs/adr/0027-metrics-are-plain-atomics.md))

mod process;
mod text;

use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

pub use process::Process;
pub use text::Text;

/// Everything that is counted, of the whole process since its start.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Events that are on disk.
    pub events: Counter,
    /// Deliveries that were delivered.
    pub delivered: Counter,
    /// Deliveries that have failed for good, by the cause of the last attempt.
    pub failed: ByOutcome,
    /// Deliveries that are tried again later, by the cause.
    pub retried: ByOutcome,
    /// Attempts that were written down.
    pub attempts: ByOutcome,
    /// Webhooks that were turned off, not by a person.
    pub turned_off: Counter,
    /// From the event until its first attempt begins.
    pub waits: Seconds,
    /// How long attempts take: what the receiver and the way to it cost.
    pub exchanges: Seconds,
    /// Outcomes that share a transaction.
    pub outcome_groups: Sizes,
    /// Requests that share a commit (publishes, reports of use).
    pub request_groups: Sizes,
    /// What is in memory and under way, as of the last second.
    pub lanes: Lanes,
    /// What the last walk through all that is pending has found.
    pub walk: Walk,
    /// Requests.
    pub requests: Requests,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds.
    pub fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Relaxed);
    }

    /// What it is now.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Says what it is.
    pub fn set(&self, value: i64) {
        self.0.store(value, Relaxed);
    }

    /// Says how many there are.
    pub fn count(&self, count: usize) {
        self.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Changes it.
    pub fn add(&self, change: i64) {
        self.0.fetch_add(change, Relaxed);
    }

    /// What it is now.
    pub fn get(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

/// The bounds of a [`Histogram`]: no more than 16.
type Bounds = &'static [u64];
/// In microseconds.
const SECONDS: Bounds = &[
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000, 15_000_000, 60_000_000,
];
const SIZES: Bounds = &[1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000];

/// How often something was how large.
#[derive(Debug)]
pub struct Histogram {
    bounds: Bounds,
    /// How many fell between a bound and the one before it.
    buckets: [AtomicU64; 16],
    count: AtomicU64,
    sum: AtomicU64,
}

impl Histogram {
    fn new(bounds: Bounds) -> Self {
        Self { bounds, buckets: Default::default(), count: AtomicU64::new(0), sum: AtomicU64::new(0) }
    }

    fn note(&self, value: u64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        // What is larger than all bounds is in the count only.
        if let Some(bucket) = self.buckets.get(place) {
            bucket.fetch_add(1, Relaxed);
        }
        self.sum.fetch_add(value, Relaxed);
        self.count.fetch_add(1, Relaxed);
    }

    /// For each bound, how many were not larger; then how many there are, and their sum. What is counted meanwhile may be in
    /// one and not yet in the other, but no bound ever has more than the next.
    fn read(&self) -> (Vec<(u64, u64)>, u64, u64) {
        let mut up_to = 0;
        let bounds = self.bounds.iter().zip(&self.buckets).map(|(bound, bucket)| {
            up_to += bucket.load(Relaxed);
            (*bound, up_to)
        });
        let bounds: Vec<_> = bounds.collect();
        (bounds, self.count.load(Relaxed).max(up_to), self.sum.load(Relaxed))
    }
}

/// A histogram of durations.
#[derive(Debug)]
pub struct Seconds(Histogram);

impl Seconds {
    /// Counts one.
    pub fn note(&self, duration: Duration) {
        self.0.note(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }
}

impl Default for Seconds {
    fn default() -> Self {
        Self(Histogram::new(SECONDS))
    }
}

/// A histogram of numbers of things.
#[derive(Debug)]
pub struct Sizes(Histogram);

impl Sizes {
    /// Counts one.
    pub fn note(&self, size: usize) {
        self.0.note(size as u64);
    }
}

impl Default for Sizes {
    fn default() -> Self {
        Self(Histogram::new(SIZES))
    }
}

/// What an attempt may end with: the class of the status, or the code of an error.
const OUTCOMES: [&str; 16] = [
    "1xx",
    "2xx",
    "3xx",
    "4xx",
    "5xx",
    "other", // a status or an error that is none of these
    "timeout",
    "connect_timeout",
    "connection_refused",
    "connection_reset",
    "unreachable",
    "dns_failed",
    "address_forbidden",
    "tls_failed",
    "protocol_error",
    "closed_early",
];
const OTHER: usize = 5;

/// How an attempt has ended, as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome(usize);

impl Outcome {
    /// An answer with this status.
    pub fn status(status: u16) -> Self {
        let class = usize::from(status / 100);
        Self(if (1..=5).contains(&class) { class - 1 } else { OTHER })
    }

    /// No whole answer; with the code of the error.
    pub fn error(code: &str) -> Self {
        Self(OUTCOMES.iter().position(|known| *known == code).unwrap_or(OTHER))
    }
}

/// A counter for each way in which attempts end.
#[derive(Debug, Default)]
pub struct ByOutcome([Counter; OUTCOMES.len()]);

impl ByOutcome {
    /// Counts one.
    pub fn note(&self, outcome: Outcome) {
        self.0[outcome.0].add(1);
    }

    /// Each with its name; also what never was, so that the first one is seen as a change.
    pub fn read(&self) -> impl Iterator<Item = (&'static str, u64)> {
        OUTCOMES.iter().zip(&self.0).map(|(name, counter)| (*name, counter.get()))
    }
}

/// What is in memory and under way.
#[derive(Debug, Default)]
pub struct Lanes {
    /// Webhooks with a lane.
    pub lanes: Gauge,
    /// Deliveries that wait in them.
    pub queued: Gauge,
    /// Exchanges that are under way.
    pub exchanges: Gauge,
}

/// What a walk through all that is pending has found.
#[derive(Debug, Default)]
pub struct Walk {
    /// Active webhooks with something pending.
    pub active: Gauge,
    /// Inactive webhooks for which something is held.
    pub inactive: Gauge,
    /// For how many microseconds the longest due delivery of an active webhook has been due and not taken.
    pub oldest_due: Gauge,
}

/// Which part of the program a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `/api`
    Api,
    /// `/healthz`, `/readyz`, `/metrics`
    Machines,
    /// Everything else.
    Console,
}

impl Part {
    const ALL: [Self; 3] = [Self::Api, Self::Machines, Self::Console];

    /// By the path.
    pub fn of(path: &str) -> Self {
        match path {
            "/healthz" | "/readyz" | "/metrics" => Self::Machines,
            _ if path.starts_with("/api/") => Self::Api,
            _ => Self::Console,
        }
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Machines => "machines",
            Self::Console => "console",
        }
    }
}

/// Requests that were answered.
#[derive(Debug, Default)]
pub struct Requests([OfPart; 3]);

#[derive(Debug, Default)]
struct OfPart {
    /// By the first digit of the status.
    classes: [Counter; 5],
    duration: Seconds,
}

impl Requests {
    /// Counts one: its status, and how long it took until the answer began.
    pub fn note(&self, part: Part, status: u16, duration: Duration) {
        let OfPart { classes, duration: durations } = &self.0[part as usize];
        if let Some(class) = classes.get(usize::from(status / 100).saturating_sub(1)) {
            class.add(1);
        }
        durations.note(duration);
    }

    /// How many of a part had a status of the class: `2xx`.
    pub fn read(&self) -> impl Iterator<Item = (Part, String, u64)> {
        let classes = |part: Part| {
            let counts = self.0[part as usize].classes.iter().enumerate();
            counts.map(move |(index, counter)| (part, format!("{}xx", index + 1), counter.get()))
        };
        Part::ALL.into_iter().flat_map(classes)
    }

    /// How long those of each part took.
    pub fn durations(&self) -> [(Part, &Seconds); 3] {
        Part::ALL.map(|part| (part, &self.0[part as usize].duration))
    }
}

/// What a database has committed.
#[derive(Debug, Default)]
pub struct Commits {
    /// Transactions that shared a commit.
    pub sizes: Sizes,
    /// How long the commits took: the disk, mostly.
    pub durations: Seconds,
    /// Commits that failed.
    pub failed: Counter,
    /// Transactions that wait for the one writer, or are with it.
    pub waiting: Gauge,
}

impl Commits {
    /// A commit begins.
    pub fn begin(&self) -> Instant {
        #[expect(clippy::disallowed_methods, reason = "measures the disk; nothing is decided by it")]
        Instant::now()
    }

    /// It has ended, with so many transactions.
    pub fn end(&self, begun: Instant, transactions: usize, ok: bool) {
        if !ok {
            self.failed.add(1);
            return;
        }
        #[expect(clippy::disallowed_methods, reason = "measures the disk; nothing is decided by it")]
        self.durations.note(begun.elapsed());
        self.sizes.note(transactions);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_the_bucket_of_its_bound() {
        let sizes = Sizes::default();
        for size in [0, 1, 2, 3, 1_000, 1_001] {
            sizes.note(size);
        }
        let (bounds, count, sum) = sizes.0.read();
        assert_eq!((count, sum), (6, 2_007));
        assert_eq!(bounds[..3], [(1, 2), (2, 3), (5, 4)]);
        assert_eq!(bounds.last(), Some(&(1_000, 5)));
        assert!(SECONDS.len() <= 16 && SECONDS.is_sorted() && SIZES.len() <= 16 && SIZES.is_sorted());
    }

    #[test]
    fn outcomes_have_names() {
        let counters = ByOutcome::default();
        for outcome in [Outcome::status(204), Outcome::status(503), Outcome::status(999), Outcome::error("timeout")] {
            counters.note(outcome);
        }
        counters.note(Outcome::error("what is not known here"));
        let found: Vec<_> = counters.read().filter(|(_, count)| *count > 0).collect();
        assert_eq!(found, [("2xx", 1), ("5xx", 1), ("other", 2), ("timeout", 1)]);
        assert_eq!(counters.read().count(), OUTCOMES.len());
    }

    #[test]
    fn requests_are_counted_by_part() {
        assert_eq!(
            ["/api/v1/x", "/metrics", "/webhooks", "/apiary"].map(Part::of),
            [Part::Api, Part::Machines, Part::Console, Part::Console]
        );
        let requests = Requests::default();
        requests.note(Part::Api, 204, Duration::from_millis(1));
        requests.note(Part::Console, 303, Duration::from_millis(1));
        let read = requests.read().filter(|(.., count)| *count > 0);
        let read: Vec<_> = read.map(|(part, class, count)| (part.as_str(), class, count)).collect();
        assert_eq!(read, [("api", "2xx".to_owned(), 1), ("console", "3xx".to_owned(), 1)]);
    }
}
