//! A receiver's wish to be left alone for a while: the `Retry-After` header (RFC 9110, section 10.2.3).

use std::time::{Duration, UNIX_EPOCH};

use crate::time::Timestamp;

/// The longest wish that is granted.
pub const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// Reads the header's value, a number of seconds or an HTTP date, as a wait from `now` on: at most [`MAX_RETRY_AFTER`],
/// and zero for a date that has passed. `None` when it is neither.
pub fn parse_retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim_matches([' ', '\t']);
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // Digits that are no u64 are still a number: a very large one.
        return Some(value.parse().map_or(MAX_RETRY_AFTER, Duration::from_secs).min(MAX_RETRY_AFTER));
    }
    let date = httpdate::parse_http_date(value).ok()?.duration_since(UNIX_EPOCH).ok()?;
    let date = Timestamp::from_micros(0).saturating_add(date);
    Some(date.since(now).min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 6 November 1994, 08:49:37 UTC: the date of RFC 9110's examples.
    const NOW: Timestamp = Timestamp::from_micros(784_111_777_000_000);

    fn seconds(value: &str) -> Option<u64> {
        parse_retry_after(value, NOW).map(|wait| wait.as_secs())
    }

    #[test]
    fn numbers_and_all_three_forms_of_dates_are_read() {
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds(" 0 "), Some(0));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60));
        assert_eq!(seconds("Sunday, 06-Nov-94 08:50:37 GMT"), Some(60));
        assert_eq!(seconds("Sun Nov  6 08:50:37 1994"), Some(60));
    }

    #[test]
    fn long_waits_are_cut_and_past_dates_are_no_wait() {
        assert_eq!(seconds("86401"), Some(86_400));
        assert_eq!(seconds("99999999999999999999999999"), Some(86_400));
        assert_eq!(seconds("Sun, 06 Nov 2044 08:49:37 GMT"), Some(86_400));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:36 GMT"), Some(0));
    }

    #[test]
    fn what_is_neither_is_ignored() {
        for value in ["", " ", "-1", "+1", "1.5", "1e3", "soon", "120s", "1 2", "2044-11-06T08:49:37Z", "１２"] {
            assert_eq!(seconds(value), None, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic_or_wait_too_long(value: String, digits in "[0-9]{1,40}", now: i64) {
            for value in [value, digits] {
                if let Some(wait) = parse_retry_after(&value, Timestamp::from_micros(now)) {
                    prop_assert!(wait <= MAX_RETRY_AFTER);
                }
            }
        }
    }
}
