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
        let example = "return document.querySelector('dialog #data').value.includes('Auditor')";
        browser.until(example, vec![]).await;
        browser.picture("test").await;
        // What is no JSON object stays, with what is wrong beside it.
        browser.fill("dialog #data", "[1, 2]").await;
        browser.click("dialog #send-test").await;
        browser.says("dialog #data-error", "Must be a JSON object.").await;
        browser.fill("dialog #data", "{\"hello\": \"receiver\"}").await;
        browser.click("dialog #send-test").await;
        // What came of it stands in the same place.
        browser.says("dialog #test-result", "200 OK").await;
        browser.says("dialog #test-result", "thank you").await;
        browser.picture("test-result").await;
        let seen = it.receiver.wait_for(1).await;
        assert_eq!(event_type(&seen[0]), "role.created");
        assert_eq!(seen[0].json()["data"], serde_json::json!({"hello": "receiver"}));
        it.breaks(500);
        browser.click("dialog #send-test").await;
        browser.says("dialog #test-result", "500 Internal Server Error").await;
        browser.click("dialog #test-result a").await;
        browser.says("h1", "role.created").await;
        browser.says(".attempts", "500 Internal Server Error").await;
        browser.says(".attempts", "Test").await;
        browser.says(".exchange", "the receiver is broken").await;
        browser.says(".exchange", "\"test\": true").await;
        browser.picture("delivery").await;
        browser.click(".crumbs a[href*=wh_]").await;
        browser.says(".table", "Delivered").await;
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
        browser.says(".replay", "all of 2 deliveries are on their way again").await;
        browser.picture("replayed").await;
        browser.open(&format!("/webhooks/{}?state=failed", webhook.id)).await;
        browser.says("main", "No delivery matches").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_deliveries_wait_until_they_are_wanted() {
    journey(Kind::DESK, async |it: &Journey| {
        let webhook = it.webhook(&it.receiver.url(), &["user.*"]).await;
        it.happens(EventType::USER_BLOCKED).await;
        it.receiver.wait_for(1).await;
        let browser = &it.browser;
        browser.open(&format!("/webhooks/{}", webhook.id)).await;
        browser.says(".table tbody", "Delivered").await;
        it.breaks(503);
        // Of two deliveries of the same instant neither is the newer one.
        it.site.pass(Duration::from_secs(1));
        it.happens(EventType::USER_LEFT).await;
        browser.says("#show-new", "1 new delivery").await;
        it.site.pass(Duration::from_secs(1));
        it.happens(EventType::USER_REMOVED).await;
        browser.says("#show-new", "2 new deliveries").await;
        assert_eq!(browser.texts(".table tbody code").await, ["user.blocked"], "nothing moved");
        browser.picture("webhook-new-deliveries").await;
        browser.click("#show-new").await;
        browser.gone("#show-new").await;
        browser.focused("deliveries-title").await;
        assert_eq!(browser.texts(".table tbody code").await, ["user.removed", "user.left", "user.blocked"]);
        // What is shown changes in place.
        browser.says(".table tbody tr:first-child", "503").await;
        it.works();
        it.receiver.wait_for(3).await;
        it.site.pass(Duration::from_secs(10));
        browser.says(".table tbody tr:first-child", "Delivered").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn export_the_deliveries_and_copy_one_as_curl() {
    journey(Kind::DESK, async |it: &Journey| {
        let webhook = it.webhook(&it.receiver.url(), &["user.*"]).await;
        it.happens(EventType::USER_BLOCKED).await;
        it.happens(EventType::USER_LEFT).await;
        it.receiver.wait_for(2).await;
        let browser = &it.browser;
        browser.open(&format!("/webhooks/{}?type=user.left", webhook.id)).await;
        browser.says(".table tbody", "Delivered").await;
        let file = async |ending: &str| {
            let script = "const link = document.querySelector(`.exports a[href*='.${arguments[0]}']`); \
                          return fetch(link.href).then((it) => it.text().then((text) => [it.headers.get('content-disposition'), text]))";
            browser.run(script, vec![ending.into()]).await
        };
        let csv = file("csv").await;
        assert_eq!(csv[0], format!("attachment; filename=\"deliveries-{}.csv\"", webhook.id));
        let lines: Vec<&str> = csv[1].as_str().unwrap().lines().collect();
        assert_eq!(lines.len(), 2, "what is filtered out is not in the file: {lines:?}");
        assert!(lines[0].starts_with("id,event_id,event_type,state,created_at") && lines[1].contains(",user.left,delivered,"));
        let json: serde_json::Value = serde_json::from_str(file("json").await[1].as_str().unwrap()).unwrap();
        assert_eq!((&json["data"][0]["event_type"], &json["next"]), (&"user.left".into(), &serde_json::Value::Null));

        browser.click(".table tbody a").await;
        browser.click("#curl").await;
        browser.says("dialog h2", "Copy as curl").await;
        browser.picture("curl").await;
        let command = browser.text("dialog .code").await;
        // A shell takes it, and the receiver gets the same event, signed with the secret, which the command does not hold.
        let output = tokio::process::Command::new("sh").args(["-c", &command]).output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        let seen = it.receiver.wait_for(3).await;
        let secret = bellwire::ops::webhooks::reveal_secret(&it.site.app, &it.site.ann, webhook.id).await.unwrap().secret;
        let first = seen[..2].iter().find(|it| event_type(it) == "user.left").unwrap();
        assert_eq!((&seen[2].body, seen[2].header("webhook-id")), (&first.body, first.header("webhook-id")));
        assert!(is_signed_with(&seen[2], &secret) && !command.contains(&secret));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn add_a_key_pair_and_choose_the_language_of_the_receiver() {
    journey(Kind::DESK, async |it: &Journey| {
        let webhook = it.webhook(&it.receiver.url(), &["user.*"]).await;
        let browser = &it.browser;
        browser.open(&format!("/webhooks/{}", webhook.id)).await;
        browser.click("#key-pair").await;
        browser.says("dialog h2", "Add key pair").await;
        browser.click("dialog .dialog-foot .primary").await;
        browser.says(TOAST, "Key pair added.").await;
        browser.says(".facts .secret code", "whpk_").await;
        it.happens(EventType::USER_BLOCKED).await;
        let signatures = it.receiver.wait_for(1).await[0].header("webhook-signature").unwrap().to_owned();
        assert!(signatures.contains(" v1a,"), "{signatures}");
        browser.says(".table tbody", "user.blocked").await;
        browser.see(".snippet-rust").await;
        browser.click("label:has(#language-python)").await;
        browser.see(".snippet-python").await;
        browser.gone(".snippet-rust").await;
        // The choice stays when the page is made anew.
        it.happens(EventType::USER_LEFT).await;
        browser.says("#show-new", "new").await;
        browser.see(".snippet-python").await;
        browser.click("#key-pair").await;
        browser.click("dialog .dialog-foot .destructive").await;
        browser.says(TOAST, "Key pair removed.").await;
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
