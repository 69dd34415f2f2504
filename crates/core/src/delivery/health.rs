//! Whether a webhook works, told from the attempts made for it.
//!
//! A webhook is failing from the first failure after its last success on. When that has lasted for as long as the policy
//! says, and nothing has succeeded in between, it is turned off. Failures of tests don't count, for somebody who is
//! putting a webhook right sends many; a test that succeeds does.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Outcome, Reason, UnknownWord};
use crate::time::Timestamp;

/// Whether a webhook works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Nothing that counts has been sent yet.
    Unknown,
    /// The last attempt that counts succeeded.
    Ok,
    /// Everything since some moment has failed.
    Failing,
}

impl Health {
    /// Every health.
    pub const ALL: [Health; 3] = [Health::Unknown, Health::Ok, Health::Failing];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Health::Unknown => "unknown",
            Health::Ok => "ok",
            Health::Failing => "failing",
        }
    }
}

impl FromStr for Health {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Health, UnknownWord> {
        let health = Health::ALL.into_iter().find(|health| health.as_str() == word);
        health.ok_or_else(|| UnknownWord { word: word.to_owned(), list: "a health of a webhook" })
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an attempt changes about its webhook's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthChange {
    /// Nothing: it fails as before, or a test failed.
    Unchanged,
    /// It works: health is `ok`, and `failing_since` is cleared where it was set.
    Ok,
    /// It begins to fail: health is `failing`, and `failing_since` is this time.
    StartedFailing {
        /// The time of the attempt.
        since: Timestamp,
    },
    /// It has failed for too long: it is turned off with the reason `failing`.
    TurnOff {
        /// The first failure: part of the evidence.
        since: Timestamp,
    },
}

/// Decides what an attempt that ended at `now` changes about its webhook's health. `failing_since` is the first failure
/// after the last success, if any; `deactivate_after` comes from the policy.
pub fn health_after(
    failing_since: Option<Timestamp>,
    outcome: &Outcome,
    reason: Reason,
    now: Timestamp,
    deactivate_after: Duration,
) -> HealthChange {
    if outcome.is_success() {
        return HealthChange::Ok;
    }
    if reason == Reason::Test {
        return HealthChange::Unchanged;
    }
    let since = failing_since.unwrap_or(now);
    if now.since(since) >= deactivate_after {
        HealthChange::TurnOff { since }
    } else if failing_since.is_none() {
        HealthChange::StartedFailing { since }
    } else {
        HealthChange::Unchanged
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::SendError;
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn day(n: u32) -> Timestamp {
        Timestamp::from_micros(0).saturating_add(DAY * n)
    }

    fn answer(status: u16) -> Outcome {
        Outcome::Answered { status, retry_after: None }
    }

    #[test]
    fn the_first_failure_starts_the_clock_and_the_fifth_day_turns_it_off() {
        let after = |since, now| health_after(since, &answer(500), Reason::Automatic, now, DAY * 5);
        assert_eq!(after(None, day(1)), HealthChange::StartedFailing { since: day(1) });
        assert_eq!(after(Some(day(1)), day(2)), HealthChange::Unchanged);
        let nearly = Timestamp::from_micros(day(6).as_micros() - 1);
        assert_eq!(after(Some(day(1)), nearly), HealthChange::Unchanged);
        assert_eq!(after(Some(day(1)), day(6)), HealthChange::TurnOff { since: day(1) });
        assert_eq!(after(Some(day(9)), day(6)), HealthChange::Unchanged, "the clock was moved back");
    }

    #[test]
    fn any_success_clears_and_only_failures_that_count_count() {
        for reason in Reason::ALL {
            assert_eq!(health_after(Some(day(1)), &answer(204), reason, day(9), DAY), HealthChange::Ok);
            assert_eq!(health_after(None, &answer(200), reason, day(9), DAY), HealthChange::Ok);
        }
        let refused = Outcome::Error(SendError::ConnectionRefused);
        assert_eq!(health_after(None, &refused, Reason::Test, day(1), DAY), HealthChange::Unchanged);
        assert_eq!(health_after(Some(day(1)), &refused, Reason::Test, day(9), DAY), HealthChange::Unchanged);
        assert_eq!(
            health_after(Some(day(1)), &refused, Reason::Resend, day(9), DAY),
            HealthChange::TurnOff { since: day(1) }
        );
    }

    #[test]
    fn words_round_trip() {
        for health in Health::ALL {
            assert_eq!(health.as_str().parse(), Ok(health));
            assert_eq!(serde_json::to_string(&health).unwrap(), format!("\"{health}\""));
        }
        assert_eq!("well".parse::<Health>().unwrap_err().to_string(), "'well' is not a health of a webhook");
    }

    proptest! {
        /// Played through any history, a webhook is turned off only by a failure that counts, and only when everything
        /// that counts has failed for that long.
        #[test]
        fn it_is_turned_off_only_after_unbroken_failure(
            history in prop::collection::vec((0_u64..200_000, prop::bool::weighted(0.1), 0..3_usize), 1..80),
        ) {
            let (mut now, mut stored, mut first_failure) = (day(1), None, None);
            for (wait, good, reason) in history {
                now = now.saturating_add(Duration::from_secs(wait));
                let (reason, outcome) = (Reason::ALL[reason], answer(if good { 200 } else { 503 }));
                let counts = !good && reason != Reason::Test;
                if good {
                    first_failure = None;
                } else if counts {
                    first_failure = first_failure.or(Some(now));
                }
                let lasted = first_failure.is_some_and(|first| now.since(first) >= DAY * 5);
                let change = health_after(stored, &outcome, reason, now, DAY * 5);
                prop_assert_eq!(matches!(change, HealthChange::TurnOff { .. }), counts && lasted);
                match change {
                    HealthChange::Unchanged => {}
                    HealthChange::Ok => stored = None,
                    HealthChange::StartedFailing { since } | HealthChange::TurnOff { since } => stored = Some(since),
                }
                prop_assert_eq!(stored, first_failure);
            }
        }
    }
}
