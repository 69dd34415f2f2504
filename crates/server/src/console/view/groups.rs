//! The groups of the workspace, one group with its members, and the dialogs that change them.

use askama::Template;

use super::listing::Listing;
use super::parts::{Choice, Field, Moment, Pager, Who};
use super::{Chrome, DialogView, Page};

/// `GET /groups`
#[derive(Debug, Clone, Template)]
#[template(path = "groups/list.html")]
pub(crate) struct ListPage {
    pub(crate) page: Page,
    pub(crate) chrome: Chrome,
    /// Sorted by `name`, `owner`, `members` or `created_at`; filtered by `q`.
    pub(crate) list: Listing,
    pub(crate) rows: Vec<GroupRow>,
    pub(crate) pager: Pager,
    /// Whether the reader may create, change and delete groups.
    pub(crate) can_manage: bool,
}

/// One group in the list.
#[derive(Debug, Clone)]
pub(crate) struct GroupRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) owner: Who,
    pub(crate) members: u32,
    pub(crate) created_at: Moment,
}

/// `GET /groups/{id}`
#[derive(Debug, Clone, Template)]
#[template(path = "groups/show.html")]
pub(crate) struct ShowPage {
    pub(crate) page: Page,
    pub(crate) chrome: Chrome,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) owner: Who,
    pub(crate) created_at: Moment,
    /// Of the members: sorted by `name` or `added_at`; filtered by `q`.
    pub(crate) list: Listing,
    pub(crate) rows: Vec<MemberRow>,
    pub(crate) pager: Pager,
    pub(crate) can_manage: bool,
}

impl ShowPage {
    /// For the links to dialogs: where they come back to.
    fn back(&self) -> String {
        self.list.back()
    }
}

/// A user or API key in a group.
#[derive(Debug, Clone)]
pub(crate) struct MemberRow {
    pub(crate) id: String,
    pub(crate) who: Who,
    /// Of a user whom the reader may see.
    pub(crate) email: Option<String>,
    pub(crate) blocked: bool,
    pub(crate) added_at: Moment,
}

/// `GET /groups/new` and `GET /groups/{id}/edit`
#[derive(Debug, Clone, Template)]
#[template(path = "groups/form_dialog.html")]
pub(crate) struct FormDialog {
    /// The group that is changed; `None` when one is created.
    pub(crate) id: Option<String>,
    pub(crate) name: Field,
    pub(crate) owners: Vec<Choice>,
    pub(crate) owner_error: Option<String>,
    /// Whether there are more who could own it than are offered.
    pub(crate) more: bool,
    pub(crate) return_to: String,
}

impl DialogView for FormDialog {}

/// `GET /groups/{id}/members/add`
#[derive(Debug, Clone, Template)]
#[template(path = "groups/add_dialog.html")]
pub(crate) struct AddDialog {
    pub(crate) id: String,
    pub(crate) name: String,
    /// What was searched for.
    pub(crate) search: String,
    pub(crate) candidates: Vec<Candidate>,
    /// Whether more match than are offered.
    pub(crate) more: bool,
    pub(crate) error: Option<String>,
    pub(crate) return_to: String,
}

impl DialogView for AddDialog {}

/// Somebody who can be added.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) id: String,
    pub(crate) who: Who,
    pub(crate) email: Option<String>,
    pub(crate) chosen: bool,
}

/// `GET /groups/{id}/delete`
#[derive(Debug, Clone, Template)]
#[template(path = "groups/delete_dialog.html")]
pub(crate) struct DeleteDialog {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) members: u32,
    pub(crate) return_to: String,
}

impl DialogView for DeleteDialog {}
