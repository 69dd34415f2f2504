//! Whether a webhook works, told from the attempts made for it.
//!
//! A webhook is failing from the first failure after its last success on. When that has lasted for as long as the policy
//! says, and nothing has succeeded in between, it is turned off. Failures of tests don't count, for somebody who is
//! putting a webhook right sends many; a test that succeeds does.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::UnknownWord;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        for health in Health::ALL {
            assert_eq!(health.as_str().parse(), Ok(health));
            assert_eq!(serde_json::to_string(&health).unwrap(), format!("\"{health}\""));
        }
        assert_eq!("well".parse::<Health>().unwrap_err().to_string(), "'well' is not a health of a webhook");
    }
}
