//! The roles of the workspace: the list, the matrix, one role with its holders, and the dialogs that change them.

use askama::Template;

use super::listing::Listing;
use super::parts::{Field, Moment, Pager, Who};
use super::{Chrome, DialogView, Page};

/// `GET /roles`
#[derive(Debug, Clone, Template)]
#[template(path = "roles/list.html")]
pub(crate) struct ListPage {
    pub(crate) page: Page,
    pub(crate) chrome: Chrome,
    /// Sorted by `name`, `holders` or `updated_at`; filtered by `q`.
    pub(crate) list: Listing,
    pub(crate) rows: Vec<RoleRow>,
    pub(crate) pager: Pager,
    pub(crate) can_manage: bool,
}

/// One role in the list.
#[derive(Debug, Clone)]
pub(crate) struct RoleRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) kind: RoleKind,
    /// How many permissions it has, of how many.
    pub(crate) permissions: usize,
    pub(crate) of: usize,
    /// "2 users and 1 API key", "nobody"
    pub(crate) holders: String,
    pub(crate) updated_at: Moment,
    /// Whether the reader may change and delete it.
    pub(crate) can_change: bool,
}

/// What kind of role it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RoleKind {
    /// The one that can't be missing.
    Owner,
    BuiltIn,
    Custom,
}

impl RoleKind {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Owner | Self::BuiltIn => "Built in",
            Self::Custom => "Custom",
        }
    }

    pub(crate) fn is_owner(self) -> bool {
        self == Self::Owner
    }

    pub(crate) fn is_custom(self) -> bool {
        self == Self::Custom
    }
}

/// `GET /roles/new` and `GET /roles/{id}/edit`; also their 422 answers.
#[derive(Debug, Clone, Template)]
#[template(path = "roles/form_dialog.html")]
pub(crate) struct FormDialog {
    /// The role that is changed; none for a new one.
    pub(crate) id: Option<String>,
    pub(crate) name: Field,
    pub(crate) description: Field,
    pub(crate) groups: Vec<PermissionGroup>,
    pub(crate) permissions_error: Option<String>,
    /// What is wrong with the whole form.
    pub(crate) error: Option<String>,
    /// When the role that the reader has seen changed last.
    pub(crate) seen: String,
    pub(crate) return_to: String,
}

impl FormDialog {
    /// Whether some boxes can't be ticked.
    fn has_locked(&self) -> bool {
        self.groups.iter().flat_map(|group| &group.choices).any(|choice| choice.locked)
    }
}

impl DialogView for FormDialog {}

/// Permissions about one thing.
#[derive(Debug, Clone)]
pub(crate) struct PermissionGroup {
    pub(crate) title: &'static str,
    pub(crate) choices: Vec<PermissionChoice>,
}

/// One permission as a checkbox.
#[derive(Debug, Clone)]
pub(crate) struct PermissionChoice {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) checked: bool,
    /// The reader doesn't have it and can't give it.
    pub(crate) locked: bool,
}

/// `GET /roles/{id}/delete`
#[derive(Debug, Clone, Template)]
#[template(path = "roles/delete_dialog.html")]
pub(crate) struct DeleteDialog {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Who uses it, in words; then it can't be deleted.
    pub(crate) used_by: Option<String>,
    /// Whether pending invites are among them.
    pub(crate) by_invites: bool,
    pub(crate) return_to: String,
}

impl DialogView for DeleteDialog {}

/// `GET /roles/matrix`
#[derive(Debug, Clone, Template)]
#[template(path = "roles/matrix.html")]
pub(crate) struct MatrixPage {
    pub(crate) page: Page,
    pub(crate) chrome: Chrome,
    pub(crate) roles: Vec<MatrixRole>,
    pub(crate) groups: Vec<MatrixGroup>,
}

/// A column of the matrix.
#[derive(Debug, Clone)]
pub(crate) struct MatrixRole {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// The rows of the matrix that are about one thing.
#[derive(Debug, Clone)]
pub(crate) struct MatrixGroup {
    pub(crate) title: &'static str,
    pub(crate) rows: Vec<MatrixRow>,
}

/// One permission, and for each role whether it has it.
#[derive(Debug, Clone)]
pub(crate) struct MatrixRow {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) cells: Vec<bool>,
}

/// `GET /roles/{id}`
#[derive(Debug, Clone, Template)]
#[template(path = "roles/show.html")]
pub(crate) struct ShowPage {
    pub(crate) page: Page,
    pub(crate) chrome: Chrome,
    pub(crate) role: RoleRow,
    pub(crate) created_at: Moment,
    /// What it allows, in words.
    pub(crate) allows: Vec<MatrixGroup>,
    pub(crate) members: Vec<MemberRow>,
    pub(crate) pager: Pager,
    pub(crate) list: Listing,
    /// Pending invites that name it, in words; none without any, and for whoever can't see invites.
    pub(crate) invites: Option<String>,
    /// Whether the reader may give and take it.
    pub(crate) can_give: bool,
}

/// Who holds a role.
#[derive(Debug, Clone)]
pub(crate) struct MemberRow {
    pub(crate) id: String,
    pub(crate) who: Who,
    pub(crate) blocked: bool,
    pub(crate) is_self: bool,
}

/// `GET /roles/{id}/give`
#[derive(Debug, Clone, Template)]
#[template(path = "roles/give_dialog.html")]
pub(crate) struct GiveDialog {
    pub(crate) id: String,
    pub(crate) name: String,
    /// What was searched for.
    pub(crate) q: String,
    pub(crate) candidates: Vec<Candidate>,
    /// Whether there are more than are shown.
    pub(crate) more: bool,
    pub(crate) error: Option<String>,
    pub(crate) return_to: String,
}

impl DialogView for GiveDialog {}

/// Somebody who could hold a role.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) id: String,
    pub(crate) who: Who,
    /// The e-mail address of a user, the end of an API key's secret.
    pub(crate) detail: String,
    pub(crate) holds: bool,
    pub(crate) chosen: bool,
}

/// One role as a checkbox, of somebody who holds it or could.
#[derive(Debug, Clone)]
pub(crate) struct RoleChoice {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) is_owner: bool,
    pub(crate) chosen: bool,
    /// Whether it is held now: what is sent is what changed since.
    pub(crate) held: bool,
    /// Why the reader may neither give nor take it.
    pub(crate) locked: Option<String>,
}
