//! One delivery: what was sent and what was answered side by side, every attempt, and sending it again.

use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

use axum::extract::Path;
use bellwire_core::{
    delivery::State,
    id::DeliveryId,
    json,
    permission::Permission,
    sign::{ID_HEADER, TIMESTAMP_HEADER},
    time::Timestamp,
};
use http::StatusCode;

use super::{
    reply::{self, Answer, moment},
    request::{Fields, Signed},
    view::{
        Dialog, Section, Toast,
        deliveries::{CurlDialog, DeliveryPage, NextAttempt},
        parts::LongUrl,
    },
    webhooks::id,
    words,
};
use crate::{
    app::App,
    db::attempts::Attempt,
    error::Error,
    ops::{
        deliveries::{self, DeliveryDetails, SignedRequest},
        overview,
    },
    routes::{Routes, get, post},
};

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .route("/deliveries/{id}", get(show))
        .route("/deliveries/{id}/resend", post(resend))
        .route("/deliveries/{id}/curl", get(curl_dialog))
}

async fn show(signed: Signed, Path(text): Path<String>) -> Answer {
    page(signed, id(&text)?, StatusCode::OK, None).await
}

async fn page(signed: Signed, delivery: DeliveryId, status: StatusCode, dialog: Option<Dialog>) -> Answer {
    let (app, actor) = (&signed.app, &signed.actor);
    let it = deliveries::get(app, actor, delivery).await?;
    let url = overview::urls(app, actor, BTreeSet::from([it.webhook_id])).await?.remove(&it.webhook_id);
    let body = serde_json::to_string(&it.event).map_err(Error::from)?;
    let asked = signed.query.text("attempt").parse::<u32>().ok();
    let shown = it.attempts.iter().find(|attempt| Some(attempt.number) == asked).or(it.attempts.last());
    let view = DeliveryPage {
        page: signed.page("Delivery"),
        chrome: signed.chrome(Section::Webhooks, "deliveries", dialog),
        id: it.id.to_string(),
        event_id: it.event_id.to_string(),
        event_type: it.event_type.clone(),
        sequence: (!it.event.test).then_some(it.event.sequence.unsigned_abs()),
        can_see_event: signed.may(Permission::EventsView),
        webhook_id: if url.is_some() { it.webhook_id.to_string() } else { String::new() },
        can_manage: url.is_some() && signed.may(Permission::WebhooksManage),
        webhook_url: LongUrl::new(url.unwrap_or_else(|| words::DELETED.to_owned())),
        state: words::delivery_state(it.state),
        at: moment(it.event.timestamp),
        note: note(&it),
        next_attempt: it.next_attempt_at.map(|at| next_attempt(at, app.clock.now())),
        request_headers: request_headers(&it, shown),
        request_body: json::pretty(&body),
        shown: shown.map(words::exchange),
        attempts: it.attempts.iter().rev().map(words::attempt).collect(),
    };
    reply::render_with(status, &view)
}

/// How a delivery stands, and what becomes of it.
fn note(it: &DeliveryDetails) -> String {
    let tries = match it.attempts.len() {
        1 => "1 attempt".to_owned(),
        count => format!("{count} attempts"),
    };
    match it.state {
        State::Delivered => format!("The receiver took it, after {tries}."),
        State::Failed => format!("Given up after {tries}. Resend it when the receiver works again."),
        State::Held => "Held, because the webhook is inactive. It is sent when the webhook is turned on.".to_owned(),
        State::Cancelled => "Cancelled: it was skipped, or its webhook was deleted.".to_owned(),
        State::Pending if it.attempts.is_empty() => "It is about to be sent.".to_owned(),
        State::Pending if it.next_attempt_at.is_none() => format!("It is being sent again, after {tries}."),
        State::Pending => format!("Not delivered yet, after {tries}."),
    }
}

