//! The numbers that people and programs give: made valid once.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{FIRST_THRESHOLDS, MAX_AMOUNT};

/// A number that can't be used. The message is meant for whoever gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from {min} to 1,000,000,000,000")]
pub struct NumberError {
    min: i64,
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident($min:literal..);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name(i64);

        impl $name {
            /// Checks the range.
            ///
            /// # Errors
            /// When it is out of range.
            pub const fn new(number: i64) -> Result<Self, NumberError> {
                if number >= $min && number <= MAX_AMOUNT { Ok(Self(number)) } else { Err(NumberError { min: $min }) }
            }

            /// Reads what somebody typed: digits, which may be grouped by commas, spaces or underscores.
            ///
            /// # Errors
            /// When it is no number, or out of range.
            pub fn parse(text: &str) -> Result<Self, NumberError> {
                let digits: String = text.trim().chars().filter(|c| !matches!(c, ',' | ' ' | '_' | '\u{a0}' | '\u{202f}')).collect();
                digits.parse().map_err(|_| NumberError { min: $min }).and_then(Self::new)
            }

            /// The number.
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Whole;
                impl de::Visitor<'_> for Whole {
                    type Value = i64;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        write!(f, "a whole number from {} to 1,000,000,000,000", $min)
                    }

                    fn visit_i64<E: de::Error>(self, number: i64) -> Result<i64, E> {
                        $name::new(number).map($name::get).map_err(E::custom)
                    }

                    fn visit_u64<E: de::Error>(self, number: u64) -> Result<i64, E> {
                        self.visit_i64(i64::try_from(number).unwrap_or(i64::MAX))
                    }
                }
                deserializer.deserialize_i64(Whole).map(Self)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::Type::Integer)
                    .minimum(Some($min))
                    .maximum(Some(MAX_AMOUNT))
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {}
    )*};
}

numbers! {
    /// State changes that are used or credited: 1 to 10^12.
    Amount(1..);
    /// State changes that a license includes in each period: 0 to 10^12.
    Included(0..);
}

/// Percentages of use at which an event tells of it: up to 10, each from 1 to 99, in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thresholds(Vec<u8>);

/// Thresholds that can't be used. The message is meant for whoever gave them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdsError {
    /// Not numbers between commas.
    #[error("must be whole numbers from 1 to 99 with commas between them, like 80, 90")]
    NotNumbers,
    /// One of them is no percentage that can be crossed.
    #[error("must be whole numbers from 1 to 99: {0} is not")]
    OutOfRange(i64),
    /// More than [`Thresholds::MAX`].
    #[error("must be at most {} thresholds", Thresholds::MAX)]
    TooMany,
    /// One isn't larger than the one before it.
    #[error("are out of order: {after} must not come after {before}")]
    OutOfOrder {
        /// What comes first.
        before: i64,
        /// What comes behind it, and isn't larger.
        after: i64,
    },
}

impl Thresholds {
    /// The most of them.
    pub const MAX: usize = 10;

    /// Checks number, range and order.
    ///
    /// # Errors
    /// See [`ThresholdsError`].
    pub fn new(percentages: &[i64]) -> Result<Self, ThresholdsError> {
        if percentages.len() > Self::MAX {
            return Err(ThresholdsError::TooMany);
        }
        let one = |percent: &i64| match u8::try_from(*percent) {
            Ok(it @ 1..=99) => Ok(it),
            _ => Err(ThresholdsError::OutOfRange(*percent)),
        };
        let checked = percentages.iter().map(one).collect::<Result<_, _>>()?;
        match percentages.windows(2).find(|pair| pair[0] >= pair[1]) {
            Some(pair) => Err(ThresholdsError::OutOfOrder { before: pair[0], after: pair[1] }),
            None => Ok(Self(checked)),
        }
    }

    /// Reads what somebody typed: `80, 90`. Nothing is no threshold at all.
    ///
    /// # Errors
    /// See [`ThresholdsError`].
    pub fn parse(text: &str) -> Result<Self, ThresholdsError> {
        let parts = text.split([',', ';', ' ', '%']).map(str::trim).filter(|part| !part.is_empty());
        let numbers = parts.take(Self::MAX + 1).map(str::parse).collect::<Result<Vec<i64>, _>>();
        Self::new(&numbers.map_err(|_| ThresholdsError::NotNumbers)?)
    }

    /// The percentages, the lowest first.
    pub fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.iter().copied()
    }
}

/// 80 and 90.
impl Default for Thresholds {
    fn default() -> Self {
        Self(FIRST_THRESHOLDS.to_vec())
    }
}

/// `80, 90`
impl fmt::Display for Thresholds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, percent) in self.iter().enumerate() {
            write!(f, "{}{percent}", if index > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

impl Serialize for Thresholds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Thresholds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&Vec::<i64>::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl utoipa::PartialSchema for Thresholds {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::{ArrayBuilder, ObjectBuilder, Type};
        let percent = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(99));
        let description = "Percentages of use at which an event tells of it, in ascending order";
        ArrayBuilder::new().items(percent).max_items(Some(Self::MAX)).description(Some(description)).into()
    }
}

impl utoipa::ToSchema for Thresholds {}
