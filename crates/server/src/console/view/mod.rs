//! What the console's pages show: the view model.
//!
//! Every page and every dialog is one struct here with one template in `console/templates`. Handlers fill the struct
//! and render it; nothing else writes HTML. The structs hold text and numbers that are ready to be shown: no database
//! type, no clock, no permission check reaches a template.
//!
//! What always holds: a dialog has a URL of its own, and the same [`Dialog`] is either the whole answer (the script
//! asked for it with `X-Dialog: 1`) or part of a page; every link that leaves a list and comes back carries the list's
//! own address as `return_to`; no template contains inline script or style, so the strict content security policy
//! needs no exception.

pub(crate) mod account;
pub(crate) mod api_keys;
pub(crate) mod assets;
pub(crate) mod deliveries;
pub(crate) mod events;
pub(crate) mod groups;
pub(crate) mod health;
pub(crate) mod invites;
pub(crate) mod license;
pub(crate) mod listing;
pub(crate) mod ownership;
pub(crate) mod parts;
pub(crate) mod recent;
pub(crate) mod replays;
pub(crate) mod roles;
pub(crate) mod selected;
pub(crate) mod settings;
pub(crate) mod snippets;
pub(crate) mod users;
pub(crate) mod webhook;
pub(crate) mod webhooks;

#[cfg(test)]
mod tests;

use askama::Template;

/// What every page has, signed in or not.
#[derive(Debug, Clone, Default)]
pub(crate) struct Page {
    /// The page's name, without the product's.
    pub(crate) title: String,
    pub(crate) theme: Theme,
    /// Messages at the top of the page, in the order in which they are read.
    pub(crate) toasts: Vec<Toast>,
}

impl Page {
    /// A page with nothing to say yet.
    pub(crate) fn new(title: impl Into<String>, theme: Theme) -> Self {
        Self { title: title.into(), theme, toasts: Vec::new() }
    }
}

/// The reader's choice of colours, kept in the cookie `theme`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Theme {
    /// What the reader's system says.
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    /// Every choice, in the order of the menu.
    pub(crate) const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// The value of the cookie, of the form field and of `<html data-theme>`.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Reads a cookie or a form field; anything unknown is the system's choice.
    pub(crate) fn from_key(key: &str) -> Self {
        Self::ALL.into_iter().find(|theme| theme.key() == key).unwrap_or_default()
    }
}

/// A message at the top of the page.
#[derive(Debug, Clone)]
pub(crate) struct Toast {
    pub(crate) kind: ToastKind,
    pub(crate) text: String,
    /// Where to go on, for example to the page of the webhook that was made.
    pub(crate) link: Option<ToastLink>,
}

impl Toast {
    /// Something was done.
    pub(crate) fn success(text: impl Into<String>) -> Self {
        Self { kind: ToastKind::Success, text: text.into(), link: None }
    }

    /// Something could not be done. Stays until it is dismissed.
    pub(crate) fn error(text: impl Into<String>) -> Self {
        Self { kind: ToastKind::Error, text: text.into(), link: None }
    }

    /// The same message with a link behind it.
    pub(crate) fn with_link(mut self, href: impl Into<String>, text: impl Into<String>) -> Self {
        self.link = Some(ToastLink { href: href.into(), text: text.into() });
        self
    }

    /// Errors are announced at once and stay.
    pub(crate) fn is_error(&self) -> bool {
        self.kind == ToastKind::Error
    }
}

/// How a [`Toast`] is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToastKind {
    /// `role=status`; goes away by itself when the script runs.
    Success,
    /// `role=alert`.
    Error,
}

/// The link of a [`Toast`].
#[derive(Debug, Clone)]
pub(crate) struct ToastLink {
    pub(crate) href: String,
    pub(crate) text: String,
}

/// What surrounds a signed-in page.
#[derive(Debug, Clone)]
pub(crate) struct Chrome {
    /// Path and query of this page: where the theme form comes back to.
    pub(crate) here: String,
    /// The name of the open workspace.
    pub(crate) workspace: String,
    /// Every workspace of the user, the open one too.
    pub(crate) workspaces: Vec<WorkspaceChoice>,
    pub(crate) user_name: String,
    pub(crate) user_email: String,
    /// Only what this user may open, in the order in which it is shown.
    pub(crate) nav: Vec<NavItem>,
    /// The topics of `/live` that change this page, separated by spaces; empty for none.
    pub(crate) live: &'static str,
    /// What somebody offers to the user, who hasn't answered yet.
    pub(crate) offer: Option<ownership::Offered>,
    /// The dialog whose URL was opened, if it was one.
    pub(crate) dialog: Option<Dialog>,
}

impl Chrome {
    /// Whether the reader may open the feed of events.
    pub(crate) fn shows_events(&self) -> bool {
        self.nav.iter().any(|item| item.section == Section::Events)
    }

    /// Up to two letters for the round mark of the user menu.
    pub(crate) fn initials(&self) -> String {
        initials(&self.user_name)
    }
}

/// Up to two letters that stand for a name.
pub(crate) fn initials(name: &str) -> String {
    let mut words = name.split_whitespace().filter_map(|word| word.chars().next());
    let first = words.next();
    first.into_iter().chain(words.next_back()).flat_map(char::to_uppercase).collect()
}

/// A workspace in the switcher and on the page where one is chosen.
#[derive(Debug, Clone)]
pub(crate) struct WorkspaceChoice {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) current: bool,
}

/// One entry of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NavItem {
    pub(crate) section: Section,
    pub(crate) current: bool,
}

/// A place in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Webhooks,
    Events,
    Users,
    Invites,
    Groups,
    Roles,
    ApiKeys,
    License,
    Settings,
}

impl Section {
    /// Every section, in the order of the navigation.
    pub(crate) const ALL: [Self; 9] = [
        Self::Webhooks,
        Self::Events,
        Self::Users,
        Self::Invites,
        Self::Groups,
        Self::Roles,
        Self::ApiKeys,
        Self::License,
        Self::Settings,
    ];

    /// Path, name and icon.
    const fn parts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Webhooks => ("/webhooks", "Webhooks", "bell"),
            Self::Events => ("/events", "Events", "activity"),
            Self::Users => ("/users", "Users", "user"),
            Self::Invites => ("/invites", "Invites", "mail"),
            Self::Groups => ("/groups", "Groups", "group"),
            Self::Roles => ("/roles", "Roles", "shield"),
            Self::ApiKeys => ("/api-keys", "API Keys", "key"),
            Self::License => ("/license", "License", "gauge"),
            Self::Settings => ("/settings", "Settings", "settings"),
        }
    }

    pub(crate) const fn path(self) -> &'static str {
        self.parts().0
    }

    pub(crate) const fn name(self) -> &'static str {
        self.parts().1
    }

    /// The symbol in `parts/icons.html`.
    pub(crate) const fn icon(self) -> &'static str {
        self.parts().2
    }
}

/// A rendered `<dialog>`: made from a dialog's view only, so that a page can show it without escaping it again.
#[derive(Debug, Clone)]
pub(crate) struct Dialog(String);

/// A view that is one whole `<dialog>`.
pub(crate) trait DialogView: Template {}

impl Dialog {
    /// Renders a dialog.
    ///
    /// # Errors
    /// What the template reports; with views of plain text there is nothing to report.
    pub(crate) fn render(view: &impl DialogView) -> askama::Result<Self> {
        view.render().map(Self)
    }

    /// The fragment that answers a request with `X-Dialog: 1`.
    pub(crate) fn into_html(self) -> String {
        self.0
    }
}

impl std::fmt::Display for Dialog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl askama::filters::HtmlSafe for Dialog {}
