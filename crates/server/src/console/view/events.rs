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
    /// Newest first; filtered by `actor_type`, `type`, `actor` and `object` (ids), `from` and `until` (days) and `q` (an id, or a name).
    pub(crate) list: Listing,
    /// The filters that have no field: what was clicked.
    pub(crate) only: Vec<Only>,
    pub(crate) actor_types: Vec<Choice>,
    pub(crate) types: Vec<Choice>,
    pub(crate) rows: Vec<EventRow>,
    pub(crate) pager: Pager,
}

/// A filter that shows one actor's or one object's events.
#[derive(Debug, Clone)]
pub(crate) struct Only {
    /// The filter's name in the address: `actor`.
    pub(crate) filter: &'static str,
    /// `Actor`
    pub(crate) title: &'static str,
    pub(crate) id: String,
    /// Its name, as far as an event on the page tells it; else its id.
    pub(crate) name: String,
    /// The list without it.
    pub(crate) without: String,
}

/// How an event came about.
#[derive(Debug, Clone)]
pub(crate) struct OriginView {
    /// `Console`, with the address as far as it is known.
    pub(crate) text: String,
    /// The API key that asked.
    pub(crate) api_key: Option<String>,
}

/// One event in the feed.
#[derive(Debug, Clone)]
pub(crate) struct EventRow {
    pub(crate) id: String,
    pub(crate) sequence: u64,
    pub(crate) at: Moment,
    pub(crate) event_type: String,
    pub(crate) actor: Who,
    /// The feed with what this actor did only; none for Bellwire itself.
    pub(crate) actor_href: Option<String>,
    /// What it is about, for example "Ann Lee".
    pub(crate) object: String,
    /// The feed with what is about the same object only.
    pub(crate) object_href: Option<String>,
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
    /// None for events that are older than this is written down.
    pub(crate) origin: Option<OriginView>,
    /// Whether webhooks get this type at all.
    pub(crate) delivered: bool,
    /// Pretty-printed JSON: what receivers get.
    pub(crate) body: String,
    /// Events that were caused by the same act, this one left out.
    pub(crate) related: Vec<EventRow>,
    pub(crate) deliveries: Vec<DeliveryRow>,
}
