//! How handlers answer: a page, a dialog, a redirect with a message, or a failure.
//!
//! An [`Answer`] is what every handler returns. `?` on anything of `ops` ends in a page that says what is wrong, which is
//! right for reading; forms end with [`back`], which goes back to where they came from with a message, or with
//! [`Signed::dialog`] and status 422 when the reader can put it right.

use std::sync::Arc;

use axum::response::{Html, IntoResponse, Response};
use bellwire_core::time::Timestamp;
use http::{HeaderValue, StatusCode, header};

use super::{
    request::{Person, Signed, Visitor},
    view::{
        Chrome, Dialog, DialogView, NavItem, Page, Section, Theme, Toast, WorkspaceChoice,
        account::{ErrorPage, PageError},
        ownership::Offered,
        parts::{Field, Moment},
    },
};
use crate::{
    app::App,
    db::ownership_offers::OwnershipOffer,
    error::{Error, FieldError},
    ops::{Actor, sign_in::Session},
};
use bellwire_core::permission::Permission;

/// What a handler returns.
pub(super) type Answer = Result<Response, Failure>;

/// An answer that isn't what was asked for.
#[derive(Debug)]
pub(super) struct Failure(Box<Response>);

/// Travels with an answer to the guard, which makes the page: it knows the reader's colours.
#[derive(Clone, Debug)]
pub(super) struct Failed {
    page: PageError,
    cause: Option<Arc<Error>>,
}

/// Travels with an answer to the guard, which keeps the message for the next page.
#[derive(Clone, Debug)]
pub(super) struct Flash(pub(super) Toast);

/// Travels with an answer to the guard: the kept message is shown now.
#[derive(Clone, Copy, Debug)]
pub(super) struct ShowsToasts;

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        *self.0
    }
}

impl From<Response> for Failure {
    fn from(response: Response) -> Self {
        Self(Box::new(response))
    }
}

impl From<PageError> for Failure {
    fn from(page: PageError) -> Self {
        Failed { page, cause: None }.into()
    }
}

impl From<Failed> for Failure {
    fn from(failed: Failed) -> Self {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(failed);
        response.into()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let page = match &error {
            // The session ended while the request was under way.
            Error::Unauthenticated => return see_other("/sign-in").into(),
            Error::Invalid(_) | Error::Conflict { .. } => PageError::BadRequest,
            Error::NotFound(_) => PageError::NotFound,
            Error::Forbidden(_) => PageError::Forbidden,
            Error::TooMany(_) => PageError::TooMany,
            Error::StorageFull => PageError::StorageFull,
            Error::Unavailable(_) => PageError::Unavailable,
            Error::Internal(_) => PageError::Internal,
        };
        Failed { page, cause: Some(Arc::new(error)) }.into()
    }
}

impl From<askama::Error> for Failure {
    fn from(error: askama::Error) -> Self {
        Error::Internal(format!("a page can't be rendered: {error}")).into()
    }
}

