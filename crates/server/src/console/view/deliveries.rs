//! Deliveries in a table, and the page of one delivery with every attempt.

use askama::Template;

use super::parts::{LongUrl, Moment};
use super::{Chrome, DialogView, Page};

/// One delivery in a table: of a webhook, or of an event.
#[derive(Debug, Clone)]
pub(crate) struct DeliveryRow {
    pub(crate) id: String,
    pub(crate) event_type: String,
    /// Where it goes; shown on the page of an event only.
    pub(crate) webhook: LongUrl,
    pub(crate) state: DeliveryState,
    /// When the event happened.
    pub(crate) at: Moment,
    pub(crate) attempts: u32,
    /// The last answer in words, for example "200 in 35 ms"; empty before the first attempt.
    pub(crate) answer: String,
    pub(crate) next_attempt: Option<Moment>,
}

/// The state of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeliveryState {
    Pending,
    Delivered,
    Failed,
    Held,
    Cancelled,
}

impl DeliveryState {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Delivered => "Delivered",
            Self::Failed => "Failed",
            Self::Held => "Held",
            Self::Cancelled => "Cancelled",
        }
    }

    /// The colour of its mark.
    pub(crate) const fn tone(self) -> &'static str {
        match self {
            Self::Pending => "info",
            Self::Delivered => "ok",
            Self::Failed => "bad",
            Self::Held => "warn",
            Self::Cancelled => "quiet",
        }
    }
}

/// `GET /deliveries/{id}`
#[derive(Debug, Clone, Template)]
#[template(path = "webhooks/delivery.html")]
pub(crate) struct DeliveryPage {
    pub(crate) page: Page,
    pub(crate) chrome: Chrome,
    pub(crate) id: String,
    pub(crate) event_id: String,
    pub(crate) event_type: String,
    /// The event's place in the workspace's feed; none for a test.
    pub(crate) sequence: Option<u64>,
    pub(crate) can_see_event: bool,
    /// Empty when the webhook was deleted.
    pub(crate) webhook_id: String,
    pub(crate) webhook_url: LongUrl,
    pub(crate) state: DeliveryState,
    pub(crate) at: Moment,
    /// How it stands, in a sentence.
    pub(crate) note: String,
    pub(crate) next_attempt: Option<NextAttempt>,
    /// The headers of the shown attempt, as far as they are kept.
    pub(crate) request_headers: Vec<(String, String)>,
    /// Pretty-printed JSON.
    pub(crate) request_body: String,
    /// The attempt whose answer is shown; none before the first.
    pub(crate) shown: Option<Exchange>,
    /// Newest first.
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) can_manage: bool,
}

impl DeliveryPage {
    /// Whether it is this attempt's answer that is shown. (Templates hold its number by value or behind a reference.)
    pub(crate) fn shows(&self, number: impl std::borrow::Borrow<u32>) -> bool {
        self.shown.as_ref().is_some_and(|shown| shown.number == *number.borrow())
    }
}

/// When a delivery is tried again.
#[derive(Debug, Clone)]
pub(crate) struct NextAttempt {
    pub(crate) at: Moment,
    /// "in 5 minutes"
    pub(crate) distance: String,
}

/// One HTTP exchange in the list of them.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    /// From 1.
    pub(crate) number: u32,
    pub(crate) at: Moment,
    pub(crate) duration_ms: u32,
    pub(crate) succeeded: bool,
    /// "200 OK", or the error in words: "no answer within 15 s".
    pub(crate) outcome: String,
    /// Why it was made: "Automatic", "Resend" or "Test".
    pub(crate) why: String,
}

/// What was answered to one attempt.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    /// Of the attempt.
    pub(crate) number: u32,
    /// Whether there was an answer.
    pub(crate) answered: bool,
    pub(crate) headers: Vec<(String, String)>,
    /// The start of the answer; JSON is pretty-printed. May be empty.
    pub(crate) body: String,
    /// Whether the answer went on.
    pub(crate) cut: bool,
}

/// `GET /deliveries/{id}/curl`
#[derive(Debug, Clone, Template)]
#[template(path = "webhooks/curl_dialog.html")]
pub(crate) struct CurlDialog {
    /// For a shell.
    pub(crate) command: String,
    /// Until when receivers take the signature.
    pub(crate) until: Moment,
    /// The names of the headers whose values are not in the command, with commas between.
    pub(crate) hidden: String,
    pub(crate) return_to: String,
}

impl DialogView for CurlDialog {}
