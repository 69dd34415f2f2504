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
pub mod frequent;
mod groups;
mod health;
mod invites;
mod layers;
mod license;
mod metrics;
pub mod openapi;
mod ownership_offers;
mod parameters;
mod problem;
mod replays;
mod roles;
mod users;
mod webhooks;

use axum::{Router, middleware};
use tower_http::compression::CompressionLayer;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use self::{
    metrics::Measured,
    problem::{ApiError, ApiResult},
};
use crate::{
    app::App,
    routes::{Route, Routes, get},
};

/// Everything under `/api`, and what machines ask: `/healthz`, `/readyz` and `/metrics`.
pub fn router(app: &App) -> Router {
    routes(app)
        .into_router()
        .layer(middleware::from_fn_with_state(app.config.is_https(), layers::around))
        .with_state(app.clone())
}

/// What [`router`] answers.
fn routes(app: &App) -> Routes<App> {
    let documents = docs::routes().merge(openapi::routes());
    let with_fallbacks = |router: Router<App>| {
        router.fallback(async || ApiError::NoSuchPath).method_not_allowed_fallback(async || ApiError::NoSuchMethod)
    };
    Routes::new()
        // Not one in the other: every level of nesting is another service for each request.
        .nest("/api/v1", Routes::described(described()).map(with_fallbacks))
        .nest("/api", documents.map(|router| with_fallbacks(router.layer(CompressionLayer::new()))))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics).with_state((app.clone(), Measured::default())))
}

/// Everything that [`router`] answers.
pub fn listed(app: &App) -> Vec<Route> {
    routes(app).listed().to_vec()
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
        replays::routes(),
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
