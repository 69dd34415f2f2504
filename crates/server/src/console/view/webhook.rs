//! The page of one webhook: settings, secret, health, status history and deliveries, with their dialogs.

use askama::Template;

use super::deliveries::DeliveryRow;
use super::health::Health;
use super::listing::Listing;
use super::parts::{Choice, Field, LongUrl, Moment, Pager, Who};
use super::replays::ReplayLine;
use super::webhooks::{ActorChip, Evidence, WebhookStatus};
use super::{Chrome, DialogView, Page};

/// `GET /webhooks/{id}`
#[derive(Debug, Clone, Template)]
#[template(path = "webhooks/show.html")]
pub(crate) struct ShowPage {
    pub(crate) page: Page,
    pub(crate) chrome: Chrome,
    pub(crate) id: String,
    pub(crate) url: LongUrl,
    pub(crate) description: String,
    pub(crate) owner: Who,
    /// Whose it was before, in words, and until when.
    pub(crate) formerly: Option<(String, Moment)>,
    pub(crate) created_at: Moment,
    pub(crate) updated_at: Moment,
    pub(crate) status: WebhookStatus,
    pub(crate) held: u64,
    pub(crate) actor_types: Vec<ActorChip>,
    /// Exact names, in the catalogue's order.
    pub(crate) event_types: Vec<String>,
    /// Custom headers, names and values.
    pub(crate) headers: Vec<(String, String)>,
    /// In words, for example "20 per second"; none for no limit.
    pub(crate) rate_limit: Option<String>,
    /// The secret's last four characters; empty for those who may not see it.
    pub(crate) secret_ends: String,
    /// Until when the previous secret signs too.
    pub(crate) rotating_until: Option<Moment>,
    /// The public key of `v1a` signatures, when the webhook has them and the reader may see it.
    pub(crate) public_key: Option<String>,
    pub(crate) health: Health,
    /// The newest replay, while there is something to tell of it.
    pub(crate) replay: Option<ReplayLine>,
    /// Newest first.
    pub(crate) history: Vec<HistoryLine>,
    /// The deliveries, filtered by `state`, `type` and `since`.
    pub(crate) list: Listing,
    pub(crate) states: Vec<Choice>,
    pub(crate) types: Vec<Choice>,
    /// Options of `since`, "any time" (an empty value) first.
    pub(crate) times: Vec<Choice>,
    pub(crate) deliveries: Vec<DeliveryRow>,
    pub(crate) pager: Pager,
    /// Where the deliveries are files.
    pub(crate) export_csv: String,
    pub(crate) export_json: String,
    pub(crate) can_manage: bool,
}

impl ShowPage {
    /// The end of a dialog's address that brings the reader back to this page.
    pub(crate) fn back(&self) -> String {
        format!("?return_to={}", self.list.path())
    }
}

/// What became of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Active,
    Inactive,
    HandedOver,
}

impl Turn {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Inactive => "Inactive",
            Self::HandedOver => "Handed over",
        }
    }

    pub(crate) const fn tone(self) -> &'static str {
        match self {
            Self::Active => "ok",
            Self::Inactive => "bad",
            Self::HandedOver => "quiet",
        }
    }
}

/// One line of the status history.
#[derive(Debug, Clone)]
pub(crate) struct HistoryLine {
    pub(crate) at: Moment,
    pub(crate) turn: Turn,
    /// Who did it, as far as it is known.
    pub(crate) by: Option<Who>,
    /// In words, for example "Turned off: every attempt failed for 5 days."
    pub(crate) text: String,
    /// What it was decided on.
    pub(crate) evidence: Evidence,
}

/// `GET /webhooks/{id}/secret`
#[derive(Debug, Clone, Template)]
#[template(path = "webhooks/secret_dialog.html")]
pub(crate) struct SecretDialog {
    pub(crate) id: String,
    /// `whsec_…`
    pub(crate) secret: String,
    /// Until when the secret before the last rotation signs too.
    pub(crate) rotating_until: Option<Moment>,
    pub(crate) return_to: String,
}

impl DialogView for SecretDialog {}

/// `GET /webhooks/{id}/secret/rotate`
#[derive(Debug, Clone, Template)]
#[template(path = "webhooks/rotate_dialog.html")]
pub(crate) struct RotateDialog {
    pub(crate) id: String,
    pub(crate) url: String,
    /// Options of `overlap_seconds`.
    pub(crate) overlaps: Vec<Choice>,
    pub(crate) return_to: String,
}

impl DialogView for RotateDialog {}

/// `GET /webhooks/{id}/key-pair`
#[derive(Debug, Clone, Template)]
#[template(path = "webhooks/key_pair_dialog.html")]
pub(crate) struct KeyPairDialog {
    pub(crate) id: String,
    pub(crate) url: String,
    /// Whether there is one, which would be removed.
    pub(crate) has_pair: bool,
    pub(crate) return_to: String,
}

impl DialogView for KeyPairDialog {}

/// `GET /webhooks/{id}/test`
#[derive(Debug, Clone, Template)]
#[template(path = "webhooks/test_dialog.html")]
pub(crate) struct TestDialog {
    pub(crate) id: String,
    pub(crate) url: String,
    /// Options of `type`, `webhook.test` first.
    pub(crate) types: Vec<Choice>,
    /// The one that is chosen.
    pub(crate) chosen: String,
    /// The event's data: JSON.
    pub(crate) data: Field,
    /// What came of the test that was sent before.
    pub(crate) result: Option<TestResult>,
    pub(crate) return_to: String,
}

/// What came of a test, or hasn't yet.
#[derive(Debug, Clone)]
pub(crate) struct TestResult {
    /// The delivery's id.
    pub(crate) delivery: String,
    pub(crate) tone: &'static str,
    /// "200 OK", or the error in words.
    pub(crate) outcome: String,
    /// The rest of the sentence.
    pub(crate) sentence: String,
    /// The start of the answer's body, pretty-printed.
    pub(crate) body: String,
}

impl DialogView for TestDialog {}

/// `GET /webhooks/{id}/replay`
#[derive(Debug, Clone, Template)]
#[template(path = "webhooks/replay_dialog.html")]
pub(crate) struct ReplayDialog {
    pub(crate) id: String,
    pub(crate) url: String,
    /// Options of `since`, for example `1h` "the last hour".
    pub(crate) since: Vec<Choice>,
    pub(crate) return_to: String,
}

impl DialogView for ReplayDialog {}