impl Failed {
    /// The page that says so. What is for the operator goes to the log, under the number that the page shows.
    pub(super) fn into_page(self, app: &App, theme: Theme) -> Response {
        let mut request_id = String::new();
        if let Some(cause) = self.cause.filter(|_| self.page.status() >= 500) {
            request_id = crate::crypt::hex(&app.random.bytes::<6>());
            tracing::error_span!("page", request_id).in_scope(|| cause.log());
        }
        let title = match self.page {
            PageError::BadRequest => "The form could not be read",
            PageError::Forbidden => "Not allowed",
            PageError::NotFound => "Nothing here",
            PageError::LinkGone => "This link no longer works",
            PageError::TooMany => "Too many tries",
            PageError::Internal => "Something went wrong",
            PageError::Unavailable => "Not available",
            PageError::StorageFull => "No room left",
        };
        let page = Page::new(title, theme);
        let status = StatusCode::from_u16(self.page.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let view = ErrorPage { page, error: self.page, request_id };
        match askama::Template::render(&view) {
            Ok(html) => (status, Html(html)).into_response(),
            Err(_) => status.into_response(),
        }
    }
}

/// Unknown paths.
pub(super) async fn nothing_here() -> Failure {
    PageError::NotFound.into()
}

/// A whole page.
///
/// # Errors
/// When the template can't be rendered.
pub(super) fn render(view: &impl askama::Template) -> Answer {
    render_with(StatusCode::OK, view)
}

/// A whole page with a status of its own: 422 for a form that is shown again.
///
/// # Errors
/// When the template can't be rendered.
pub(super) fn render_with(status: StatusCode, view: &impl askama::Template) -> Answer {
    let mut response = (status, Html(view.render()?)).into_response();
    response.extensions_mut().insert(ShowsToasts);
    Ok(response)
}

/// Travels with an answer to the compression around the console.
#[derive(Clone, Copy, Debug)]
struct Compressed;

/// Lets an answer be compressed. Not for answers that mix secrets with what a stranger typed: their length would tell.
pub(super) fn compressed(answer: Answer) -> Answer {
    answer.map(|mut response| {
        response.extensions_mut().insert(Compressed);
        response
    })
}

/// Only what says so.
pub(super) fn may_be_compressed(_: StatusCode, _: http::Version, _: &http::HeaderMap, with: &http::Extensions) -> bool {
    with.get::<Compressed>().is_some()
}

/// Go on there (303).
pub(super) fn see_other(path: &str) -> Response {
    let location = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

/// Go on there, where this is said.
pub(super) fn see_other_with(path: &str, toast: Toast) -> Response {
    let mut response = see_other(path);
    response.extensions_mut().insert(Flash(toast));
    response
}

/// Ends a form: goes back to `path` and says what was done, or why it was not.
///
/// # Errors
/// With the page of a fault; what the reader can understand is said at the top of the page instead.
pub(super) fn back<T>(path: &str, result: Result<T, Error>, said: impl FnOnce(T) -> Toast) -> Answer {
    match result {
        Ok(value) => Ok(see_other_with(path, said(value))),
        Err(
            error @ (Error::Invalid(_)
            | Error::Conflict { .. }
            | Error::NotFound(_)
            | Error::Forbidden(_)
            | Error::TooMany(_)),
        ) => {
            error.log();
            Ok(see_other_with(path, Toast::error(sentence(&error))))
        }
        Err(error) => Err(error.into()),
    }
}

/// An error as a sentence: it begins with a capital and ends with a full stop.
pub(super) fn sentence(error: &Error) -> String {
    let text = match error {
        Error::Invalid(fields) => fields.iter().map(|field| field.message.as_str()).collect::<Vec<_>>().join("; "),
        other => other.to_string(),
    };
    as_sentence(&text)
}

fn as_sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    let mut sentence: String = first.chain(letters).collect();
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

/// A field as it was typed, with what `ops` said about it: "Must be at least 12 characters long."
pub(super) fn field(name: &str, value: &str, errors: &[FieldError]) -> Field {
    Field { value: value.to_owned(), error: field_error(name, errors) }
}

/// What `ops` said about a field.
pub(super) fn field_error(name: &str, errors: &[FieldError]) -> Option<String> {
    errors.iter().find(|error| error.field == name).map(|error| as_sentence(&error.message))
}

/// Parses a field of a form as one of `core`'s types, and notes what is wrong with it.
pub(super) fn parse<T, E: std::fmt::Display>(
    name: &str,
    parsed: Result<T, E>,
    errors: &mut Vec<FieldError>,
) -> Option<T> {
    parsed.map_err(|error| errors.push(FieldError { field: name.to_owned(), message: error.to_string() })).ok()
}

/// A path of this console to go on to, or `fallback` when `text` could lead anywhere else.
pub(super) fn safe_return_to(text: &str, fallback: &str) -> String {
    let is_path = text.starts_with('/') && !text.starts_with("//") && text.len() <= 2_048;
    // Browsers read "\" as "/" and drop tabs and line breaks: only what a path is made of may be in it.
    if is_path && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        text.to_owned()
    } else {
        fallback.to_owned()
    }
}

/// A time for a page: `23 Nov 2026, 09:00`, in UTC.
pub(super) fn moment(time: Timestamp) -> Moment {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let full = time.to_string();
    let seconds = full.split('.').next().unwrap_or_default();
    let text = || {
        let (date, clock) = seconds.split_once('T')?;
        let (year_month, day) = date.rsplit_once('-')?;
        let (year, month) = year_month.rsplit_once('-')?;
        let month = MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?)?;
        Some(format!("{} {month} {year}, {}", day.trim_start_matches('0'), clock.get(..5)?))
    };
    Moment { text: text().unwrap_or_else(|| seconds.to_owned()), iso: format!("{seconds}Z") }
}

/// What one needs to open a section.
const fn needs(section: Section) -> Permission {
    match section {
        Section::Webhooks => Permission::WebhooksView,
        Section::Events => Permission::EventsView,
        Section::Users => Permission::UsersView,
        Section::Invites => Permission::InvitesManage,
        Section::Groups => Permission::GroupsView,
        Section::Roles => Permission::RolesView,
        Section::ApiKeys => Permission::ApiKeysView,
        Section::License => Permission::LicenseView,
        Section::Settings => Permission::SettingsManage,
    }
}

/// The sections that this actor may open.
pub(super) fn sections(actor: &Actor) -> impl Iterator<Item = Section> {
    Section::ALL.into_iter().filter(|section| actor.permissions.allow(needs(*section)))
}

