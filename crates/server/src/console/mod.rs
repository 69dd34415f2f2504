//! The console: pages for people, made on the server.
//!
//! A request passes the [`guard`] (a form from another site stops there), becomes a [`request::Visitor`] or a
//! [`request::Signed`], asks `ops` for what it shows or changes, fills a struct of [`view`] and is answered through
//! [`reply`]. Handlers decide nothing about the account: who may do what, and what is valid, `ops` says.
//!
//! What always holds: every change is a POST that ends on a redirect, so that loading a page again repeats nothing (but for the
//! one answer that shows an API key's new secret, which must be in no address and in no cookie); a refused dialog comes back with status 422 and what was typed (never passwords); every dialog has a URL of its own,
//! which shows it over its list when it is opened without the script; what a reader may not do is not shown, and is
//! refused all the same when asked for; no page contains a secret that nobody asked for, no log line contains one at all.

mod api_keys;
mod assets;
mod auth;
mod cookies;
mod deliveries;
mod events;
mod export;
mod groups;
mod guard;
mod invites;
mod license;
mod live;
mod ownership;
mod profile;
mod replays;
mod reply;
mod request;
mod role;
mod role_choices;
mod role_form;
mod roles;
mod secret;
mod selected;
mod settings;
mod table;
mod user_roles;
mod users;
mod view;
mod webhook;
mod webhook_form;
mod webhook_test;
mod webhooks;
mod words;

use axum::{Router, middleware};
use tower_http::compression::CompressionLayer;

use crate::{
    app::App,
    routes::{Route, Routes, get},
};

/// Everything under `/` that people open in a browser. Has its own answer for unknown paths: whatever else is served
/// under other paths needs a fallback of its own.
pub fn router(app: App) -> Router {
    routes()
        .into_router()
        .fallback(reply::nothing_here)
        .method_not_allowed_fallback(reply::nothing_here)
        .layer(middleware::from_fn_with_state(app.clone(), guard::around))
        .layer(CompressionLayer::new().compress_when(reply::may_be_compressed))
        .layer(axum::extract::DefaultBodyLimit::max(guard::LARGEST_FORM))
        .with_state(app)
}

/// Everything that [`router`] answers.
pub fn listed() -> Vec<Route> {
    routes().listed().to_vec()
}

fn routes() -> Routes<App> {
    Routes::new()
        .route("/", get(auth::start))
        .merge(auth::routes())
        .merge(profile::routes())
        .merge(users::routes())
        .merge(user_roles::routes())
        .merge(ownership::routes())
        .merge(invites::routes())
        .merge(groups::routes())
        .merge(roles::routes())
        .merge(role::routes())
        .merge(api_keys::routes())
        .merge(license::routes())
        .merge(settings::routes())
        .merge(webhooks::routes())
        .merge(selected::routes())
        .merge(webhook::routes())
        .merge(secret::routes())
        .merge(webhook_test::routes())
        .merge(deliveries::routes())
        .merge(replays::routes())
        .merge(events::routes())
        .merge(live::routes())
        .merge(assets::routes())
}
