//! What becomes of a delivery after an attempt: the one decision of the engine, as a function of its arguments.
//!
//! A delivery is an event owed to a webhook. It is tried by the schedule until a receiver answers with success, the
//! schedule is used up, or the webhook is turned off; besides, a person may resend it at any time. The engine makes the
//! exchange, calls [`next`], and writes down what it says.
//!
//! What always holds:
//! - Only an answer of 2xx is success, and success of any attempt ends the delivery.
//! - There are no more automatic tries than the schedule has entries, and none before its time: a receiver's
//!   `Retry-After` can make a try later, never earlier.
//! - What a person does by hand never takes automatic tries away: a failed resend leaves the delivery as it was.
//! - A test is tried once and says nothing about the webhook unless it succeeds.

mod health;
mod retry_after;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::address::Forbidden;
use crate::retry::{Jitter, RetryPolicy};
use crate::time::Timestamp;

pub use health::Health;
pub use retry_after::{MAX_RETRY_AFTER, parse_retry_after};

/// A text that is none of the words of a closed list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{word}' is not {list}")]
pub struct UnknownWord {
    word: String,
    list: &'static str,
}

/// The state of a delivery. Storage keeps all but `held`, which is what a pending delivery of an inactive webhook is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DeliveryState)]
pub enum State {
    /// Owed: being tried now, or waiting for its next automatic try.
    Pending,
    /// A receiver answered with success.
    Delivered,
    /// The automatic tries are used up.
    Failed,
    /// Owed, but the webhook is inactive.
    Held,
    /// No longer owed: the missed events were skipped when the webhook was turned on again.
    Cancelled,
}

impl State {
    /// Every state, in the order of the list's filter.
    pub const ALL: [State; 5] = [State::Pending, State::Delivered, State::Failed, State::Held, State::Cancelled];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Delivered => "delivered",
            State::Failed => "failed",
            State::Held => "held",
            State::Cancelled => "cancelled",
        }
    }
}

impl FromStr for State {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<State, UnknownWord> {
        let state = State::ALL.into_iter().find(|state| state.as_str() == word);
        state.ok_or_else(|| UnknownWord { word: word.to_owned(), list: "a state of a delivery" })
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an attempt was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AttemptReason)]
pub enum Reason {
    /// The schedule said so.
    Automatic,
    /// Somebody asked for this delivery to be sent again.
    Resend,
    /// Somebody pressed *Send test*: the event exists for this attempt only.
    Test,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 3] = [Reason::Automatic, Reason::Resend, Reason::Test];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::Automatic => "automatic",
            Reason::Resend => "resend",
            Reason::Test => "test",
        }
    }
}

