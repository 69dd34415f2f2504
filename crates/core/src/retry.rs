//! When a failed delivery is tried again.
//!
//! A [`Schedule`] lists the waits: the first entry is the wait before the first try, the next one that between the
//! first and the second, and so on; after the last one no more tries are made by themselves. Every wait is moved by up
//! to a tenth either way ([`Jitter`]), so that deliveries that failed together do not come back together.
//!
//! What always holds: there are as many automatic tries as entries; a wait is never shorter than nine tenths nor
//! longer than eleven tenths of its entry; a wait of zero is zero.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The waits before each automatic try: 1 to 50 of them, each of at most 30 days.
///
/// Its text is the waits with commas between: `0s,5s,5m`. Units: `ms`, `s`, `m`, `h`, `d` and their longer names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(Vec<Duration>);

/// Why something is not a [`Schedule`].
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScheduleError {
    /// No entries or more than [`Schedule::MAX_ENTRIES`].
    #[error("A schedule has 1 to 50 entries, not {0}.")]
    Length(usize),
    /// An entry is no duration.
    #[error("'{entry}' is not a duration such as 5s, 30m, 2h or 1d: {error}.")]
    Duration {
        /// The entry as it was written.
        entry: String,
        /// What is wrong with it.
        error: humantime::DurationError,
    },
    /// An entry is longer than [`Schedule::MAX_WAIT`].
    #[error("A wait is at most 30 days.")]
    TooLong,
}

impl Schedule {
    /// The most entries.
    pub const MAX_ENTRIES: usize = 50;
    /// The longest single wait.
    pub const MAX_WAIT: Duration = Duration::from_hours(30 * 24);

    /// From the waits themselves.
    ///
    /// # Errors
    /// When there are none or too many, or one is too long.
    pub fn new(waits: Vec<Duration>) -> Result<Schedule, ScheduleError> {
        if waits.is_empty() || waits.len() > Schedule::MAX_ENTRIES {
            return Err(ScheduleError::Length(waits.len()));
        }
        if waits.iter().any(|wait| *wait > Schedule::MAX_WAIT) {
            return Err(ScheduleError::TooLong);
        }
        Ok(Schedule(waits))
    }

    /// The waits, in the order of the tries.
    pub fn waits(&self) -> &[Duration] {
        &self.0
    }
}

impl Default for Schedule {
    /// 0, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h: ten tries over a little more than three days.
    fn default() -> Schedule {
        let minutes = [5, 30, 2 * 60, 5 * 60, 10 * 60, 14 * 60, 20 * 60, 24 * 60];
        let first = [Duration::ZERO, Duration::from_secs(5)];
        Schedule(first.into_iter().chain(minutes.map(Duration::from_mins)).collect())
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Schedule, ScheduleError> {
        let parse = |entry: &str| {
            let entry = entry.trim();
            humantime::parse_duration(entry).map_err(|error| ScheduleError::Duration { entry: entry.to_owned(), error })
        };
        Schedule::new(text.split(',').map(parse).collect::<Result<_, _>>()?)
    }
}

impl fmt::Display for Schedule {
    /// As [`FromStr`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, wait) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}", humantime::format_duration(*wait))?;
        }
        Ok(())
    }
}

/// A random number in [0, 1) that moves a wait within a tenth of its length either way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jitter(f64);

impl Jitter {
    /// Waits exactly as long as the schedule says.
    pub const NONE: Jitter = Jitter(0.5);

    /// From a uniformly random number in [0, 1). Others are moved to the nearest end; what is no number moves nothing.
    pub fn new(unit: f64) -> Jitter {
        if unit.is_nan() { Jitter::NONE } else { Jitter(unit.clamp(0.0, 1.0 - f64::EPSILON)) }
    }

    fn apply(self, wait: Duration) -> Duration {
        wait.mul_f64(0.9 + 0.2 * self.0)
    }
}

/// What is done about failures, for a whole installation or a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// When a delivery is tried.
    pub schedule: Schedule,
    /// How long all attempts of a webhook must have failed before it is turned off.
    pub deactivate_after: Duration,
}

impl Default for RetryPolicy {
    /// The default schedule, and turning off after 5 days.
    fn default() -> RetryPolicy {
        RetryPolicy { schedule: Schedule::default(), deactivate_after: Duration::from_hours(5 * 24) }
    }
}

