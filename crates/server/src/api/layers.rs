//! What holds for every request of the API, whichever handler it reaches: a time limit, an answer even when a handler panics,
//! and headers that leave browsers nothing to guess.
//!
//! One layer and not three: each would be another service to clone and another future to box and move for every request, which
//! together cost more than reading the request does.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
        X_CONTENT_TYPE_OPTIONS,
    },
};

use super::problem::ApiError;
use crate::time_limit::{Unanswered, bounded};

/// Runs a request. What a request that is given up had begun to write is still all written or not at all.
pub(super) async fn around(State(is_https): State<bool>, request: Request, next: Next) -> Response {
    guarded(is_https, next.run(request)).await
}

/// The same around an answer that is on its way.
pub(super) async fn guarded(is_https: bool, answer: impl Future<Output = Response>) -> Response {
    let mut response = bounded(answer).await.unwrap_or_else(|why| match why {
        Unanswered::TooSlow => ApiError::TooSlow.into_response(),
        Unanswered::Fault(error) => ApiError::from(error).into_response(),
    });
    security_headers(&mut response, is_https);
    response
}

/// Headers that every answer has, unless the handler has set its own.
fn security_headers(response: &mut Response, is_https: bool) {
    const ALWAYS: [(HeaderName, HeaderValue); 5] = [
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
        (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    let headers = response.headers_mut();
    headers.reserve(ALWAYS.len() + 1);
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(value);
    }
    if is_https {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_shows_nothing_of_itself() {
        let response = guarded(false, async { panic!("secret") }).await;
        assert_eq!(response.status(), http::StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[http::header::CONTENT_TYPE], super::super::problem::PROBLEM_JSON);
    }
}
