//! What people do, from the first click to the last.

mod webhooks;

use std::panic::AssertUnwindSafe;

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
