//! What people do, from the first click to the last.

mod webhook;
mod webhooks;

use std::{panic::AssertUnwindSafe, time::Duration};

use bellwire::ops::webhooks::{self as ops, NewWebhook, WebhookDetails};
use bellwire_core::{
    catalogue::{EventType, EventTypes},
    text::Description,
    webhook_url::WebhookUrl,
};
use futures_util::FutureExt;

use crate::support::{
    receiver::Receiver,
    site::{EMAIL, PASSWORD, Site},
    webdriver::{Browser, Kind},
};

/// A site, a browser in which Ann is signed in, and a receiver that works.
struct Journey {
    site: Site,
    browser: Browser,
    receiver: Receiver,
}

/// Runs a journey, and takes everything down afterwards however it ended.
async fn journey(kind: Kind, walk: impl AsyncFnOnce(&Journey)) {
    let site = Site::start().await;
    let browser = Browser::of(&site.url, kind).await;
    let receiver = Receiver::start().await;
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
    /// Makes a webhook as a program would, a second after the one before.
    async fn webhook(&self, url: &str, event_types: &[&str]) -> WebhookDetails {
        self.site.pass(Duration::from_secs(1));
        let new = NewWebhook {
            url: WebhookUrl::parse(url).unwrap(),
            event_types: EventTypes::parse(event_types.iter().copied()).unwrap(),
            description: Description::parse("").unwrap(),
            headers: Vec::new(),
            rate_limit: None,
        };
        ops::create(&self.site.app, &self.site.ann, new).await.unwrap().0
    }

    /// Something happens in the workspace.
    async fn happens(&self, event_type: EventType) {
        self.site.happens(event_type).await;
    }
}
