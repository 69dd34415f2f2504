//! The invites of the workspace, and the dialogs that send and delete one.

use askama::Template;

use super::listing::Listing;
use super::parts::{Choice, Field, Moment, Pager, Who};
use super::{Chrome, DialogView, Page};

/// `GET /invites`
#[derive(Debug, Clone, Template)]
#[template(path = "invites/list.html")]
pub(crate) struct ListPage {
    pub(crate) page: Page,
    pub(crate) chrome: Chrome,
    /// Sorted by `email`, `created_at`, `expires_at` or `status`; filtered by `q` and `status`.
    pub(crate) list: Listing,
    pub(crate) statuses: Vec<Choice>,
    pub(crate) rows: Vec<InviteRow>,
    pub(crate) pager: Pager,
    pub(crate) can_manage: bool,
}

/// One invite in the list.
#[derive(Debug, Clone)]
pub(crate) struct InviteRow {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) roles: Vec<String>,
    pub(crate) status: InviteStatus,
    pub(crate) invited_by: Who,
    pub(crate) created_at: Moment,
    pub(crate) expires_at: Moment,
    /// The whole address to copy, for a pending invite whose address may be seen.
    pub(crate) url: Option<String>,
}

/// The status of an invite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InviteStatus {
    Pending,
    Accepted,
    Expired,
    Deleted,
}

impl InviteStatus {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Accepted => "Accepted",
            Self::Expired => "Expired",
            Self::Deleted => "Deleted",
        }
    }

    /// The colour of its mark.
    pub(crate) const fn tone(self) -> &'static str {
        match self {
            Self::Pending => "info",
            Self::Accepted => "ok",
            Self::Expired => "warn",
            Self::Deleted => "quiet",
        }
    }

    /// Whether it can be sent again.
    pub(crate) fn can_resend(self) -> bool {
        matches!(self, Self::Pending | Self::Expired)
    }
}

/// `GET /invites/new`; also the 422 answer of `POST /invites`.
#[derive(Debug, Clone, Template)]
#[template(path = "invites/form_dialog.html")]
pub(crate) struct FormDialog {
    pub(crate) email: Field,
    /// Checkboxes `roles`: role ids and names.
    pub(crate) roles: Vec<Choice>,
    pub(crate) roles_error: Option<String>,
    pub(crate) return_to: String,
}

impl DialogView for FormDialog {}

/// `GET /invites/{id}/delete`
#[derive(Debug, Clone, Template)]
#[template(path = "invites/delete_dialog.html")]
pub(crate) struct DeleteDialog {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) return_to: String,
}

impl DialogView for DeleteDialog {}
