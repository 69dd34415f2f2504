//! One delivery: what was sent, every attempt, and sending it again.

use std::collections::BTreeSet;

use axum::extract::Path;
use bellwire_core::{id::DeliveryId, json, permission::Permission};

use super::{
    reply::{self, Answer, moment},
    request::{Fields, Signed},
    view::{Section, Toast, deliveries::DeliveryPage, parts::LongUrl},
    webhooks::id,
    words,
};
use crate::{
    app::App,
    ops::{
        deliveries::{self, DeliveryDetails},
        overview,
    },
    routes::{Routes, get, post},
};

pub(super) fn routes() -> Routes<App> {
    Routes::new().route("/deliveries/{id}", get(show)).route("/deliveries/{id}/resend", post(resend))
}

async fn show(signed: Signed, Path(text): Path<String>) -> Answer {
    let (app, actor) = (&signed.app, &signed.actor);
    let it = deliveries::get(app, actor, id(&text)?).await?;
    let url = overview::urls(app, actor, BTreeSet::from([it.webhook_id])).await?.remove(&it.webhook_id);
    let body = serde_json::to_string(&it.event).map_err(crate::error::Error::from)?;
    let view = DeliveryPage {
        page: signed.page("Delivery"),
        chrome: signed.chrome(Section::Webhooks, "deliveries", None),
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
        next_attempt: it.next_attempt_at.map(moment),
        request_headers: request_headers(&it),
        request_body: json::pretty(&body),
        attempts: it.attempts.iter().rev().map(words::attempt).collect(),
    };
    reply::render(&view)
}

/// The headers of the last attempt that are known: signatures and custom headers are not kept.
fn request_headers(it: &DeliveryDetails) -> Vec<(String, String)> {
    let Some(last) = it.attempts.last() else { return Vec::new() };
    let header = |name: &str, value: String| (name.to_owned(), value);
    vec![
        header("content-type", "application/json".to_owned()),
        header("user-agent", concat!("Bellwire/", env!("CARGO_PKG_VERSION")).to_owned()),
        header(bellwire_core::sign::ID_HEADER, it.event_id.to_string()),
        header(bellwire_core::sign::TIMESTAMP_HEADER, last.started_at.as_seconds().to_string()),
    ]
}

async fn resend(signed: Signed, Path(text): Path<String>, fields: Fields) -> Answer {
    let delivery: DeliveryId = id(&text)?;
    let done = deliveries::resend(&signed.app, &signed.actor, delivery).await;
    reply::back(&fields.return_to(&format!("/deliveries/{text}")), done, |_| {
        Toast::success("The delivery is sent again.")
    })
}
