//! What a request says outside of its body: who asks, the ids in the path, the query, the idempotency key.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use axum::{
    RequestPartsExt,
    extract::{ConnectInfo, FromRequestParts, Path},
};
use bellwire_core::{
    event::PrincipalId,
    id::{Id, Kind},
    time::Timestamp,
};
use http::{header::AUTHORIZATION, request::Parts};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use super::{body::field_error, problem::ApiError};
use crate::{
    app::App,
    error::Error,
    ops::{self, Actor, publish::IdempotencyKey},
};

/// Whoever asks: the API key in the header `Authorization: Bearer bw_…` (RFC 6750).
#[derive(Clone, Debug)]
pub(super) struct Caller(pub Actor);

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let mut actor = ops::api_keys::authenticate(app, bearer(parts)?).await?;
        actor.origin.address = address(parts, app);
        Ok(Self(actor))
    }
}

/// As [`Caller`], for what programs send at a high rate and what is checked again in its transaction: whoever was looked up
/// a moment ago is not looked up again.
#[derive(Clone, Debug)]
pub(super) struct FrequentCaller(pub Actor);

impl FromRequestParts<App> for FrequentCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let mut actor = ops::api_keys::recognise(app, bearer(parts)?).await?;
        actor.origin.address = address(parts, app);
        Ok(Self(actor))
    }
}

fn address(parts: &Parts, app: &App) -> Option<IpAddr> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    app.config.client_ip(peer, &parts.headers)
}

fn bearer(parts: &Parts) -> Result<&str, Error> {
    let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, key) = header.and_then(|value| value.split_once(' ')).ok_or(Error::Unauthenticated)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(key.trim()) } else { Err(Error::Unauthenticated) }
}

/// A part of a path that names something.
pub(super) trait PathPart: Sized {
    /// Reads it. A text that is no id becomes the id that nobody has: what happens to it then is what happens to every
    /// other id that nobody has, so that the answers can't differ.
    fn of(text: &str) -> Self;
}

impl<K: Kind> PathPart for Id<K> {
    fn of(text: &str) -> Self {
        Self::from_str(text).unwrap_or_else(|_| Self::new(Timestamp::from_micros(0), [0; 10]))
    }
}

impl PathPart for PrincipalId {
    fn of(text: &str) -> Self {
        text.parse().unwrap_or_else(|_| Self::User(PathPart::of("")))
    }
}

/// The id in the path.
#[derive(Clone, Copy, Debug)]
pub(super) struct PathId<T>(pub T);

/// The two ids in the path.
#[derive(Clone, Copy, Debug)]
pub(super) struct PathIds<A, B>(pub A, pub B);

impl<T: PathPart> FromRequestParts<App> for PathId<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        let names = names(parts).await;
        Ok(Self(T::of(names.first().map_or("", |(_, text)| text))))
    }
}

impl<A: PathPart, B: PathPart> FromRequestParts<App> for PathIds<A, B> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        let names = names(parts).await;
        let of = |index: usize| names.get(index).map_or("", |(_, text)| text.as_str());
        Ok(Self(A::of(of(0)), B::of(of(1))))
    }
}

/// The named parts of the path; none when they are not even text.
async fn names(parts: &mut Parts) -> Vec<(String, String)> {
    parts.extract::<Path<Vec<(String, String)>>>().await.map(|Path(names)| names).unwrap_or_default()
}

/// The query. Unknown and repeated parameters are errors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn query<T: DeserializeOwned>(text: &str) -> Result<T, ApiError> {
    let pairs = serde_urlencoded::Deserializer::new(url::form_urlencoded::parse(text.as_bytes()));
    serde_path_to_error::deserialize(pairs)
        .map_err(|error| field_error(&error.path().to_string(), &error.inner().to_string()))
}

/// Which way a list is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Order {
    /// The smallest first: A before Z, the oldest before the newest.
    Asc,
    /// The largest first.
    Desc,
}

impl Order {
    /// Whether the largest comes first; `default` when nothing is asked for.
    pub(super) fn is_descending(order: Option<Self>, default: Self) -> bool {
        order.unwrap_or(default) == Self::Desc
    }
}

/// The header `Idempotency-Key`, when there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Idempotency(pub Option<IdempotencyKey>);

impl<S: Sync> FromRequestParts<S> for Idempotency {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        const NAME: &str = "Idempotency-Key";
        let mut values = parts.headers.get_all(NAME).iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        if values.next().is_some() {
            return Err(Error::invalid(NAME, "must be given once only").into());
        }
        Ok(Self(Some(IdempotencyKey::parse(value.to_str().unwrap_or_default())?)))
    }
}

/// Reads a field that may be left out but not be null (unless `T` itself may): for what is modified.
///
/// # Errors
/// When it is no `T`.
pub(super) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use bellwire_core::id::WebhookId;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Parameters {
        limit: Option<u32>,
        order: Option<Order>,
        since: Option<Timestamp>,
    }

    #[test]
    fn queries() {
        let fine: Parameters = query("limit=7&order=desc&since=2026-11-23T09%3A00%3A00Z").unwrap();
        assert_eq!((fine.limit, fine.order), (Some(7), Some(Order::Desc)));
        assert_eq!(fine.since.unwrap().to_string(), "2026-11-23T09:00:00.000000Z");
        let error = |text: &str| query::<Parameters>(text).unwrap_err().to_string();
        insta::assert_snapshot!(error("limit=x"), @"limit: must be a whole number, 0 or more");
        insta::assert_snapshot!(error("limit=-1"), @"limit: must be a whole number, 0 or more");
        insta::assert_snapshot!(error("colour=red"), @"colour: is not known here: expected one of limit, order, since");
        insta::assert_snapshot!(error("order=up"), @"order: unknown value up, expected asc or desc");
        insta::assert_snapshot!(error("limit=1&limit=2"), @"limit: must be given once only");
        insta::assert_snapshot!(error("since=yesterday"), @"since: not a time like 2026-11-23T09:00:00Z");
    }

    #[test]
    fn what_is_no_id_is_an_id_that_nobody_has() {
        let nobody = WebhookId::of("x");
        for text in ["", "wh_", "usr_01ke6jq300ejcsw3bx9d02wc0q", "\u{0}", "WH_01kjw16mm0em4ry1jygtts6an2"] {
            assert_eq!(WebhookId::of(text), nobody);
        }
        assert_eq!(WebhookId::of("wh_01kjw16mm0em4ry1jygtts6an2").to_string(), "wh_01kjw16mm0em4ry1jygtts6an2");
        assert_eq!(nobody, WebhookId::of(&nobody.to_string()));
    }
}