fn next_attempt(at: Timestamp, now: Timestamp) -> NextAttempt {
    let left = at.since(now);
    let distance = if left.is_zero() { "now".to_owned() } else { format!("in {}", words::length(left)) };
    NextAttempt { at: moment(at), distance }
}

/// The headers of an attempt that are known: signatures are not kept, custom headers are not shown.
fn request_headers(it: &DeliveryDetails, shown: Option<&Attempt>) -> Vec<(String, String)> {
    let header = |name: &str, value: String| (name.to_owned(), value);
    let mut headers = vec![
        header("content-type", "application/json".to_owned()),
        header("user-agent", concat!("Bellwire/", env!("CARGO_PKG_VERSION")).to_owned()),
        header(ID_HEADER, it.event_id.to_string()),
    ];
    headers.extend(shown.map(|it| header(TIMESTAMP_HEADER, it.started_at.as_seconds().to_string())));
    headers
}

/// How far from now receivers take a time, as Standard Webhooks recommends.
const TOLERANCE: Duration = Duration::from_mins(5);

async fn curl_dialog(signed: Signed, Path(text): Path<String>) -> Answer {
    let delivery: DeliveryId = id(&text)?;
    let request = deliveries::signed(&signed.app, &signed.actor, delivery).await?;
    let return_to = signed.query.return_to(&format!("/deliveries/{text}"));
    let dialog = CurlDialog {
        command: curl(&request),
        until: moment(signed.app.clock.now().saturating_add(TOLERANCE)),
        hidden: request.custom_headers.join(", "),
        return_to: return_to.clone(),
    };
    signed.dialog(StatusCode::OK, &dialog, &return_to, |it, status, dialog| page(it, delivery, status, dialog)).await
}

/// A command for a POSIX shell. Brackets and braces of the URL stand for themselves (`-g`).
fn curl(request: &SignedRequest) -> String {
    let mut command = format!("curl -g -i {}", quoted(request.url.as_str()));
    let custom = request.custom_headers.iter().map(|name| format!("{name}: ..."));
    let known = request.headers.iter().map(|(name, value)| format!("{name}: {value}"));
    for header in known.chain(custom) {
        let _ = write!(command, " \\\n  -H {}", quoted(&header));
    }
    let _ = write!(command, " \\\n  --data-raw {}", quoted(&request.body));
    command
}

/// One word of a shell command, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

async fn resend(signed: Signed, Path(text): Path<String>, fields: Fields) -> Answer {
    let delivery: DeliveryId = id(&text)?;
    let done = deliveries::resend(&signed.app, &signed.actor, delivery).await;
    reply::back(&fields.return_to(&format!("/deliveries/{text}")), done, |_| {
        Toast::success("The delivery is sent again.")
    })
}

#[cfg(test)]
mod tests {
    use bellwire_core::webhook_url::WebhookUrl;

    use super::*;

    #[test]
    fn the_next_attempt_is_told_from_now() {
        let now = Timestamp::parse("2026-11-23T09:00:00Z").unwrap();
        assert_eq!(next_attempt(now.saturating_add(Duration::from_mins(5)), now).distance, "in 5 minutes");
        assert_eq!(next_attempt(now, now.saturating_add(Duration::from_mins(5))).distance, "now");
    }

    #[test]
    fn nothing_in_a_command_is_more_than_a_word() {
        let request = SignedRequest {
            url: WebhookUrl::parse("https://example.com/a?b=$(reboot)").unwrap(),
            headers: vec![("webhook-id", "evt_1".to_owned())],
            custom_headers: vec!["authorization".to_owned()],
            body: r#"{"name":"it's `x` $HOME"}"#.to_owned(),
        };
        assert_eq!(
            curl(&request),
            "curl -g -i 'https://example.com/a?b=$(reboot)' \\\n  -H 'webhook-id: evt_1' \\\n  -H 'authorization: ...' \\\n  \
             --data-raw '{\"name\":\"it'\\''s `x` $HOME\"}'"
        );
    }
}
