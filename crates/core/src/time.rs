//! Points in time: microseconds since the Unix epoch, UTC.
//!
//! One integer everywhere (memory, both databases), one text everywhere people and receivers see it
//! (RFC 3339 with six decimals and `Z`). The crate never asks what time it is: callers say.

use std::{fmt, time::Duration};

use jiff::fmt::temporal::DateTimePrinter;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Microseconds since 1970-01-01T00:00:00Z. Any `i64` is accepted; text output is clamped to the years that RFC 3339 can write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Whole milliseconds since the epoch; zero for times before it (UUIDv7 knows none).
    pub fn as_unix_millis(self) -> u64 {
        u64::try_from(self.0.div_euclid(1_000)).unwrap_or(0)
    }

    /// This time plus `duration`; stops at the largest time there is.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }

    /// This time minus `duration`; stops at the smallest time there is.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }

    /// Moved by so many microseconds, forward or back; stops at the ends.
    #[must_use]
    pub const fn shifted(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// How long ago `earlier` was, seen from this time; zero when `earlier` is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// When the day of this time began, in UTC.
    #[must_use]
    pub const fn start_of_day(self) -> Self {
        Self(self.0.saturating_sub(self.0.rem_euclid(DAY)))
    }

    /// When the calendar month of this time began, in UTC.
    #[must_use]
    pub fn start_of_month(self) -> Self {
        Self::at_midnight(self.to_utc().first_of_month())
    }

    /// When the calendar month after the one of this time begins, in UTC; stops at the largest time that text can show.
    #[must_use]
    pub fn start_of_next_month(self) -> Self {
        Self::at_midnight(self.to_utc().first_of_month().saturating_add(jiff::Span::new().months(1)))
    }

    fn to_utc(self) -> jiff::civil::Date {
        jiff::tz::Offset::UTC.to_datetime(self.to_jiff()).date()
    }

    fn at_midnight(date: jiff::civil::Date) -> Self {
        let time = jiff::tz::Offset::UTC.to_timestamp(date.to_datetime(jiff::civil::Time::midnight()));
        let nearest = if date.year() < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
        Self(time.unwrap_or(nearest).as_microsecond())
    }

    /// Reads an RFC 3339 time with an offset or `Z`.
    ///
    /// # Errors
    /// When the text is not such a time.
    pub fn parse(text: &str) -> Result<Self, ParseTimestampError> {
        text.parse::<jiff::Timestamp>().map(|time| Self(time.as_microsecond())).map_err(|_| ParseTimestampError)
    }

    fn to_jiff(self) -> jiff::Timestamp {
        let limits = jiff::Timestamp::MIN.as_microsecond()..=jiff::Timestamp::MAX.as_microsecond();
        jiff::Timestamp::from_microsecond(self.0.clamp(*limits.start(), *limits.end())).unwrap_or_default()
    }
}

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// The text is not an RFC 3339 time.
#[derive(Debug, thiserror::Error)]
#[error("not a time like 2026-11-23T09:00:00Z")]
pub struct ParseTimestampError;

/// `2026-11-23T09:00:00.000000Z`
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(6));
        f.write_str(&PRINTER.timestamp_to_string(&self.to_jiff()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl utoipa::PartialSchema for Timestamp {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("RFC 3339, UTC, six decimals"))
            .build()
            .into()
    }
}

impl utoipa::ToSchema for Timestamp {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn is_written_with_six_decimals() {
        assert_eq!(Timestamp::from_micros(1_795_424_400_000_000).to_string(), "2026-11-23T09:00:00.000000Z");
        assert_eq!(Timestamp::from_micros(1).to_string(), "1970-01-01T00:00:00.000001Z");
    }

    #[test]
    fn days_and_months_begin_at_midnight() {
        let time = Timestamp::parse("2028-02-29T17:45:12.5Z").unwrap();
        assert_eq!(time.start_of_day().to_string(), "2028-02-29T00:00:00.000000Z");
        assert_eq!(time.start_of_month().to_string(), "2028-02-01T00:00:00.000000Z");
        assert_eq!(time.start_of_next_month().to_string(), "2028-03-01T00:00:00.000000Z");
        let first = Timestamp::parse("2026-12-01T00:00:00Z").unwrap();
        assert_eq!((first.start_of_day(), first.start_of_month()), (first, first));
        assert_eq!(first.start_of_next_month().to_string(), "2027-01-01T00:00:00.000000Z");
    }

    proptest! {
        #[test]
        fn text_round_trips(micros in 0_i64..4_000_000_000_000_000) {
            let time = Timestamp::from_micros(micros);
            prop_assert_eq!(Timestamp::parse(&time.to_string()).unwrap(), time);
        }

        #[test]
        fn arithmetic_never_panics(a: i64, b: i64, secs: u64) {
            let _ = Timestamp(a).since(Timestamp(b));
            let _ = (Timestamp(a).start_of_day(), Timestamp(a).start_of_month(), Timestamp(a).start_of_next_month());
            let _ = Timestamp(a).saturating_add(Duration::from_secs(secs)).saturating_sub(Duration::from_secs(secs)).to_string();
        }
    }
}
