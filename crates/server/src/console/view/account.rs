//! Pages around the account: set-up, sign in, accepting an invite, choosing a workspace, the profile, and errors.

use askama::Template;

use super::parts::Field;
use super::{Chrome, Page, WorkspaceChoice};

/// `GET /setup`, once, with the token of the set-up link.
#[derive(Debug, Clone, Template)]
#[template(path = "setup.html")]
pub(crate) struct SetupPage {
    pub(crate) page: Page,
    pub(crate) token: String,
    pub(crate) workspace: Field,
    pub(crate) name: Field,
    pub(crate) email: Field,
    /// Never sent back: only its error is.
    pub(crate) password: Field,
}

/// `GET /sign-in`
#[derive(Debug, Clone, Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignInPage {
    pub(crate) page: Page,
    pub(crate) email: Field,
    /// What is wrong, without telling whether the address is known.
    pub(crate) error: Option<String>,
    /// A path of this console, empty for the start page.
    pub(crate) return_to: String,
}

/// `GET /invites/accept/{token}`
#[derive(Debug, Clone, Template)]
#[template(path = "accept_invite.html")]
pub(crate) struct AcceptInvitePage {
    pub(crate) page: Page,
    pub(crate) token: String,
    pub(crate) workspace: String,
    pub(crate) invited_by: String,
    pub(crate) email: String,
    pub(crate) reader: InvitedReader,
}

/// Who opened an invite.
#[derive(Debug, Clone)]
pub(crate) enum InvitedReader {
    /// Nobody with that address has an account: one is made.
    New { name: Field, password: Field },
    /// The address has an account: its password is asked for, whoever is signed in here.
    Known { password: Field },
}

/// `GET /workspaces`: after sign in, for a user of several.
#[derive(Debug, Clone, Template)]
#[template(path = "workspaces.html")]
pub(crate) struct WorkspacesPage {
    pub(crate) page: Page,
    pub(crate) workspaces: Vec<WorkspaceChoice>,
}

/// `GET /profile`
#[derive(Debug, Clone, Template)]
#[template(path = "profile.html")]
pub(crate) struct ProfilePage {
    pub(crate) page: Page,
    pub(crate) chrome: Chrome,
    pub(crate) name: Field,
    pub(crate) email: String,
    /// Passwords are never sent back: only their errors are.
    pub(crate) current_password: Field,
    pub(crate) new_password: Field,
}

/// Any page that could not be shown.
#[derive(Debug, Clone, Template)]
#[template(path = "error.html")]
pub(crate) struct ErrorPage {
    pub(crate) page: Page,
    pub(crate) error: PageError,
    /// What to quote when asking for help; empty when there is nothing to quote.
    pub(crate) request_id: String,
}

/// Why a page could not be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageError {
    /// A form could not be read (400).
    BadRequest,
    /// No permission, or a form from another site (403).
    Forbidden,
    /// Nothing here (404).
    NotFound,
    /// An invite or a set-up link that is no longer valid (410).
    LinkGone,
    /// Too many tries (429).
    TooMany,
    /// Our fault (500).
    Internal,
    /// Starting, stopping, or without its database (503).
    Unavailable,
    /// The database's disk is full (507): the script says so and leaves the form as it was typed.
    StorageFull,
}

impl PageError {
    /// The status code of the answer.
    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::LinkGone => 410,
            Self::TooMany => 429,
            Self::Internal => 500,
            Self::Unavailable => 503,
            Self::StorageFull => 507,
        }
    }
}
