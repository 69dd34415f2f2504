//! The settings of the workspace, and those of the installation that it lives with.

use askama::Template;

use super::parts::{Field, Moment};
use super::{Chrome, Page};

/// `GET /settings`; also the 422 answer of its `POST`.
#[derive(Debug, Clone, Template)]
#[template(path = "settings/show.html")]
pub(crate) struct ShowPage {
    pub(crate) page: Page,
    pub(crate) chrome: Chrome,
    pub(crate) id: String,
    pub(crate) name: Field,
    pub(crate) created_at: Moment,
    /// What only whoever runs the installation changes.
    pub(crate) operator: Vec<OperatorSetting>,
}

/// A setting of the installation.
#[derive(Debug, Clone)]
pub(crate) struct OperatorSetting {
    pub(crate) title: &'static str,
    /// "30 days"
    pub(crate) value: String,
    pub(crate) about: &'static str,
    /// Where it is set: `BELLWIRE_RETENTION`.
    pub(crate) variable: &'static str,
}
