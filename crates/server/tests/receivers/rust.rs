use http::{HeaderMap, StatusCode};
use standardwebhooks::Webhook;

/// What a handler does with the headers and the body of a request; `secret` is `whsec_…`.
pub fn receive(secret: &str, headers: &HeaderMap, body: &[u8]) -> StatusCode {
    let Ok(webhook) = Webhook::new(secret) else { return StatusCode::INTERNAL_SERVER_ERROR };
    if webhook.verify(body, headers).is_err() {
        return StatusCode::BAD_REQUEST;
    }
    let Ok(event) = serde_json::from_slice::<serde_json::Value>(body) else { return StatusCode::BAD_REQUEST };
    // Write it down here, once for each id, and do the work later.
    println!("{} {}", event["id"], event["type"]);
    StatusCode::NO_CONTENT
}
