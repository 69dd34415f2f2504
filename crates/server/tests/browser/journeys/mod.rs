//! What people do, from the first click to the last.

mod api_keys;
mod events;
mod groups;
mod keyboard;
mod license;
mod nodes;
mod people;
mod print;
mod roles;
mod rows;
mod settings;
mod tour;
mod webhook;
mod webhooks;

use std::{panic::AssertUnwindSafe, time::Duration};

use bellwire::ops::{
    Actor,
    webhooks::{self as ops, NewWebhook, WebhookDetails},
};
use bellwire_core::{
    catalogue::{EventType, EventTypes},
    sign::{self, Secret},
    text::Description,
    webhook_url::WebhookUrl,
};
use futures_util::FutureExt;
use serde_json::Value;

use crate::{
    page::Page,
    site::{EMAIL, PASSWORD, Site},
    support::receiver::{Answer, Received, Receiver},
    webdriver::Kind,
};

/// A site, a browser in which Ann is signed in, and a receiver that works.
struct Journey {
    site: Site,
    browser: Page,
    receiver: Receiver,
}

/// Runs a journey, and takes everything down afterwards however it ended.
async fn journey(kind: Kind, walk: impl AsyncFnOnce(&Journey)) {
    journey_at(Site::start().await, kind, walk).await;
}

/// As [`journey`], at a site of its own.
async fn journey_at(site: Site, kind: Kind, walk: impl AsyncFnOnce(&Journey)) {
    let browser = Page::of(&site, kind).await;
    let receiver = Receiver::start().await;
    receiver.answer_with(|_| Answer::status(200).body("thank you"));
    let journey = Journey { site, browser, receiver };
    let walked = AssertUnwindSafe(async {
        sign_in(&journey).await;
        walk(&journey).await;
    });
    let walked = walked.catch_unwind().await;
    if walked.is_err() {
        journey.browser.picture(&format!("failed-{}", std::process::id())).await;
    }
    journey.browser.quit().await;
    journey.site.stop().await;
    if let Err(panic) = walked {
        std::panic::resume_unwind(panic);
    }
}

/// Ann signs in.
async fn sign_in(journey: &Journey) {
    let browser = &journey.browser;
    browser.open("/webhooks").await;
    browser.at("/sign-in?return_to=%2Fwebhooks").await;
    browser.fill("#email", EMAIL).await;
    browser.fill("#password", PASSWORD).await;
    browser.click("form .primary").await;
    browser.says("h1", "Webhooks").await;
}

/// The message of success at the top of the page.
const TOAST: &str = "#toasts-status .toast";

impl Journey {
    /// The bodies of what was delivered after the first `before`, in the order of their numbers, `count` of them; each is what
    /// the catalogue says.
    async fn delivered(&self, before: usize, count: usize) -> Vec<Value> {
        let received = self.receiver.wait_for(before + count).await;
        assert_eq!(received.len(), before + count);
        let mut bodies: Vec<Value> = received.iter().map(Received::json).collect();
        bodies.sort_by_key(|body| body["sequence"].as_i64());
        let bodies = bodies.split_off(before);
        for body in &bodies {
            let schema = EventType::parse(body["type"].as_str().unwrap()).unwrap().entry().body_schema();
            let mut compiler = boon::Compiler::new();
            compiler.add_resource("https://example.com/schema", schema).unwrap();
            let mut schemas = boon::Schemas::new();
            let schema = compiler.compile("https://example.com/schema", &mut schemas).unwrap();
            schemas.validate(body, schema).unwrap_or_else(|error| panic!("{error}\n{body:#}"));
        }
        bodies
    }

    /// Makes a webhook as a program would, a second after the one before.
    async fn webhook(&self, url: &str, event_types: &[&str]) -> WebhookDetails {
        self.webhook_of(&self.site.ann, url, event_types).await
    }

    /// A webhook that somebody else creates.
    async fn webhook_of(&self, actor: &Actor, url: &str, event_types: &[&str]) -> WebhookDetails {
        self.site.pass(Duration::from_secs(1));
        let new = NewWebhook {
            url: WebhookUrl::parse(url).unwrap(),
            event_types: EventTypes::parse(event_types.iter().copied()).unwrap(),
            description: Description::parse("").unwrap(),
            headers: Vec::new(),
            rate_limit: None,
        };
        ops::create(&self.site.app, actor, new).await.unwrap().0
    }

    /// The receiver breaks.
    fn breaks(&self, status: u16) {
        self.receiver.answer_with(move |_| Answer::status(status).body("the receiver is broken"));
    }

    /// The receiver works again.
    fn works(&self) {
        self.receiver.answer_with(|_| Answer::status(200).body("thank you"));
    }

    /// Waits until so many failures of a webhook are written down.
    async fn failed(&self, webhook: &WebhookDetails, attempts: i64) {
        let mut seen = 0;
        for _ in 0..1_000 {
            seen = ops::get(&self.site.app, &self.site.ann, webhook.id).await.unwrap().failing_attempts;
            if seen >= attempts {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{seen} of {attempts} failures are written down");
    }

    /// Something happens in the workspace.
    async fn happens(&self, event_type: EventType) {
        self.site.happens(event_type).await;
    }
}

/// The type of the event that was received.
fn event_type(received: &Received) -> String {
    received.json()["type"].as_str().unwrap().to_owned()
}

/// Whether a request was signed with this secret (`whsec_…`), as Standard Webhooks says.
fn is_signed_with(received: &Received, secret: &str) -> bool {
    let header = |name| received.header(name).unwrap_or_default();
    let secret: Secret = secret.parse().unwrap();
    let time: i64 = header(sign::TIMESTAMP_HEADER).parse().unwrap();
    let expected = sign::v1(&secret, header(sign::ID_HEADER), time, &received.body);
    header(sign::SIGNATURE_HEADER).split(' ').any(|signature| signature == expected)
}

/// Their types, in their order.
fn types(bodies: &[Value]) -> Vec<&str> {
    bodies.iter().map(|body| body["type"].as_str().unwrap()).collect()
}
