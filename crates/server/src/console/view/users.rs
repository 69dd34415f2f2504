//! The users of the workspace, and the dialogs that change them.

use askama::Template;

use super::listing::Listing;
use super::ownership::Offered;
use super::parts::{Choice, Field, Moment, Pager};
use super::roles::RoleChoice;
use super::{Chrome, DialogView, Page};

/// `GET /users`
#[derive(Debug, Clone, Template)]
#[template(path = "users/list.html")]
pub(crate) struct ListPage {
    pub(crate) page: Page,
    pub(crate) chrome: Chrome,
    /// Sorted by `name`, `email`, `joined_at` or `status`; filtered by `q`, `status` and `role`.
    pub(crate) list: Listing,
    pub(crate) statuses: Vec<Choice>,
    pub(crate) roles: Vec<Choice>,
    pub(crate) rows: Vec<UserRow>,
    pub(crate) pager: Pager,
    /// What the reader offers to somebody else.
    pub(crate) offered: Option<Offered>,
    /// Whether the user may send invites.
    pub(crate) can_invite: bool,
}

impl ListPage {
    /// A column that says nothing about anybody is left out.
    fn shows_groups(&self) -> bool {
        self.rows.iter().any(|row| !row.groups.is_empty())
    }
}

/// One user in the list, with what the reader may do to them.
#[derive(Debug, Clone)]
pub(crate) struct UserRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) roles: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) joined_at: Moment,
    pub(crate) blocked: bool,
    /// The reader.
    pub(crate) is_self: bool,
    /// The reader offers them the ownership.
    pub(crate) is_offered: bool,
    pub(crate) can: UserActions,
}

/// What the reader may do to a user.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct UserActions {
    pub(crate) change: bool,
    /// Block, or unblock who is blocked.
    pub(crate) block: bool,
    pub(crate) remove: bool,
    pub(crate) leave: bool,
    /// Give and take roles.
    pub(crate) roles: bool,
    /// Offer them the ownership of the workspace.
    pub(crate) offer: bool,
}

/// `GET /users/{id}/edit`
#[derive(Debug, Clone, Template)]
#[template(path = "users/profile_dialog.html")]
pub(crate) struct ProfileDialog {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) name: Field,
    pub(crate) return_to: String,
}

impl DialogView for ProfileDialog {}

/// `GET /users/{id}/block`
#[derive(Debug, Clone, Template)]
#[template(path = "users/block_dialog.html")]
pub(crate) struct BlockDialog {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Optional; goes into the event.
    pub(crate) reason: Field,
    pub(crate) return_to: String,
}

impl DialogView for BlockDialog {}

/// `GET /users/{id}/remove`
#[derive(Debug, Clone, Template)]
#[template(path = "users/remove_dialog.html")]
pub(crate) struct RemoveDialog {
    pub(crate) id: String,
    pub(crate) name: String,
    /// What they own and who gets it, in a sentence.
    pub(crate) heritage: String,
    pub(crate) return_to: String,
}

impl DialogView for RemoveDialog {}

/// `GET /users/{id}/roles`; also the 422 answer of its `POST`.
#[derive(Debug, Clone, Template)]
#[template(path = "users/roles_dialog.html")]
pub(crate) struct RolesDialog {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) roles: Vec<RoleChoice>,
    pub(crate) error: Option<String>,
    pub(crate) return_to: String,
}

impl RolesDialog {
    fn legend(&self) -> String {
        format!("Roles of {}", self.name)
    }
}

impl DialogView for RolesDialog {}

/// `GET /users/leave`
#[derive(Debug, Clone, Template)]
#[template(path = "users/leave_dialog.html")]
pub(crate) struct LeaveDialog {
    pub(crate) workspace: String,
    /// What the reader owns and who gets it, in a sentence.
    pub(crate) heritage: String,
    /// Why leaving is not possible, for example for the only owner.
    pub(crate) error: Option<String>,
    pub(crate) return_to: String,
}

impl DialogView for LeaveDialog {}
