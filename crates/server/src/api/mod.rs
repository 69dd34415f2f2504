//! The HTTP API, version 1: JSON for programs.
//!
//! A handler takes what the request says apart, calls the one function of [`ops`](crate::ops) that does the work, and shows what
//! it returns: nothing is decided here. Programs show an API key ([`parameters::Caller`]); all else that a request brings is
//! made valid by an extractor, and whatever isn't valid is answered as RFC 9457 says ([`problem`]).
//!
//! Routes and their description are one: [`described`] gives the router and the OpenAPI document together, so a route that is
//! not described can't exist. `/api/docs` is made from the same document.

mod api_keys;
mod body;
mod deliveries;
mod docs;
mod event_types;
mod events;
mod groups;
mod health;
mod invites;
mod layers;
mod license;
pub mod openapi;
mod ownership_offers;
mod parameters;
mod problem;
mod roles;
mod users;
mod webhooks;

use std::sync::Arc;

use axum::{Router, middleware};
use tower_http::compression::CompressionLayer;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use self::{
    health::Requests,
    layers::Around,
    problem::{ApiError, ApiResult},
};
use crate::{
    app::App,
    routes::{Route, Routes, get},
};

/// Everything under `/api`, and what machines ask: `/healthz`, `/readyz` and `/metrics`.
pub fn router(app: &App) -> Router {
    let requests = Arc::new(Requests::default());
    let around = Around { requests: Arc::clone(&requests), is_https: app.config.is_https() };
    routes(app, &requests)
        .into_router()
        .layer(middleware::from_fn_with_state(Arc::new(around), layers::around))
        .with_state(app.clone())
}

/// What [`router`] answers, with what it counts.
fn routes(app: &App, requests: &Arc<Requests>) -> Routes<App> {
    let document = openapi::document();
    let documents = docs::routes(&document).merge(openapi::routes(&document));
    let with_fallbacks = |router: Router<App>| {
        router.fallback(async || ApiError::NoSuchPath).method_not_allowed_fallback(async || ApiError::NoSuchMethod)
    };
    Routes::new()
        // Not one in the other: every level of nesting is another service for each request.
        .nest("/api/v1", Routes::described(described()).map(with_fallbacks))
        .nest("/api", documents.map(|router| with_fallbacks(router.layer(CompressionLayer::new()))))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics).with_state((app.clone(), Arc::clone(requests))))
}

/// Everything that [`router`] answers.
pub fn listed(app: &App) -> Vec<Route> {
    routes(app, &Arc::default()).listed().to_vec()
}

/// All routes of `/api/v1`, with their description.
fn described() -> OpenApiRouter<App> {
    parts().into_iter().fold(OpenApiRouter::default(), OpenApiRouter::routes)
}

/// The routes, a path at a time.
fn parts() -> Vec<UtoipaMethodRouter<App>> {
    [
        webhooks::routes(),
        deliveries::routes(),
        event_types::routes(),
        events::routes(),
        users::routes(),
        invites::routes(),
        groups::routes(),
        roles::routes(),
        ownership_offers::routes(),
        api_keys::routes(),
        license::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
