//! The short way of the few requests that programs send thousands of times a second.
//!
//! A router looks the path up, and every level of it clones a service and moves a boxed future: together more than reading the
//! request costs. Here the path is compared and the handler called. It is the same handler with the same [`layers`] around it as
//! in the [`router`](super::router), where these routes stand too, so that they are described, listed and in the matrix.

use axum::{extract::Request, handler::Handler as _, response::Response};
use http::Method;

use super::{events, layers, license};
use crate::app::App;

/// Answers a request of that kind; any other one is given back.
///
/// # Errors
/// With the request, for the router.
pub fn answer(app: &App, request: Request) -> Result<impl Future<Output = Response> + Send + use<>, Box<Request>> {
    if request.method() != Method::POST {
        return Err(Box::new(request));
    }
    let state = app.clone();
    let answer = match request.uri().path() {
        "/api/v1/events" => events::publish.call(request, state),
        "/api/v1/events/batch" => events::publish_batch.call(request, state),
        "/api/v1/license/usage" => license::report.call(request, state),
        _ => return Err(Box::new(request)),
    };
    Ok(layers::guarded(app.config.is_https(), answer))
}
