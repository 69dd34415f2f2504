//! The Webhooks page: the list, and the dialogs that create, modify, delete, activate and explain a webhook.

use askama::Template;

use super::listing::Listing;
use super::parts::{Choice, Field, LongUrl, Moment, Pager, Who};
use super::recent::Strip;
use super::{Chrome, DialogView, Page};

/// `GET /webhooks`
#[derive(Debug, Clone, Template)]
#[template(path = "webhooks/list.html")]
pub(crate) struct ListPage {
    pub(crate) page: Page,
    pub(crate) chrome: Chrome,
    /// Sorted by `url`, `owner`, `created_at` or `status`; filtered by `q`, `status` and `actor_type`.
    pub(crate) list: Listing,
    pub(crate) rows: Vec<WebhookRow>,
    pub(crate) pager: Pager,
    /// Options of the filter `status`, "all" (an empty value) first.
    pub(crate) statuses: Vec<Choice>,
    /// Options of the filter `actor_type`, "all" (an empty value) first.
    pub(crate) actor_types: Vec<Choice>,
    /// The first steps, while they are needed.
    pub(crate) guide: Option<Guide>,
    /// Whether the user may create, modify, switch and delete.
    pub(crate) can_manage: bool,
}

/// The way from an empty workspace to the first delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Guide {
    /// The webhook to go on with, once there is one.
    pub(crate) webhook: Option<String>,
    /// Whether a receiver took something.
    pub(crate) heard: bool,
    /// Whether it was a test.
    pub(crate) tested: bool,
    /// Whether a receiver may be on the machine of the server.
    pub(crate) beside: bool,
}

impl Guide {
    pub(crate) fn is_done(&self) -> bool {
        self.heard && self.tested
    }

    /// Steps that are done, of three.
    pub(crate) fn done(&self) -> usize {
        usize::from(self.webhook.is_some()) + usize::from(self.heard) + usize::from(self.tested)
    }
}

/// One webhook in the list.
#[derive(Debug, Clone)]
pub(crate) struct WebhookRow {
    pub(crate) id: String,
    /// The actor types that it tracks, in the catalogue's order.
    pub(crate) actor_types: Vec<ActorChip>,
    pub(crate) url: LongUrl,
    /// May be empty.
    pub(crate) description: String,
    pub(crate) owner: Who,
    /// Whose it was before, in words; empty when it was never handed over.
    pub(crate) formerly: String,
    pub(crate) created_at: Moment,
    pub(crate) status: WebhookStatus,
    /// What its dot means, in words; empty for one that is active and works.
    pub(crate) why: String,
    /// The last 24 hours.
    pub(crate) strip: Strip,
    /// How many events are held; turning the webhook on asks about them when there are any.
    pub(crate) held: u64,
}

/// An actor type that a webhook tracks, wholly or in part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ActorChip {
    /// `users`, `invites`, `groups`, `roles`, `api_keys` or `state_changes`.
    pub(crate) key: String,
    pub(crate) title: String,
    /// How many of its event types are wanted.
    pub(crate) wanted: usize,
    /// How many event types it has.
    pub(crate) of: usize,
}

impl ActorChip {
    pub(crate) fn is_whole(&self) -> bool {
        self.wanted >= self.of
    }

    /// The symbol that stands for it: the one of its page in the navigation.
    pub(crate) fn icon(&self) -> &'static str {
        match self.key.as_str() {
            "users" => "user",
            "invites" => "mail",
            "groups" => "group",
            "roles" => "shield",
            "api_keys" => "key",
            _ => "gauge",
        }
    }
}

/// Status and health of a webhook, as one thing to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WebhookStatus {
    Active,
    /// Active, and its last attempt succeeded.
    Fine,
    /// Active, but its attempts are failing.
    Failing,
    Inactive,
}

impl WebhookStatus {
    pub(crate) fn is_on(self) -> bool {
        self != Self::Inactive
    }

    pub(crate) fn is_fine(self) -> bool {
        self == Self::Fine
    }

    pub(crate) fn is_failing(self) -> bool {
        self == Self::Failing
    }

    /// The word beside the switch.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Active | Self::Fine | Self::Failing => "Active",
            Self::Inactive => "Inactive",
        }
    }
}

/// `GET /webhooks/new` and `GET /webhooks/{id}/edit`; also the 422 answer of `POST /webhooks` and `POST /webhooks/{id}`.
#[derive(Debug, Clone, Template)]
#[template(path = "webhooks/form_dialog.html")]
pub(crate) struct FormDialog {
    /// The webhook that is modified; none when one is created.
    pub(crate) id: Option<String>,
    /// Where to go afterwards, and where Cancel leads.
    pub(crate) return_to: String,
    pub(crate) url: Field,
    pub(crate) description: Field,
    /// The six groups of the catalogue.
    pub(crate) groups: Vec<EventGroup>,
    /// Whether `webhook.deactivated` is wanted.
    pub(crate) webhook_deactivated: bool,
    /// What is wrong with the selection, for example that nothing is selected.
    pub(crate) event_types_error: Option<String>,
    /// One `Name: value` a line.
    pub(crate) headers: Field,
    /// Events per second, empty for no limit.
    pub(crate) rate_limit: Field,
    /// What is wrong with the whole, when no field is to blame.
    pub(crate) error: Option<String>,
}

