//! One webhook and what is below it: secret, tests, deliveries, replay; and the events.

use std::time::Duration;

use bellwire_core::catalogue::EventType;

use thirtyfour::Key;

use super::{Journey, TOAST, event_type, is_signed_with, journey};
use crate::webdriver::Kind;

#[tokio::test(flavor = "multi_thread")]
async fn reveal_and_rotate_the_secret() {
    journey(Kind::DESK, async |it: &Journey| {
        let webhook = it.webhook(&it.receiver.url(), &["user.*"]).await;
        let browser = &it.browser;
        browser.open(&format!("/webhooks/{}", webhook.id)).await;
        browser.click("#reveal").await;
        let before = browser.see("dialog .secret code").await.text().await.unwrap();
        assert!(before.starts_with("whsec_"), "{before}");
        assert!(!browser.text("main").await.contains(&before));
        browser.picture("secret").await;
        browser.click("dialog .dialog-foot a[href$=rotate]").await;
        browser.says("dialog h2", "Rotate secret").await;
        browser.picture("rotate").await;
        browser.click("dialog .dialog-foot .primary").await;
        browser.says(TOAST, "Secret rotated. Until the old one ends, both sign.").await;
        browser.click(&format!("{TOAST} a")).await;
        let after = browser.see("dialog .secret code").await.text().await.unwrap();
        assert_ne!(before, after);
        it.happens(EventType::USER_BLOCKED).await;
        let seen = it.receiver.wait_for(1).await;
        assert!(is_signed_with(&seen[0], &before) && is_signed_with(&seen[0], &after));
        // A day later only the new one signs.
        it.site.pass(Duration::from_hours(25));
        it.happens(EventType::USER_LEFT).await;
        let seen = it.receiver.wait_for(2).await;
        assert!(!is_signed_with(&seen[1], &before) && is_signed_with(&seen[1], &after));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn send_a_test_of_any_type_and_see_what_came_of_it() {
    journey(Kind::DESK, async |it: &Journey| {
        let webhook = it.webhook(&it.receiver.url(), &["user.*"]).await;
        let browser = &it.browser;
        browser.open(&format!("/webhooks/{}", webhook.id)).await;
        browser.says("main", "No deliveries yet").await;
        browser.click("#test").await;
        browser.says("dialog h2", "Send test").await;
        browser.click("dialog option[value='role.created']").await;
        browser.picture("test").await;
        browser.click("dialog .dialog-foot .primary").await;
        browser.says(TOAST, "Test sent.").await;
        let seen = it.receiver.wait_for(1).await;
        assert_eq!(event_type(&seen[0]), "role.created");
        browser.says(".table", "Delivered").await;
        browser.click(&format!("{TOAST} a")).await;
        browser.says("h1", "role.created").await;
        browser.says(".attempts", "200 OK").await;
        browser.says(".attempts", "Test").await;
        browser.says(".attempts pre", "thank you").await;
        browser.says(".code", "\"test\": true").await;
        browser.picture("delivery").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resend_and_replay_what_failed() {
    journey(Kind::DESK, async |it: &Journey| {
        let webhook = it.webhook(&it.receiver.url(), &["user.*"]).await;
        let browser = &it.browser;
        it.breaks(500);
        for event_type in [EventType::USER_BLOCKED, EventType::USER_LEFT, EventType::USER_REMOVED] {
            it.happens(event_type).await;
        }
        // The schedule of the site has four tries; after them they are failed.
        for (tries, wait) in [(3, 10), (6, 600), (9, 3_600)] {
            it.receiver.wait_for(tries).await;
            browser.open(&format!("/webhooks/{}?state=pending", webhook.id)).await;
            browser.says(".table tbody tr:nth-child(3) .number", &(tries / 3).to_string()).await;
            it.site.pass(Duration::from_secs(wait));
        }
        it.receiver.wait_for(12).await;
        browser.open(&format!("/webhooks/{}", webhook.id)).await;
        browser.click("#filter-state option[value=failed]").await;
        browser.at(&format!("/webhooks/{}?state=failed", webhook.id)).await;
        browser.says(".table tbody tr:nth-child(3)", "Failed").await;
        browser.picture("webhook-failed").await;
        it.works();
        browser.click(".table tbody tr:nth-child(1) a").await;
        browser.click("#resend").await;
        browser.says(TOAST, "The delivery is sent again.").await;
        it.receiver.wait_for(13).await;
        browser.says(".status", "Delivered").await;
        browser.says(".attempts", "Resend").await;
        browser.open(&format!("/webhooks/{}", webhook.id)).await;
        browser.click("#replay").await;
        browser.says("dialog h2", "Replay failed deliveries").await;
        browser.picture("replay").await;
        browser.click("dialog .dialog-foot .primary").await;
        browser.says(TOAST, "2 deliveries are sent again.").await;
        it.receiver.wait_for(15).await;
        browser.open(&format!("/webhooks/{}?state=failed", webhook.id)).await;
        browser.says("main", "No delivery matches").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn read_the_events_and_open_one() {
    journey(Kind::DESK, async |it: &Journey| {
        it.webhook(&it.receiver.url(), &["user.*"]).await;
        it.happens(EventType::USER_BLOCKED).await;
        it.happens(EventType::ROLE_CREATED).await;
        it.receiver.wait_for(1).await;
        let browser = &it.browser;
        browser.open("/events").await;
        browser.says(".table tbody tr:nth-child(1)", "role.created").await;
        browser.says(".table tbody tr:nth-child(2)", "Sam Rivera").await;
        browser.picture("events").await;
        browser.fill("#q", "auditor").await;
        browser.press(Key::Enter + "").await;
        browser.at("/events?q=auditor").await;
        browser.says(".table tbody", "role.created").await;
        assert_eq!(browser.texts(".table tbody tr").await.len(), 1);
        browser.open("/events?type=user.blocked").await;
        browser.click(".table tbody a").await;
        browser.says("h1", "User blocked").await;
        browser.says(".code", "\"type\": \"user.blocked\"").await;
        browser.says(".table", "Delivered").await;
        browser.picture("event").await;
        browser.open("/events/evt_nothing").await;
        browser.says("h1", "Nothing here").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_has_dark_colours() {
    journey(Kind::DESK, async |it: &Journey| {
        let webhook = it.webhook(&it.receiver.url(), &["users.*", "roles.*", "invite.created"]).await;
        it.webhook("https://hooks.example.com/", &["*"]).await;
        it.happens(EventType::USER_BLOCKED).await;
        it.receiver.wait_for(1).await;
        let browser = &it.browser;
        browser.open("/webhooks").await;
        browser.click(".user-button").await;
        browser.click("#theme-dark").await;
        browser.has("html", "data-theme", "dark").await;
        let webhook = format!("/webhooks/{}", webhook.id);
        let pages =
            [("list", "/webhooks"), ("new", "/webhooks/new"), ("webhook", webhook.as_str()), ("events", "/events")];
        for (name, path) in pages {
            browser.open(path).await;
            browser.has("html", "data-theme", "dark").await;
            browser.see("h1").await;
            browser.picture(&format!("dark-{name}")).await;
        }
    })
    .await;
}
