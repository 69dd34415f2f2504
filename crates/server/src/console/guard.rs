//! What surrounds every answer of the console.
//!
//! A change (any method but GET, HEAD and OPTIONS) is let through only when the browser says that one of our own pages
//! asked for it: `Sec-Fetch-Site` where there is one, else `Origin`. A request with neither is refused: every browser
//! sends one of them with a form. Together with `SameSite=Lax` cookies this takes the place of tokens in forms.
//!
//! The guard also bounds how long a request may take, turns a [`reply::Failed`] into its page (it knows the reader's colours and
//! numbers the fault for the log), keeps and takes away the message for the next page, and puts the security headers on everything.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};

use super::{
    cookies::{self, Cookie},
    reply::{self, Failed, Flash, ShowsToasts},
    view::account::PageError,
};
use crate::{
    app::App,
    error::Error,
    time_limit::{Unanswered, bounded},
};

/// The largest form in bytes. The largest real one has every event type ticked and 16 custom headers.
pub(super) const LARGEST_FORM: usize = 256 * 1024;

/// No inline script or style, nothing from elsewhere, in nobody's frame.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // `no-referrer` would make browsers send `Origin: null` with our own forms.
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The middleware around all routes of the console.
pub(super) async fn around(State(app): State<App>, request: Request, next: Next) -> Response {
    let theme = cookies::theme(&app, request.headers());
    let had_flash = Cookie::Flash.read(&app, request.headers()).is_some();
    let allowed =
        request.method().is_safe() || comes_from_here(&app, request.method(), request.uri(), request.headers());
    let mut response = if allowed {
        bounded(next.run(request)).await.unwrap_or_else(unanswered)
    } else {
        reply::Failure::from(PageError::Forbidden).into_response()
    };

    if let Some(failed) = response.extensions_mut().remove::<Failed>() {
        response = failed.into_page(&app, theme);
    }
    if let Some(Flash(toast)) = response.extensions_mut().remove() {
        response.headers_mut().append(header::SET_COOKIE, cookies::set_flash(&app, &toast));
    } else if had_flash && response.extensions().get::<ShowsToasts>().is_some() {
        response.headers_mut().append(header::SET_COOKIE, Cookie::Flash.clear(&app));
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if app.config.is_https() {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn unanswered(why: Unanswered) -> Response {
    let error = match why {
        Unanswered::TooSlow => Error::Unavailable("a page took too long".to_owned()),
        Unanswered::Fault(error) => error,
    };
    reply::Failure::from(error).into_response()
}

/// Whether one of our own pages sent this.
fn comes_from_here(app: &App, method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or_default());
    let refused = || {
        // The end of a path may be secret, as that of an invite is.
        let begin: Vec<_> = uri.path().split('/').take(3).collect();
        tracing::info!(%method, path = begin.join("/"), "refused a form that did not come from this site");
        false
    };
    match (text(HeaderName::from_static("sec-fetch-site")), text(header::ORIGIN)) {
        // "none": the reader's own doing, such as sending a form again after a restart of the browser.
        (Some("same-origin" | "none"), _) => true,
        (None, Some(origin)) if is_ours(origin, &app.config.public_url(), text(header::HOST)) => true,
        _ => refused(),
    }
}

/// Whether `origin` is the configured address, or the address at which this very request arrived.
fn is_ours(origin: &str, public_url: &str, host: Option<&str>) -> bool {
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    origin.eq_ignore_ascii_case(public_url)
        || matches!((authority, host), (Some(authority), Some(host)) if authority.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_origin_is_ours() {
        let public = "https://hooks.example.com";
        assert!(is_ours("https://hooks.example.com", public, None));
        assert!(is_ours("https://Hooks.Example.com", public, None));
        assert!(is_ours("http://10.0.0.5:8080", public, Some("10.0.0.5:8080")));
        for origin in [
            "null",
            "",
            "://",
            "hooks.example.com",
            "http://hooks.example.com",
            "https://hooks.example.com.evil.test",
            "https://evil.test",
            "http://10.0.0.5:8081",
        ] {
            assert!(!is_ours(origin, public, Some("10.0.0.5:8080")), "{origin}");
        }
        assert!(!is_ours("https://", public, None));
        assert!(!is_ours("https://", public, Some("hooks.example.com")));
    }
}