impl Visitor {
    /// A page with the reader's colours and the message that was kept for it.
    pub(super) fn page(&self, title: &str) -> Page {
        Page { toasts: self.toasts.clone(), ..Page::new(title, self.theme) }
    }
}

/// An offer, for whom it was made to.
pub(super) fn offered_by(offer: &OwnershipOffer) -> Offered {
    Offered { id: offer.id.to_string(), name: offer.from.name.clone(), until: moment(offer.expires_at) }
}

/// The workspaces of a person.
fn choices(session: &Session, current: Option<&Actor>) -> Vec<WorkspaceChoice> {
    let choice = |(id, name): &(bellwire_core::id::WorkspaceId, String)| WorkspaceChoice {
        id: id.to_string(),
        name: name.clone(),
        current: current.is_some_and(|actor| actor.workspace == *id),
    };
    session.workspaces.iter().map(choice).collect()
}

impl Person {
    /// The workspaces to choose from.
    pub(super) fn workspaces(&self) -> Vec<WorkspaceChoice> {
        choices(&self.session, self.session.workspace.as_ref())
    }
}

impl Signed {
    /// What surrounds the page. `section` is where it is in the navigation, if it is there; `live` are the topics of
    /// `/live` that change it.
    pub(super) fn chrome(
        &self,
        section: impl Into<Option<Section>>,
        live: &'static str,
        dialog: Option<Dialog>,
    ) -> Chrome {
        let section = section.into();
        Chrome {
            here: self.here.clone(),
            workspace: self.workspace_name().to_owned(),
            workspaces: choices(&self.session, Some(&self.actor)),
            user_name: self.actor.name.clone(),
            user_email: self.session.email.clone(),
            nav: sections(&self.actor).map(|item| NavItem { section: item, current: section == Some(item) }).collect(),
            live,
            // The page of the offer says it all itself.
            offer: self.offer.as_ref().filter(|_| !self.here.starts_with("/ownership-offers/")).map(offered_by),
            dialog,
        }
    }

    /// The name of the open workspace.
    pub(super) fn workspace_name(&self) -> &str {
        let mut names = self.session.workspaces.iter().filter(|(id, _)| *id == self.actor.workspace);
        names.next().map_or("", |(_, name)| name)
    }

    /// Whether the reader may do something: what they may not is not shown.
    pub(super) fn may(&self, permission: Permission) -> bool {
        self.actor.permissions.allow(permission)
    }

    /// Answers with a dialog: alone when the script asked for it, else over the page beneath, which is at `return_to`.
    /// The status is 200, or 422 when what was sent is shown again with its errors.
    ///
    /// # Errors
    /// What the page beneath returns.
    pub(super) async fn dialog<F, B>(
        mut self,
        status: StatusCode,
        dialog: &impl DialogView,
        return_to: &str,
        beneath: B,
    ) -> Answer
    where
        B: FnOnce(Self, StatusCode, Option<Dialog>) -> F,
        F: Future<Output = Answer>,
    {
        let dialog = Dialog::render(dialog)?;
        if self.wants_dialog {
            return Ok((status, Html(dialog.into_html())).into_response());
        }
        return_to.clone_into(&mut self.visitor.here);
        self.visitor.query = super::request::Fields::of_path(return_to);
        beneath(self, status, Some(dialog)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_local_paths_are_gone_back_to() {
        for path in ["/", "/webhooks", "/webhooks?q=a%20b&sort=url", "/users?return_to=//evil.test"] {
            assert_eq!(safe_return_to(path, "/"), path);
        }
        for other in [
            "",
            "webhooks",
            "//evil.test",
            "/\\evil.test",
            "\\/evil.test",
            "/\t/evil.test",
            "/\n//evil.test",
            "/a\r\nSet-Cookie: a=b",
            " /webhooks",
            "https://evil.test",
            "javascript:alert(1)",
            "/é",
        ] {
            assert_eq!(safe_return_to(other, "/home"), "/home", "{other:?}");
        }
        assert_eq!(safe_return_to(&format!("/{}", "a".repeat(3_000)), "/home"), "/home");
    }

    #[test]
    fn times_are_read_without_the_script() {
        let shown = moment(Timestamp::parse("2026-11-03T09:05:07.123456Z").unwrap());
        assert_eq!((shown.text.as_str(), shown.iso.as_str()), ("3 Nov 2026, 09:05", "2026-11-03T09:05:07Z"));
        assert_eq!(shown.utc(), "2026-11-03 09:05:07 UTC");
        assert!(!moment(Timestamp::from_micros(i64::MIN)).text.is_empty());
    }

    #[test]
    fn errors_are_sentences() {
        assert_eq!(sentence(&Error::invalid("name", "must not be empty")), "Must not be empty.");
        assert_eq!(
            sentence(&Error::conflict("last_owner", "A workspace needs an owner.")),
            "A workspace needs an owner."
        );
    }
}
