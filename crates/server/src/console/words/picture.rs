//! The picture of a webhook's last 24 hours, from what the database knows of them.

use std::time::Duration;

use bellwire_core::{delivery::State, time::Timestamp};

use crate::{
    console::{
        reply::moment,
        view::health::{Health, Hour},
    },
    db::recent::{Recent, STEP},
};

/// Steps of the picture: hours.
const HOURS: usize = 24;
const SPAN: Duration = STEP.saturating_mul(24);

/// Since when deliveries are in the picture that ends at `now`.
pub(in crate::console) fn picture_since(now: Timestamp) -> Timestamp {
    now.saturating_sub(SPAN)
}

/// The picture of the last 24 hours. Deliveries stand in the hour in which their event happened, latencies in that of the attempt.
pub(in crate::console) fn health(recent: &Recent, now: Timestamp) -> Health {
    let since = picture_since(now);
    let mut hours: Vec<(Hour, Vec<i64>)> = vec![Default::default(); HOURS];
    for outcome in &recent.outcomes {
        // What was made while the page was: the very end of the last hour.
        let (hour, _) = &mut hours[outcome.step.min(HOURS - 1)];
        match outcome.state {
            State::Delivered => hour.delivered += outcome.count,
            State::Failed => hour.failed += outcome.count,
            State::Pending | State::Held => hour.waiting += outcome.count,
            State::Cancelled => {}
        }
    }
    for attempt in recent.attempts.iter().filter(|attempt| attempt.started_at >= since) {
        let number = attempt.started_at.since(since).as_secs() / STEP.as_secs();
        hours[usize::try_from(number).unwrap_or(HOURS).min(HOURS - 1)].1.push(attempt.duration);
    }
    let mut all: Vec<i64> = hours.iter().flat_map(|(_, durations)| durations.iter().copied()).collect();
    let mut from = since;
    let hours = hours.into_iter().map(|(hour, mut durations)| {
        let (p50_ms, p95_ms) = (percentile(&mut durations, 50), percentile(&mut durations, 95));
        let hour = Hour { from: moment(from), p50_ms, p95_ms, ..hour };
        from = from.saturating_add(STEP);
        hour
    });
    Health {
        hours: hours.collect(),
        p50_ms: percentile(&mut all, 50),
        p95_ms: percentile(&mut all, 95),
        newest_only: recent.cut.then_some(crate::db::recent::LIMIT),
    }
}

/// The value that `percent` of 100 are not above (nearest rank), in milliseconds.
fn percentile(micros: &mut [i64], percent: usize) -> Option<u32> {
    let rank = (micros.len() * percent).div_ceil(100).checked_sub(1)?;
    let (_, value, _) = micros.select_nth_unstable(rank);
    let whole = (value.saturating_add(500) / 1000).clamp(1, i64::from(u32::MAX));
    u32::try_from(whole).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::recent::{Outcome, RecentAttempt};

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn the_picture_has_24_hours_with_every_delivery_and_every_attempt_once() {
        let now = at("2026-11-23T09:30:00Z");
        let attempt = |text, duration| RecentAttempt { started_at: at(text), duration, succeeded: true };
        let attempts = vec![
            attempt("2026-11-22T09:29:59Z", 1_000), // too old
            attempt("2026-11-22T09:30:00Z", 2_000),
            attempt("2026-11-23T09:29:00Z", 10_000),
            attempt("2026-11-23T09:30:00Z", 30_400), // at the very end: still the last hour
        ];
        let outcome = |step, state, count| Outcome { step, state, count };
        let outcomes = vec![
            outcome(0, State::Delivered, 7),
            outcome(23, State::Failed, 2),
            outcome(23, State::Held, 3),
            outcome(24, State::Pending, 1),
            outcome(5, State::Cancelled, 9),
        ];
        let shown = health(&Recent { outcomes, attempts, cut: false }, now);
        assert_eq!(shown.hours.len(), 24);
        assert_eq!((shown.delivered(), shown.failed(), shown.waiting()), (7, 2, 4));
        assert_eq!((shown.hours[0].delivered, shown.hours[0].p50_ms), (7, Some(2)));
        assert_eq!((shown.hours[23].failed, shown.hours[23].p50_ms, shown.hours[23].p95_ms), (2, Some(10), Some(30)));
        assert_eq!((shown.p50_ms, shown.newest_only), (Some(10), None));
        assert_eq!(shown.hours[1].p95_ms, None);
    }

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let mut micros: Vec<i64> = (1..=100).map(|ms| ms * 1_000).collect();
        micros.reverse();
        assert_eq!(percentile(&mut micros, 50), Some(50));
        assert_eq!(percentile(&mut micros, 95), Some(95));
        assert_eq!(percentile(&mut [], 50), None);
        assert_eq!(percentile(&mut [10], 95), Some(1), "nothing takes no time");
    }
}
