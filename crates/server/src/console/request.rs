//! What a handler gets: who is asking, from where, and the fields that were sent.
//!
//! [`Visitor`] is anybody, [`Person`] is somebody who signed in, [`Signed`] is a person with an open workspace, as whom
//! `ops` is asked. Whoever isn't signed in is sent to the sign-in page and comes back afterwards; a person without an open
//! workspace is sent to choose one. Who may do what is asked anew with every request, so a blocked user is out at once.

use std::{
    net::{IpAddr, SocketAddr},
    ops::Deref,
};

use axum::{
    body::Bytes,
    extract::{ConnectInfo, FromRequest, FromRequestParts, Request},
};
use http::{Method, header, request::Parts};
use url::form_urlencoded;

use super::{
    cookies::{self, Cookie},
    reply::{self, Failure},
    view::{Theme, Toast, account::PageError},
};
use crate::{
    app::App,
    db::ownership_offers::OwnershipOffer,
    ops::{
        Actor, ownership,
        sign_in::{self, Session},
    },
};

/// Anybody.
pub(super) struct Visitor {
    pub(super) app: App,
    pub(super) theme: Theme,
    /// What the page before left to say.
    pub(super) toasts: Vec<Toast>,
    /// Path and query of this page; for a form, of the start page, until the handler says better.
    pub(super) here: String,
    /// The fields of the query.
    pub(super) query: Fields,
    /// Whether the script wants a dialog alone, without its page.
    pub(super) wants_dialog: bool,
    /// The session's token, whether it is still good or not.
    pub(super) token: Option<String>,
    /// Where the reader is, as far as it can be known.
    pub(super) client_ip: Option<IpAddr>,
}

/// Somebody who is signed in.
pub(super) struct Person {
    visitor: Visitor,
    pub(super) session: Session,
}

/// Somebody who is signed in and has a workspace open.
pub(super) struct Signed {
    pub(super) visitor: Visitor,
    pub(super) session: Session,
    pub(super) actor: Actor,
    /// The ownership of the workspace, when somebody offers it to the reader.
    pub(super) offer: Option<OwnershipOffer>,
}

impl Deref for Person {
    type Target = Visitor;

    fn deref(&self) -> &Visitor {
        &self.visitor
    }
}

impl Deref for Signed {
    type Target = Visitor;

    fn deref(&self) -> &Visitor {
        &self.visitor
    }
}

impl FromRequestParts<App> for Visitor {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let here = match parts.method {
            Method::GET | Method::HEAD => parts.uri.path_and_query().map_or("/", |path| path.as_str()),
            _ => "/",
        };
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        Ok(Self {
            theme: cookies::theme(app, &parts.headers),
            toasts: cookies::flash(app, &parts.headers).into_iter().collect(),
            here: here.to_owned(),
            query: Fields::parse(parts.uri.query().unwrap_or_default().as_bytes()),
            wants_dialog: parts.headers.get("x-dialog").is_some_and(|value| value == "1"),
            token: Cookie::Session.read(app, &parts.headers),
            client_ip: app.config.client_ip(peer, &parts.headers),
            app: app.clone(),
        })
    }
}

impl Visitor {
    /// Whoever is signed in with the cookie of this request.
    ///
    /// # Errors
    /// When the database can't be asked.
    pub(super) async fn session(&self) -> Result<Option<Session>, Failure> {
        match &self.token {
            Some(token) => Ok(sign_in::session(&self.app, token).await?),
            None => Ok(None),
        }
    }
}

impl FromRequestParts<App> for Person {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let Ok(visitor) = Visitor::from_request_parts(parts, app).await;
        match visitor.session().await? {
            Some(session) => Ok(Self { visitor, session }),
            None => Err(reply::see_other(&sign_in_path(&visitor.here)).into()),
        }
    }
}

impl FromRequestParts<App> for Signed {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let Person { visitor, session } = Person::from_request_parts(parts, app).await?;
        match session.workspace.clone() {
            Some(mut actor) => {
                actor.origin.address = visitor.client_ip;
                let offer = ownership::offered_to(app, &actor).await?;
                Ok(Self { visitor, session, actor, offer })
            }
            None => Err(reply::see_other("/workspaces").into()),
        }
    }
}

/// The sign-in page that leads back to `here`.
fn sign_in_path(here: &str) -> String {
    if here == "/" {
        return "/sign-in".to_owned();
    }
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("return_to", here).finish();
    format!("/sign-in?{query}")
}

/// The fields of a form or a query, in the order in which they were sent. A name may come more than once.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads `application/x-www-form-urlencoded` text. There is no text that it isn't.
    pub(super) fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The query of a path such as a `return_to`.
    pub(super) fn of_path(path: &str) -> Self {
        Self::parse(path.split_once('?').map_or("", |(_, query)| query).as_bytes())
    }

    /// The first value of a field; empty when there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// Every value of a field.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Where the form came from, or `fallback`.
    pub(super) fn return_to(&self, fallback: &str) -> String {
        reply::safe_return_to(self.text("return_to"), fallback)
    }
}

impl FromRequest<App> for Fields {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &App) -> Result<Self, Failure> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        // A form without fields, such as the one of Sign out, may come without a type.
        if content_type.is_some_and(|kind| !kind.starts_with("application/x-www-form-urlencoded")) {
            return Err(PageError::BadRequest.into());
        }
        let body = Bytes::from_request(request, app).await.map_err(|_| Failure::from(PageError::BadRequest))?;
        Ok(Self::parse(&body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_may_come_more_than_once() {
        let fields = Fields::parse(b"roles=a&email=ann%40example.com&roles=b&empty=&return_to=%2Fusers%3Fq%3D1");
        assert_eq!(fields.all("roles").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(fields.text("email"), "ann@example.com");
        assert_eq!(fields.text("empty"), "");
        assert_eq!(fields.text("missing"), "");
        assert_eq!(fields.return_to("/"), "/users?q=1");
        assert_eq!(Fields::of_path("/users?q=1&page=2").text("page"), "2");
        assert_eq!(Fields::of_path("/users").text("page"), "");
    }

    #[test]
    fn the_sign_in_page_leads_back() {
        assert_eq!(sign_in_path("/"), "/sign-in");
        assert_eq!(sign_in_path("/users?q=a&page=2"), "/sign-in?return_to=%2Fusers%3Fq%3Da%26page%3D2");
    }
}
