//! Deliveries in a table, and the page of one delivery with every attempt.

use askama::Template;

use super::parts::{LongUrl, Moment};
use super::{Chrome, Page};

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
    pub(crate) next_attempt: Option<Moment>,
    /// The headers of the last attempt, signature included.
    pub(crate) request_headers: Vec<(String, String)>,
    /// Pretty-printed JSON.
    pub(crate) request_body: String,
    /// Newest first.
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) can_manage: bool,
}

/// One HTTP exchange.
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
    /// The start of the answer, may be empty.
    pub(crate) response: String,
    /// Whether the answer went on.
    pub(crate) cut: bool,
}
