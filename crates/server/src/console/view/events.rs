//! The feed of the workspace's events, and one event with its deliveries.

use askama::Template;

use super::deliveries::DeliveryRow;
use super::listing::Listing;
use super::parts::{Choice, Moment, Pager, Who};
use super::{Chrome, Page};

/// `GET /events`
#[derive(Debug, Clone, Template)]
#[template(path = "events/list.html")]
pub(crate) struct ListPage {
    pub(crate) page: Page,
    pub(crate) chrome: Chrome,
    /// Newest first; filtered by `actor_type`, `type` and `q` (an id, or a name).
    pub(crate) list: Listing,
    pub(crate) actor_types: Vec<Choice>,
    pub(crate) types: Vec<Choice>,
    pub(crate) rows: Vec<EventRow>,
    pub(crate) pager: Pager,
}

/// One event in the feed.
#[derive(Debug, Clone)]
pub(crate) struct EventRow {
    pub(crate) id: String,
    pub(crate) sequence: u64,
    pub(crate) at: Moment,
    pub(crate) event_type: String,
    pub(crate) actor: Who,
    /// What it is about, for example "Ann Lee".
    pub(crate) object: String,
}

/// `GET /events/{id}`
#[derive(Debug, Clone, Template)]
#[template(path = "events/show.html")]
pub(crate) struct ShowPage {
    pub(crate) page: Page,
    pub(crate) chrome: Chrome,
    pub(crate) event: EventRow,
    /// The title of its type, for example "User blocked".
    pub(crate) type_title: String,
    /// Pretty-printed JSON: what receivers get.
    pub(crate) body: String,
    /// Events that were caused by the same act, this one left out.
    pub(crate) related: Vec<EventRow>,
    pub(crate) deliveries: Vec<DeliveryRow>,
}
