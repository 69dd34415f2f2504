//! *Send test*: an event of a chosen type with data that can be edited, and what came of it in the same dialog.
//!
//! Sending ends on the dialog's own address with the delivery in it, as every change ends on a redirect. That address waits a
//! moment for the answer, so most tests are seen to the end without leaving the dialog, with the script or without.

use std::time::Duration;

use axum::extract::Path;
use bellwire_core::{
    catalogue::{EventType, EventTypes},
    delivery::is_success,
    id::{DeliveryId, WebhookId},
    json,
};
use http::StatusCode;
use serde_json::value::RawValue;
use url::form_urlencoded;

use super::{
    reply::{self, Answer, Failure, see_other},
    request::{Fields, Signed},
    view::{
        account::PageError,
        parts::Field,
        webhook::{TestDialog, TestResult},
    },
    webhook::own_page,
    webhooks::{beneath, id, managed},
    words,
};
use crate::{
    app::App,
    error::Error,
    ops::{
        deliveries::{self, DeliveryDetails},
        webhooks::{self, NewTest},
    },
    routes::{Routes, get},
};

pub(super) fn routes() -> Routes<App> {
    Routes::new().route("/webhooks/{id}/test", get(dialog).post(send))
}

/// For how long the dialog waits for the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The type that a query or a form names; `webhook.test` when it names none.
fn event_type(fields: &Fields) -> Result<EventType, Failure> {
    match fields.text("type") {
        "" => Ok(EventType::WEBHOOK_TEST),
        name => EventType::parse(name).map_err(|_| PageError::BadRequest.into()),
    }
}

/// The dialog's content: the example of the chosen type, or the test that was sent before and what came of it.
async fn dialog(signed: Signed, Path(text): Path<String>) -> Answer {
    let webhook = managed(&signed, &text).await?.id;
    let (event_type, data, result) = match signed.query.text("delivery") {
        "" => {
            let chosen = event_type(&signed.query)?;
            let data = json::pretty(&chosen.entry().example_data().to_string());
            (chosen, data, None)
        }
        sent => {
            let it = sent_test(&signed, webhook, id(sent)?).await?;
            let chosen = EventType::parse(&it.event_type).map_err(|_| PageError::NotFound)?;
            (chosen, json::pretty(it.event.data.get()), Some(result(&it)))
        }
    };
    show(signed, text, StatusCode::OK, event_type, Field::of(data), result).await
}

/// A test of this webhook, once it is answered or has been waited for.
async fn sent_test(signed: &Signed, webhook: WebhookId, id: DeliveryId) -> Result<DeliveryDetails, Failure> {
    let it = deliveries::tried(&signed.app, &signed.actor, id, PATIENCE).await?;
    if it.webhook_id == webhook && it.event.test { Ok(it) } else { Err(PageError::NotFound.into()) }
}

fn result(it: &DeliveryDetails) -> TestResult {
    let delivery = it.id.to_string();
    let Some(last) = it.attempts.last() else {
        let (outcome, sentence) = ("No answer yet.".to_owned(), "Bellwire goes on trying.".to_owned());
        return TestResult { delivery, tone: "info", outcome, sentence, body: String::new() };
    };
    let took = super::view::parts::thousands(words::milliseconds(last.duration_ms));
    TestResult {
        delivery,
        tone: if last.status.is_some_and(is_success) { "ok" } else { "bad" },
        outcome: words::outcome(last),
        sentence: match last.status {
            Some(_) => format!("was the answer, after {took} ms."),
            None => format!("after {took} ms: there was no answer."),
        },
        body: json::pretty(last.response_body.as_deref().unwrap_or_default()),
    }
}

async fn show(
    signed: Signed,
    text: String,
    status: StatusCode,
    chosen: EventType,
    data: Field,
    result: Option<TestResult>,
) -> Answer {
    let webhook = managed(&signed, &text).await?;
    let return_to = signed.query.return_to(&own_page(&text));
    let types = [EventType::WEBHOOK_TEST].into_iter().chain(EventTypes::subscribable().iter());
    let dialog = TestDialog {
        id: text,
        url: webhook.url.to_string(),
        types: words::type_choices(types, chosen.as_str()),
        chosen: chosen.as_str().to_owned(),
        data,
        result,
        return_to: return_to.clone(),
    };
    signed.dialog(status, &dialog, &return_to, beneath).await
}

async fn send(mut signed: Signed, Path(text): Path<String>, fields: Fields) -> Answer {
    let (webhook, chosen) = (id::<WebhookId>(&text)?, event_type(&fields)?);
    let typed = fields.text("data").trim();
    let data = match typed {
        "" => Ok(None),
        typed => RawValue::from_string(typed.to_owned()).map(Some),
    };
    let done = match data {
        Ok(data) => {
            webhooks::test(&signed.app, &signed.actor, webhook, NewTest { event_type: Some(chosen), data }).await
        }
        Err(error) => Err(Error::invalid("data", format!("must be a JSON object: {error}"))),
    };
    let return_to = fields.return_to(&own_page(&text));
    match done {
        Ok(delivery) => {
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("delivery", &delivery.to_string())
                .append_pair("return_to", &return_to)
                .finish();
            Ok(see_other(&format!("/webhooks/{text}/test?{query}")))
        }
        Err(Error::Invalid(errors)) => {
            let data = reply::field("data", typed, &errors);
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("return_to", &return_to).finish();
            signed.visitor.query = Fields::parse(query.as_bytes());
            show(signed, text, StatusCode::UNPROCESSABLE_ENTITY, chosen, data, None).await
        }
        Err(error) => Err(error.into()),
    }
}