impl FromStr for Reason {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Reason, UnknownWord> {
        let reason = Reason::ALL.into_iter().find(|reason| reason.as_str() == word);
        reason.ok_or_else(|| UnknownWord { word: word.to_owned(), list: "a reason of an attempt" })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver answered.
    Answered {
        /// The status code of the answer.
        status: u16,
        /// What its `Retry-After` asked for, if it had one; see [`parse_retry_after`].
        retry_after: Option<Duration>,
    },
    /// There was no whole answer.
    Error(SendError),
}

impl Outcome {
    /// Whether the receiver has taken the event.
    pub fn is_success(&self) -> bool {
        matches!(self, Outcome::Answered { status, .. } if is_success(*status))
    }
}

/// Whether a status code means that the receiver has taken the event: 2xx only. Redirects are not followed.
pub const fn is_success(status: u16) -> bool {
    matches!(status, 200..=299)
}

/// Why there was no whole answer. The text is a sentence for people; [`SendError::code`] is for programs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No answer had begun within the deadline of the exchange, which is this long.
    #[error("There was no answer within {}.", seconds(.0))]
    Timeout(Duration),
    /// An answer had begun, and was not complete within the deadline of the exchange, which is this long.
    #[error("The answer was not complete within {}.", seconds(.0))]
    Unfinished(Duration),
    /// No connection within its deadline, which is this long.
    #[error("The connection could not be made within {}.", seconds(.0))]
    ConnectTimeout(Duration),
    /// Nobody listens there.
    #[error("The receiver refused the connection.")]
    ConnectionRefused,
    /// The receiver broke the connection off.
    #[error("The receiver broke the connection off.")]
    ConnectionReset,
    /// No network leads to the receiver.
    #[error("There is no way to the receiver: {0}.")]
    Unreachable(String),
    /// The host's name has no address, or the resolver did not answer; with the name and what is wrong.
    #[error("The name {0} could not be resolved: {1}.")]
    DnsFailed(String, String),
    /// The host is, or resolves to, an address that may not be called.
    #[error("The address may not be called: {0}.")]
    AddressForbidden(#[from] Forbidden),
    /// No secure connection; with what the TLS library says, such as that a certificate has expired.
    #[error("A secure connection could not be made: {0}.")]
    TlsFailed(String),
    /// The answer is no HTTP, or breaks its limits; with what is wrong.
    #[error("The answer is not valid HTTP: {0}.")]
    ProtocolError(String),
    /// The receiver closed the connection before the answer was whole.
    #[error("The receiver closed the connection before its answer was complete.")]
    ClosedEarly,
}

impl SendError {
    /// The stable name of the error, as the API shows it and storage keeps it.
    pub const fn code(&self) -> &'static str {
        match self {
            SendError::Timeout(_) | SendError::Unfinished(_) => "timeout",
            SendError::ConnectTimeout(_) => "connect_timeout",
            SendError::ConnectionRefused => "connection_refused",
            SendError::ConnectionReset => "connection_reset",
            SendError::Unreachable(_) => "unreachable",
            SendError::DnsFailed(..) => "dns_failed",
            SendError::AddressForbidden(_) => "address_forbidden",
            SendError::TlsFailed(_) => "tls_failed",
            SendError::ProtocolError(_) => "protocol_error",
            SendError::ClosedEarly => "closed_early",
        }
    }
}

/// "15 s", "0.5 s".
fn seconds(duration: &Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

/// What becomes of a delivery after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is delivered. Automatic tries that were still to come are not made.
    Delivered,
    /// It stays pending; the next automatic try is due at this time.
    Retry {
        /// When.
        at: Timestamp,
    },
    /// It has failed: no automatic tries are left.
    Failed,
    /// The receiver answered `410 Gone`: the webhook is turned off with the reason `gone`. The delivery keeps the state,
    /// the tries and the due time that it had before the attempt, so that a pending one is held with its tries intact.
    Gone,
    /// It keeps the state, the tries and the due time that it had before the attempt.
    Restore,
}

/// Decides what becomes of a delivery after an attempt.
///
/// `tries` is how many automatic tries were made before this attempt (0 at the first). `now` is when the attempt ended:
/// waits count from there.
pub fn next(
    tries: u32,
    reason: Reason,
    outcome: &Outcome,
    now: Timestamp,
    jitter: Jitter,
    policy: &RetryPolicy,
) -> Next {
    if outcome.is_success() {
        return Next::Delivered;
    }
    match (reason, outcome) {
        (Reason::Test, _) => Next::Failed,
        (_, Outcome::Answered { status: 410, .. }) => Next::Gone,
        (Reason::Resend, _) => Next::Restore,
        (Reason::Automatic, outcome) => match policy.delay(tries.saturating_add(1), jitter) {
            None => Next::Failed,
            Some(delay) => Next::Retry { at: now.saturating_add(delay.max(asked_for(outcome))) },
        },
    }
}

fn asked_for(outcome: &Outcome) -> Duration {
    match outcome {
        Outcome::Answered { retry_after: Some(wait), .. } => (*wait).min(MAX_RETRY_AFTER),
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests;