impl RetryPolicy {
    /// How long to wait before the next automatic try when `tries` have been made, or `None` when all are used up.
    pub fn delay(&self, tries: u32, jitter: Jitter) -> Option<Duration> {
        let wait = self.schedule.0.get(usize::try_from(tries).ok()?)?;
        Some(jitter.apply(*wait))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(text: &str) -> Vec<u64> {
        text.parse::<Schedule>().unwrap().waits().iter().map(Duration::as_secs).collect()
    }

    #[test]
    fn the_default_is_the_promised_schedule() {
        let promised = "0s,5s,5m,30m,2h,5h,10h,14h,20h,24h";
        assert_eq!(Schedule::default(), promised.parse().unwrap());
        assert_eq!(Schedule::default().to_string(), "0s,5s,5m,30m,2h,5h,10h,14h,20h,1day");
        assert_eq!(RetryPolicy::default().deactivate_after, Duration::from_secs(432_000));
    }

    #[test]
    fn schedules_are_read_with_all_units() {
        assert_eq!(seconds("0s, 5s ,30m,2h,5d"), [0, 5, 1_800, 7_200, 432_000]);
        assert_eq!(seconds("1h 30m"), [5_400]);
        assert_eq!("500ms".parse::<Schedule>().unwrap().waits(), [Duration::from_millis(500)]);
        assert_eq!(seconds("30d"), [2_592_000]);
    }

    #[test]
    fn what_is_no_schedule_is_refused_in_words() {
        let message = |text: &str| text.parse::<Schedule>().unwrap_err().to_string();
        assert!(message("").starts_with("'' is not a duration such as"));
        assert!(message("5s,,5m").starts_with("'' is not a duration"));
        assert!(message("5s,soon").starts_with("'soon' is not a duration"));
        assert!(message("5s,10").starts_with("'10' is not a duration"));
        assert!(message("-5s").starts_with("'-5s' is not a duration"));
        assert_eq!(message("5s,31d"), "A wait is at most 30 days.");
        assert_eq!(message(&vec!["1s"; 51].join(",")), "A schedule has 1 to 50 entries, not 51.");
        assert_eq!(Schedule::new(Vec::new()), Err(ScheduleError::Length(0)));
        assert!(vec!["1s"; 50].join(",").parse::<Schedule>().is_ok());
    }

    #[test]
    fn the_first_try_is_at_once_and_the_last_is_the_last() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.delay(0, Jitter::new(0.0)), Some(Duration::ZERO));
        assert_eq!(policy.delay(0, Jitter::new(0.99)), Some(Duration::ZERO));
        assert_eq!(policy.delay(1, Jitter::NONE), Some(Duration::from_secs(5)));
        assert_eq!(policy.delay(2, Jitter::new(0.0)), Some(Duration::from_secs(270)));
        assert_eq!(policy.delay(9, Jitter::NONE), Some(Duration::from_secs(86_400)));
        assert_eq!(policy.delay(10, Jitter::NONE), None);
        assert_eq!(policy.delay(u32::MAX, Jitter::NONE), None);
    }

    fn any_schedule() -> impl Strategy<Value = Schedule> {
        let wait = (0..=Schedule::MAX_WAIT.as_secs() * 1000).prop_map(Duration::from_millis);
        prop::collection::vec(wait, 1..=Schedule::MAX_ENTRIES).prop_map(|waits| Schedule::new(waits).unwrap())
    }

    proptest! {
        #[test]
        fn schedules_round_trip(schedule in any_schedule()) {
            prop_assert_eq!(schedule.to_string().parse(), Ok(schedule));
        }

        #[test]
        fn waits_stay_within_a_tenth_and_end(schedule in any_schedule(), tries: u32, unit: f64) {
            let policy = RetryPolicy { schedule, deactivate_after: Duration::ZERO };
            for tries in [tries, tries % 51] {
                let entry = policy.schedule.waits().get(tries as usize).copied();
                let delay = policy.delay(tries, Jitter::new(unit));
                prop_assert_eq!(entry.is_some(), delay.is_some());
                if let (Some(entry), Some(delay)) = (entry, delay) {
                    let slack = Duration::from_micros(1);
                    prop_assert!(delay + slack >= entry.mul_f64(0.9) && delay <= entry.mul_f64(1.1) + slack);
                }
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text: String) {
            let _ = text.parse::<Schedule>();
        }
    }
}
