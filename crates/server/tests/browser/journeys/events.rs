//! The Events page: the feed of the workspace, which is its audit log.

use super::{Journey, TOAST, journey, types};
use crate::webdriver::Kind;

const SUBMIT: &str = "dialog .dialog-foot button";
const TYPES: &str = "tbody .row-link";

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_is_found_and_says_from_where_it_came() {
    journey(Kind::DESK, async |it: &Journey| {
        let webhook = it.webhook(&it.receiver.url(), &["groups.*"]).await;
        let browser = &it.browser;
        browser.open("/groups").await;
        browser.click("#create").await;
        browser.fill("#name", "Finance").await;
        browser.click(SUBMIT).await;
        browser.says(TOAST, "Finance was created.").await;
        browser.click("tbody .row-link").await;
        browser.says("h1", "Finance").await;

        // From the group's page to its events, and on to everything that its maker did.
        browser.click("#events").await;
        browser.says("h1", "Events").await;
        browser.says(".only", "Finance").await;
        assert_eq!(browser.texts(TYPES).await, ["group.created"]);
        browser.picture("events-of-a-group").await;
        browser.click("tbody .row-link").await;
        browser.says("h1", "Group created").await;
        browser.says(".facts", "Console, from 127.0.0.1").await;
        let body = browser.text("pre.code").await;
        assert!(body.contains("Finance") && !body.contains("127.0.0.1") && !body.contains("origin"));
        // The delivery to the webhook stands below, once it is made.
        it.delivered(0, 1).await;
        browser.says(".section", "Delivered").await;
        browser.picture("event").await;
        browser.click(".facts a[href^='/events?actor=']").await;
        browser.says(".only", "Ann Lee").await;
        browser.says(TYPES, "webhook.created").await;

        // The filters: what is not sent to webhooks, a day, and a search.
        browser.script("const it = document.querySelector('#filter-actor_type'); it.value = 'others'; it.dispatchEvent(new Event('change', {bubbles: true})); return 0").await;
        browser.until("return [...document.querySelectorAll('tbody .row-link')].every((it) => it.innerText.startsWith('webhook.'))", vec![]).await;
        assert_eq!(browser.texts(TYPES).await, ["webhook.created"]);
        browser.picture("events-filtered").await;
        browser.click(".only .icon-button").await;
        browser.gone(".only").await;
        browser.script("const it = document.querySelector('#from'); it.value = '2026-11-24'; it.dispatchEvent(new Event('change', {bubbles: true})); return 0").await;
        browser.says("main", "No event matches").await;
        browser.picture("events-none").await;
        browser.click(".empty .button").await;
        browser.at("/events").await;
        browser.fill("#q", &webhook.id.to_string()).await;
        browser.press(thirtyfour::Key::Enter).await;
        browser.until("return document.querySelectorAll('tbody tr').length === 1", vec![]).await;
        assert_eq!(browser.texts(TYPES).await, ["webhook.created"]);

        let told = it.delivered(0, 1).await;
        assert_eq!(types(&told), ["group.created"]);
        assert!(told[0].get("origin").is_none(), "receivers have no business with addresses");
    })
    .await;
}

/// On a phone, and in the dark.
#[tokio::test(flavor = "multi_thread")]
async fn the_account_on_a_phone_and_in_the_dark() {
    for (name, kind) in [("phone", Kind::PHONE), ("dark", Kind::DESK)] {
        journey(kind, async |it: &Journey| {
            let browser = &it.browser;
            for (page, path, heading) in [
                ("events", "/events", "Events"),
                ("api-keys", "/api-keys", "API Keys"),
                ("api-key-new", "/api-keys/new", "API Keys"),
                ("users", "/users", "Users"),
                ("invites", "/invites", "Invites"),
                ("settings", "/settings", "Settings"),
            ] {
                browser.open(path).await;
                browser.says("h1", heading).await;
                if name == "dark" {
                    browser.script("document.documentElement.dataset.theme = 'dark'; return 0").await;
                }
                browser.picture(&format!("{page}-{name}")).await;
                // Nothing is wider than the window.
                let fits = "return document.documentElement.scrollWidth <= innerWidth";
                browser.until(fits, vec![]).await;
            }
        })
        .await;
    }
}
