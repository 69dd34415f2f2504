//! The API keys of the workspace, and the dialogs that change them.

use askama::Template;

use super::listing::Listing;
use super::parts::{Choice, Field, Moment, Pager, Who};
use super::roles::RoleChoice;
use super::{Chrome, DialogView, Page};

/// `GET /api-keys`
#[derive(Debug, Clone, Template)]
#[template(path = "api_keys/list.html")]
pub(crate) struct ListPage {
    pub(crate) page: Page,
    pub(crate) chrome: Chrome,
    /// Sorted by `name`, `created_at`, `last_used_at` or `status`; filtered by `q` and `status`.
    pub(crate) list: Listing,
    pub(crate) statuses: Vec<Choice>,
    pub(crate) rows: Vec<ApiKeyRow>,
    pub(crate) pager: Pager,
    /// Whether the reader may create, change and delete API keys.
    pub(crate) can_manage: bool,
}

/// One API key in the list.
#[derive(Debug, Clone)]
pub(crate) struct ApiKeyRow {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The last four characters of its secret.
    pub(crate) hint: String,
    pub(crate) roles: Vec<String>,
    pub(crate) created_at: Moment,
    pub(crate) created_by: Who,
    /// To the minute; none if it never was.
    pub(crate) last_used_at: Option<Moment>,
    pub(crate) blocked: bool,
    /// Why it is blocked, if whoever did it said so.
    pub(crate) reason: Option<String>,
    /// Whether the reader may rotate, block and delete it: what owners can do, only owners lay hands on.
    pub(crate) can_act: bool,
}

/// `GET /api-keys/new` and `GET /api-keys/{id}/edit`; also their 422 answers.
#[derive(Debug, Clone, Template)]
#[template(path = "api_keys/form_dialog.html")]
pub(crate) struct FormDialog {
    /// The API key that is changed; none for a new one.
    pub(crate) id: Option<String>,
    pub(crate) name: Field,
    /// Empty for whoever may not choose.
    pub(crate) roles: Vec<RoleChoice>,
    pub(crate) roles_error: Option<String>,
    /// What is wrong with the whole form.
    pub(crate) error: Option<String>,
    pub(crate) return_to: String,
}

impl DialogView for FormDialog {}

/// The answer to creating and rotating: the only place where a secret is ever shown.
#[derive(Clone, Template)]
#[template(path = "api_keys/secret_dialog.html")]
pub(crate) struct SecretDialog {
    pub(crate) name: String,
    pub(crate) secret: String,
    /// Whether it took the place of another one.
    pub(crate) rotated: bool,
    pub(crate) return_to: String,
}

impl DialogView for SecretDialog {}

/// `GET /api-keys/{id}/rotate`
#[derive(Debug, Clone, Template)]
#[template(path = "api_keys/rotate_dialog.html")]
pub(crate) struct RotateDialog {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) hint: String,
    pub(crate) error: Option<String>,
    pub(crate) return_to: String,
}

impl DialogView for RotateDialog {}

/// `GET /api-keys/{id}/block`
#[derive(Debug, Clone, Template)]
#[template(path = "api_keys/block_dialog.html")]
pub(crate) struct BlockDialog {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Optional; goes into the event.
    pub(crate) reason: Field,
    pub(crate) return_to: String,
}

impl DialogView for BlockDialog {}

/// `GET /api-keys/{id}/delete`
#[derive(Debug, Clone, Template)]
#[template(path = "api_keys/delete_dialog.html")]
pub(crate) struct DeleteDialog {
    pub(crate) id: String,
    pub(crate) name: String,
    /// What it owns and who gets it, in a sentence.
    pub(crate) heritage: String,
    pub(crate) return_to: String,
}

impl DialogView for DeleteDialog {}