impl DialogView for FormDialog {}

impl FormDialog {
    /// Event types that are chosen, and how many there are to choose from.
    pub(crate) fn chosen(&self) -> (usize, usize) {
        let sum = |count: fn(&EventGroup) -> usize| self.groups.iter().map(count).sum::<usize>();
        (sum(EventGroup::checked) + usize::from(self.webhook_deactivated), sum(|group| group.types.len()) + 1)
    }

    /// Whether the folded fields need to be seen.
    pub(crate) fn shows_more(&self) -> bool {
        let filled = |field: &Field| !field.value.is_empty() || field.error.is_some();
        filled(&self.headers) || filled(&self.rate_limit)
    }
}

/// The event types of one actor type.
#[derive(Debug, Clone)]
pub(crate) struct EventGroup {
    /// The actor type's key; the box for the whole group posts `{key}.*`.
    pub(crate) key: String,
    pub(crate) title: String,
    pub(crate) description: String,
    /// Whether `{key}.*` was posted (kept when the form comes back with errors).
    pub(crate) all: bool,
    pub(crate) types: Vec<EventChoice>,
}

impl EventGroup {
    pub(crate) fn checked(&self) -> usize {
        self.types.iter().filter(|choice| choice.checked).count()
    }
}

/// One event type to choose.
#[derive(Debug, Clone)]
pub(crate) struct EventChoice {
    /// For example `user.blocked`: what is posted.
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) checked: bool,
}

/// `GET /webhooks/{id}/delete`
#[derive(Debug, Clone, Template)]
#[template(path = "webhooks/delete_dialog.html")]
pub(crate) struct DeleteDialog {
    pub(crate) id: String,
    pub(crate) url: String,
    /// Deliveries that are still owed and would be cancelled.
    pub(crate) pending: u64,
    /// Where Cancel leads.
    pub(crate) back: String,
    /// Where to go when the webhook is gone.
    pub(crate) return_to: String,
}

impl DialogView for DeleteDialog {}

/// `GET /webhooks/{id}/activate`, for a webhook with held events.
#[derive(Debug, Clone, Template)]
#[template(path = "webhooks/activate_dialog.html")]
pub(crate) struct ActivateDialog {
    pub(crate) id: String,
    pub(crate) url: String,
    pub(crate) held: u64,
    pub(crate) return_to: String,
}

impl DialogView for ActivateDialog {}

/// `GET /webhooks/{id}/reason`: what the red (or amber) dot means.
#[derive(Debug, Clone, Template)]
#[template(path = "webhooks/reason_dialog.html")]
pub(crate) struct ReasonDialog {
    pub(crate) id: String,
    pub(crate) url: String,
    pub(crate) reason: Reason,
    /// When it became inactive, or began to fail.
    pub(crate) at: Moment,
    pub(crate) by: Who,
    /// What the person wrote, may be empty.
    pub(crate) message: String,
    pub(crate) evidence: Evidence,
    pub(crate) held: u64,
    pub(crate) can_manage: bool,
    pub(crate) return_to: String,
}

impl DialogView for ReasonDialog {}

/// Why a webhook is not active, or is about to be turned off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A user or an API key turned it off.
    Manual,
    /// Every attempt failed for the time given in words, for example "5 days".
    Failing { for_time: String },
    /// The receiver answered 410.
    Gone,
    /// The URL leads to an address that may not be called.
    DestinationForbidden,
    /// Still active: attempts fail, and it will be turned off at this time.
    StillActive { off_at: Moment },
}

impl Reason {
    pub(crate) fn is_off(&self) -> bool {
        !matches!(self, Self::StillActive { .. })
    }
}

/// What was seen when attempts failed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Evidence {
    pub(crate) first_failure: Option<Moment>,
    /// How many attempts failed since then.
    pub(crate) attempts: u64,
    pub(crate) last_error: Option<LastError>,
}

impl Evidence {
    pub(crate) fn is_empty(&self) -> bool {
        self.first_failure.is_none() && self.attempts == 0 && self.last_error.is_none()
    }
}

/// The last attempt that failed.
#[derive(Debug, Clone)]
pub(crate) struct LastError {
    /// For example "503 Service Unavailable" or "connection refused".
    pub(crate) text: String,
    pub(crate) at: Moment,
    /// The delivery that it belongs to; none when it was pruned.
    pub(crate) delivery: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_goes_away_by_itself() {
        let guide = |webhook: Option<&str>, heard, tested| Guide {
            webhook: webhook.map(str::to_owned),
            heard,
            tested,
            beside: true,
        };
        assert_eq!((guide(None, false, false).done(), guide(None, false, false).is_done()), (0, false));
        assert_eq!((guide(Some("wh_1"), true, false).done(), guide(Some("wh_1"), true, false).is_done()), (2, false));
        assert!(guide(Some("wh_1"), true, true).is_done());
    }
}
