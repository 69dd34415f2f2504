//! Offering the ownership of the workspace, and answering an offer.

use askama::Template;

use super::parts::Moment;
use super::{Chrome, DialogView, Page};

/// An offer that waits for its answer.
#[derive(Debug, Clone)]
pub(crate) struct Offered {
    pub(crate) id: String,
    /// The other one: who offers, or to whom.
    pub(crate) name: String,
    /// Until when it can be accepted.
    pub(crate) until: Moment,
}

/// `GET /ownership-offers/{id}`, for whom it was made to.
#[derive(Debug, Clone, Template)]
#[template(path = "ownership/show.html")]
pub(crate) struct ShowPage {
    pub(crate) page: Page,
    pub(crate) chrome: Chrome,
    pub(crate) offer: Offered,
    pub(crate) workspace: String,
}

/// `GET /users/{id}/ownership-offer`
#[derive(Debug, Clone, Template)]
#[template(path = "ownership/offer_dialog.html")]
pub(crate) struct OfferDialog {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) workspace: String,
    pub(crate) return_to: String,
}

impl DialogView for OfferDialog {}
