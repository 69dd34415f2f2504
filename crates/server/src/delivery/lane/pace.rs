//! A webhook's rate limit: so many requests in any second and no more, at even distances.
//!
//! Distances that are shorter than timers are exact may be caught up with, and are longer by as much, so that the limit holds in every
//! second all the same. Nodes share the limit out among those that live.

use std::time::Duration;

use crate::clock::Moment;

/// How far requests at shorter distances than this may be late without the next ones being late too.
const LATE: Duration = Duration::from_millis(10);

/// When the next request may be made.
pub(super) struct Pace {
    /// By itself, not before.
    next: Option<Moment>,
    /// Since when this process sends: the one before it may have sent just then.
    since: Moment,
}

/// The distance between two requests of a webhook that wants `rate` in a second at the most.
pub(in crate::delivery) fn distance(rate: u32) -> Duration {
    let even = Duration::from_secs(1) / rate.max(1);
    if even < LATE { (Duration::from_secs(1) + LATE) / rate.max(1) } else { even }
}

fn caught_up(distance: Duration, late: Duration) -> Duration {
    if distance < LATE { late.min(LATE) } else { Duration::ZERO }
}

impl Pace {
    pub(super) fn new(since: Moment) -> Self {
        Self { next: None, since }
    }

    /// When the next request may be made.
    pub(super) fn next(&self, distance: Duration) -> Moment {
        self.next.unwrap_or_else(|| self.since.plus(distance))
    }

    /// How many may be made now.
    pub(super) fn allows(&self, distance: Duration, now: Moment) -> usize {
        let next = self.next(distance);
        if now < next {
            return 0;
        }
        let late = caught_up(distance, now.since(next));
        1 + usize::try_from(late.as_nanos() / distance.as_nanos().max(1)).unwrap_or(usize::MAX)
    }

    /// One is made now.
    pub(super) fn take(&mut self, distance: Duration, now: Moment) {
        let next = self.next(distance);
        let late = now.since(next);
        self.next = Some(next.plus(late - caught_up(distance, late)).plus(distance));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Moment {
        Moment::default().plus(Duration::from_micros(micros))
    }

    /// Requests as early as they are allowed when somebody looks at these times.
    fn requests(rate: u32, looks: impl Iterator<Item = u64>) -> Vec<u64> {
        let (mut pace, distance, mut made) = (Pace::new(Moment::default()), distance(rate), Vec::new());
        for look in looks {
            for _ in 0..pace.allows(distance, at(look)) {
                pace.take(distance, at(look));
                made.push(look);
            }
        }
        made
    }

    fn most_in_a_second(made: &[u64]) -> usize {
        let end = |first: &u64| made.partition_point(|time| *time < first + 1_000_000);
        made.iter().enumerate().map(|(index, first)| end(first) - index).max().unwrap_or(0)
    }

    #[test]
    fn in_no_second_are_there_more_and_almost_as_many_when_somebody_looks_each_millisecond() {
        for rate in [1, 2, 7, 100, 999, 5_000, 10_000] {
            let made = requests(rate, (0..5_000).map(|ms| 1_000 * ms));
            let rate = rate as usize;
            assert!(most_in_a_second(&made) <= rate, "{rate}: {}", most_in_a_second(&made));
            assert!(made.len() >= 5 * rate * 98 / 100 - 1, "{rate}: {}", made.len());
        }
    }

    #[test]
    fn nobody_catches_up_for_a_long_silence() {
        for rate in [10, 1_000] {
            let made = requests(rate, (0..1_000).chain(60_000..62_000).map(|ms| 1_000 * ms));
            assert!(most_in_a_second(&made) <= rate as usize);
        }
    }

    #[test]
    fn a_process_waits_before_its_first_request_as_after_any_other() {
        let since = at(500);
        let pace = Pace::new(since);
        let distance = distance(2);
        assert_eq!((pace.allows(distance, since), pace.next(distance)), (0, since.plus(distance)));
        assert_eq!(pace.allows(distance, since.plus(Duration::from_secs(3600))), 1);
    }
}
