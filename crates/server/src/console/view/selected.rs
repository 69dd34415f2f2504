//! The question before several webhooks are changed at once.

use askama::Template;

use super::DialogView;

/// What is done to the selected webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SelectedChange {
    Activate,
    Deactivate,
    Delete,
}

impl SelectedChange {
    pub(crate) const ALL: [Self; 3] = [Self::Activate, Self::Deactivate, Self::Delete];

    /// The value of the form field.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Activate => "activate",
            Self::Deactivate => "deactivate",
            Self::Delete => "delete",
        }
    }

    pub(crate) fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|change| change.key() == key)
    }

    /// The word on its button.
    pub(crate) const fn verb(self) -> &'static str {
        match self {
            Self::Activate => "Activate",
            Self::Deactivate => "Deactivate",
            Self::Delete => "Delete",
        }
    }

    pub(crate) const fn icon(self) -> &'static str {
        match self {
            Self::Activate => "check",
            Self::Deactivate => "ban",
            Self::Delete => "trash",
        }
    }

    pub(crate) fn is_delete(self) -> bool {
        self == Self::Delete
    }

    /// What becomes of the webhooks.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Activate => "Events are sent to them again.",
            Self::Deactivate => {
                "Nothing is sent to them. Events are held until you turn them on again, as long as events are kept."
            }
            Self::Delete => {
                "They receive no more events, and what is still owed to them is cancelled. To pause them instead, deactivate them."
            }
        }
    }
}

/// `GET /webhooks/selected`
#[derive(Debug, Clone, Template)]
#[template(path = "webhooks/selected_dialog.html")]
pub(crate) struct SelectedDialog {
    pub(crate) change: SelectedChange,
    /// The ids and URLs of the webhooks that are there.
    pub(crate) webhooks: Vec<(String, String)>,
    /// Whether some of them have events held, which turning them on asks about.
    pub(crate) held: bool,
    pub(crate) return_to: String,
}

impl DialogView for SelectedDialog {}

impl SelectedDialog {
    /// URLs that are shown; of more there is the number.
    const SHOWN: usize = 8;

    /// "Delete 3 webhooks"
    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.change.verb(), count(self.webhooks.len()))
    }

    pub(crate) fn shown(&self) -> impl Iterator<Item = &str> {
        self.webhooks.iter().take(Self::SHOWN).map(|(_, url)| url.as_str())
    }

    pub(crate) fn more(&self) -> usize {
        self.webhooks.len().saturating_sub(Self::SHOWN)
    }
}

/// "1 webhook", "3 webhooks"
pub(crate) fn count(webhooks: usize) -> String {
    format!("{webhooks} webhook{}", if webhooks == 1 { "" } else { "s" })
}
