//! The Webhooks page: a journey for each sentence of what it promises.

use std::time::Duration;

use bellwire::ops::webhooks;
use bellwire_core::{catalogue::EventType, text::Reason};

use thirtyfour::Key;

use super::{Journey, TOAST, event_type, is_signed_with, journey};
use crate::{site::DEACTIVATE_AFTER, webdriver::Kind};

const FIRST_ROW: &str = ".webhooks tbody tr:first-child";

impl Journey {
    /// The URLs in the list, from the top.
    async fn urls(&self) -> Vec<String> {
        let script = "return [...document.querySelectorAll('.webhooks tbody .url')].map((it) => it.title)";
        serde_json::from_value(self.browser.script(script).await).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn view_webhook_details() {
    journey(Kind::DESK, async |it: &Journey| {
        let browser = &it.browser;
        browser.open("/webhooks").await;
        browser.says("main", "No webhooks yet").await;
        browser.picture("webhooks-empty").await;
        let webhook = it.webhook("https://hooks.example.com/a", &["users.*", "role.assigned"]).await;
        browser.open("/webhooks").await;
        let created_at = webhook.created_at.to_string()[..19].to_owned();
        let utc = format!("{} UTC", created_at.replace('T', " "));
        let chips = browser.texts(&format!("{FIRST_ROW} .chip")).await;
        assert_eq!(chips, ["Users", "Roles"]);
        browser.has(&format!("{FIRST_ROW} .url"), "title", "https://hooks.example.com/a").await;
        browser.says(&format!("{FIRST_ROW} td[data-label=Owner]"), "Ann Lee").await;
        browser.has(&format!("{FIRST_ROW} time"), "datetime", &format!("{created_at}Z")).await;
        browser.has(&format!("{FIRST_ROW} time"), "title", &utc).await;
        browser.says(&format!("{FIRST_ROW} .status-word"), "Active").await;
        let heads = browser.texts(".webhooks thead th").await;
        assert_eq!(heads[..5], ["Actor types", "URL", "Owner", "Create date", "Status"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_a_webhook_id_by_clicking_the_icon_in_the_url_column() {
    journey(Kind::DESK, async |it: &Journey| {
        let webhook = it.webhook("https://hooks.example.com/a", &["user.*"]).await;
        let browser = &it.browser;
        browser.open("/webhooks").await;
        browser.click(&format!("{FIRST_ROW} td.lead .copy")).await;
        browser.says("#announce", "Webhook ID copied").await;
        // What is in the clipboard is what can be pasted.
        browser.click("#q").await;
        browser.press(Key::Control + "v").await;
        let pasted = browser.see("#q").await.prop("value").await.unwrap();
        assert_eq!(pasted, Some(webhook.id.to_string()));
        // And the search finds it by that.
        browser.press(Key::Enter + "").await;
        browser.at(&format!("/webhooks?q={}", webhook.id)).await;
        assert_eq!(it.urls().await, ["https://hooks.example.com/a"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sort_by_clicking_the_column_names() {
    journey(Kind::DESK, async |it: &Journey| {
        let (b, c, a) = ("https://b.example.com/", "https://c.example.com/", "https://a.example.com/");
        for url in [b, c, a] {
            it.webhook(url, &["user.*"]).await;
        }
        let browser = &it.browser;
        browser.open("/webhooks").await;
        assert_eq!(it.urls().await, [a, c, b], "the newest first");
        browser.click("#sort-url").await;
        browser.has("th.col-url", "aria-sort", "ascending").await;
        assert_eq!(it.urls().await, [a, b, c]);
        browser.click("#sort-url").await;
        browser.has("th.col-url", "aria-sort", "descending").await;
        assert_eq!(it.urls().await, [c, b, a]);
        browser.click("#sort-created_at").await;
        browser.has("th.col-created_at", "aria-sort", "ascending").await;
        assert_eq!(it.urls().await, [b, c, a]);
        // Turn the middle one off: inactive ones come last, and first the other way round.
        browser.click(".webhooks tbody tr:nth-child(2) .switch").await;
        browser.says(TOAST, "Webhook turned off.").await;
        browser.click("#sort-status").await;
        browser.has("th.col-status", "aria-sort", "ascending").await;
        assert_eq!(it.urls().await[2], c);
        browser.click("#sort-status").await;
        browser.has("th.col-status", "aria-sort", "descending").await;
        assert_eq!(it.urls().await[0], c);
        browser.click("#sort-owner").await;
        browser.at("/webhooks?sort=owner&order=asc").await;
        browser.has("th.col-owner", "aria-sort", "ascending").await;
        browser.has("th.col-status", "aria-sort", "none").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn create_webhook() {
    journey(Kind::DESK, async |it: &Journey| {
        let browser = &it.browser;
        browser.open("/webhooks").await;
        browser.click("#create").await;
        browser.says("dialog h2", "Create webhook").await;
        browser.picture("create").await;
        let legends = browser.texts("dialog legend").await;
        assert_eq!(legends, ["Users", "Invites", "Groups", "Roles", "API Keys", "State changes"]);
        // Nothing is entered: the dialog says what is missing, and keeps what is typed.
        browser.fill("dialog #description", "Offboarding").await;
        browser.click("dialog .dialog-foot .primary").await;
        browser.says("dialog #url-error", "Enter a URL.").await;
        browser.says("dialog #event_types-error", "Select at least one event.").await;
        browser.has("dialog #description", "value", "Offboarding").await;
        browser.picture("create-refused").await;
        // A whole group, less one.
        browser.fill("dialog #url", &it.receiver.url()).await;
        browser.click("dialog #group-users .all").await;
        browser.click("dialog #group-users input[value='user.left']").await;
        let box_of_group =
            "const all = document.querySelector('#group-users [data-all]'); return [all.checked, all.indeterminate]";
        assert_eq!(browser.script(box_of_group).await, serde_json::json!([false, true]));
        browser.fill("dialog [data-filter]", "assigned").await;
        browser.gone("dialog #group-users").await;
        browser.click("dialog input[value='role.assigned']").await;
        browser.picture("create-filtered").await;
        browser.click("dialog .dialog-foot .primary").await;
        browser.gone("dialog").await;
        browser.says(TOAST, "Webhook created.").await;
        browser.has(&format!("{FIRST_ROW} .url"), "title", &it.receiver.url()).await;
        browser.has(&format!("{FIRST_ROW} .switch"), "aria-checked", "true").await;
        browser.has(&format!("{FIRST_ROW} .chip"), "title", "Users: 6 of 7 event types").await;
        browser.picture("created").await;
        // It receives what was selected, and nothing else.
        it.happens(EventType::USER_LEFT).await;
        it.happens(EventType::USER_BLOCKED).await;
        let seen = it.receiver.wait_for(1).await;
        assert_eq!(event_type(&seen[0]), "user.blocked");
        // The message leads to the secret that signs.
        browser.click(&format!("{TOAST} a")).await;
        let secret = browser.see("dialog .secret code").await.text().await.unwrap();
        assert!(is_signed_with(&seen[0], &secret), "the secret that is shown signs");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn change_webhook_status_and_see_the_reason_for_it() {
    journey(Kind::DESK, async |it: &Journey| {
        let webhook = it.webhook(&it.receiver.url(), &["user.*"]).await;
        let browser = &it.browser;
        browser.open("/webhooks").await;
        browser.gone(".dot").await;
        let switch = format!("#status-{}", webhook.id);
        browser.has(&switch, "aria-checked", "true").await;
        browser.click(&switch).await;
        browser.has(&switch, "aria-checked", "false").await;
        browser.says(TOAST, "Webhook turned off. Events are held until you turn it on again.").await;
        browser.says(".status-word", "Inactive").await;
        let top = "const it = document.querySelector('#toasts-status .toast').getBoundingClientRect(); return it.top >= 0 && it.bottom < innerHeight / 4";
        browser.until(top, vec![]).await;
        browser.picture("turned-off").await;
        it.happens(EventType::USER_BLOCKED).await;
        it.happens(EventType::USER_UNBLOCKED).await;
        browser.click(".dot").await;
        browser.says("dialog h2", "Why is this webhook inactive?").await;
        browser.says("dialog .reason", "It was turned off by hand.").await;
        browser.says("dialog .facts", "Ann Lee").await;
        browser.says("dialog", "2 events were missed while it was off.").await;
        browser.picture("reason-manual").await;
        // A test reaches it all the same.
        browser.click("dialog form[action$='/test'] button").await;
        browser.says("dialog #test-result", "200 OK").await;
        assert_eq!(event_type(&it.receiver.wait_for(1).await[0]), "webhook.test");
        browser.press(Key::Escape + "").await;
        // Turning on asks what to do with what was missed.
        browser.click(&switch).await;
        browser.says("dialog h2", "Activate webhook").await;
        browser.picture("activate").await;
        browser.click("dialog input[value=skip]").await;
        browser.click("dialog .dialog-foot .primary").await;
        browser.says(TOAST, "Webhook turned on. The 2 events that it missed are skipped.").await;
        browser.has(&switch, "aria-checked", "true").await;
        browser.gone(".dot").await;
        it.happens(EventType::USER_LEFT).await;
        let seen = it.receiver.wait_for(2).await;
        assert_eq!(event_type(&seen[1]), "user.left");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn edit_webhook() {
    journey(Kind::DESK, async |it: &Journey| {
        let webhook = it.webhook(&it.receiver.url(), &["users.*", "invite.created"]).await;
        let browser = &it.browser;
        browser.open("/webhooks").await;
        let edit = format!("#edit-{}", webhook.id);
        browser.hover("h1").await;
        browser.is_shown(&edit, false).await;
        browser.hover(&format!("#{} td.lead", webhook.id)).await;
        browser.is_shown(&edit, true).await;
        browser.picture("row-hovered").await;
        browser.click(&edit).await;
        browser.says("dialog h2", "Modify webhook").await;
        browser.has("dialog #url", "value", &it.receiver.url()).await;
        browser.until("return document.querySelector('#group-users [data-all]').checked", vec![]).await;
        browser.picture("modify").await;
        browser.click("dialog #group-users .all").await;
        browser.click("dialog input[value='invite.deleted']").await;
        browser.click("dialog .dialog-foot .primary").await;
        browser.gone("dialog").await;
        browser.says(TOAST, "Webhook modified.").await;
        assert_eq!(browser.texts(&format!("{FIRST_ROW} .chip")).await, ["Invites"]);
        it.happens(EventType::USER_BLOCKED).await;
        it.happens(EventType::INVITE_DELETED).await;
        let seen = it.receiver.wait_for(1).await;
        assert_eq!(event_type(&seen[0]), "invite.deleted");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn delete_webhook() {
    journey(Kind::DESK, async |it: &Journey| {
        it.webhook("https://kept.example.com/", &["user.*"]).await;
        let webhook = it.webhook(&it.receiver.url(), &["user.*"]).await;
        let browser = &it.browser;
        browser.open("/webhooks").await;
        let trash = format!("#delete-{}", webhook.id);
        browser.hover("h1").await;
        browser.is_shown(&trash, false).await;
        browser.hover(&format!("#{} td.lead", webhook.id)).await;
        browser.is_shown(&trash, true).await;
        browser.click(&trash).await;
        browser.says("dialog h2", "Delete webhook").await;
        browser.says("dialog", &it.receiver.url()).await;
        browser.picture("delete").await;
        // Cancel changes nothing.
        browser.click("dialog .dialog-foot a").await;
        browser.gone("dialog").await;
        assert_eq!(it.urls().await.len(), 2);
        browser.hover(&format!("#{} td.lead", webhook.id)).await;
        browser.click(&trash).await;
        browser.click("dialog .destructive").await;
        browser.gone("dialog").await;
        browser.says(TOAST, "Webhook deleted.").await;
        browser.gone(&format!("#{}", webhook.id)).await;
        assert_eq!(it.urls().await, ["https://kept.example.com/"]);
        browser.open("/webhooks").await;
        assert_eq!(it.urls().await, ["https://kept.example.com/"]);
        browser.open(&format!("/webhooks/{}", webhook.id)).await;
        browser.says("h1", "Nothing here").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_receiver_turns_the_dot_red_and_loses_nothing() {
    journey(Kind::DESK, async |it: &Journey| {
        let webhook = it.webhook(&it.receiver.url(), &["user.*"]).await;
        let browser = &it.browser;
        browser.open("/webhooks").await;
        it.happens(EventType::USER_JOINED).await;
        it.receiver.wait_for(1).await;
        // The receiver breaks: the page says so by itself, and when the webhook will be turned off.
        it.breaks(503);
        it.happens(EventType::USER_BLOCKED).await;
        it.receiver.wait_for(2).await;
        browser.says(".dot", "Failing").await;
        // Two more tries by the schedule.
        it.failed(&webhook, 1).await;
        it.site.pass(Duration::from_secs(10));
        it.failed(&webhook, 2).await;
        it.site.pass(Duration::from_secs(600));
        it.failed(&webhook, 3).await;
        // The last try of the schedule: nothing is under way when the time comes to turn the webhook off.
        it.site.pass(Duration::from_hours(1));
        it.failed(&webhook, 4).await;
        browser.picture("failing").await;
        browser.click(".dot").await;
        browser.says("dialog h2", "Why is this webhook failing?").await;
        browser.says("dialog .facts", "503 Service Unavailable").await;
        browser.picture("reason-still-active").await;
        browser.click("dialog .dialog-foot a").await;
        // Five days later it is off, without anybody looking.
        it.site.pass(DEACTIVATE_AFTER);
        browser.has(&format!("#status-{}", webhook.id), "aria-checked", "false").await;
        browser.says(".status-word", "Inactive").await;
        let failed = it.receiver.received().len();
        it.happens(EventType::USER_UNBLOCKED).await;
        it.happens(EventType::USER_LEFT).await;
        browser.click(".dot").await;
        browser.says("dialog h2", "Why is this webhook inactive?").await;
        browser.says("dialog .reason", "Every attempt failed for 5 days, so Bellwire turned it off.").await;
        browser.says("dialog .facts", "Failed attempts").await;
        browser.says("dialog .facts", "503 Service Unavailable").await;
        browser.says("dialog .facts", "Bellwire").await;
        browser.picture("reason-failing").await;
        // The evidence leads to the delivery that failed last.
        browser.click("dialog .facts a").await;
        browser.says("h1", "user.blocked").await;
        browser.says(".attempts", "503 Service Unavailable").await;
        browser.says("pre[aria-label='Response body']", "the receiver is broken").await;
        browser.picture("delivery-failed").await;
        // The receiver works again: turn it on, and what was missed arrives.
        it.works();
        browser.open("/webhooks").await;
        browser.click(".dot").await;
        browser.click("dialog button[form=activate-form]").await;
        browser.says(TOAST, "Webhook turned on.").await;
        browser.gone(".dot").await;
        let seen = it.receiver.wait_for(failed + 2).await;
        let mut arrived: Vec<_> = seen[failed..].iter().map(event_type).collect();
        arrived.sort();
        assert_eq!(arrived, ["user.left", "user.unblocked"]);
        browser.open(&format!("/webhooks/{}", webhook.id)).await;
        browser.says(".history", "Every attempt failed for 5 days.").await;
        browser.picture("webhook").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn search_and_filter() {
    journey(Kind::DESK, async |it: &Journey| {
        let users = it.webhook("https://users.example.com/", &["user.*"]).await;
        it.webhook("https://roles.example.com/", &["role.*"]).await;
        let browser = &it.browser;
        browser.open("/webhooks").await;
        browser.fill("#q", "ROLES.example").await;
        browser.press(Key::Enter + "").await;
        browser.at("/webhooks?q=ROLES.example").await;
        assert_eq!(it.urls().await, ["https://roles.example.com/"]);
        browser.fill("#q", "100%").await;
        browser.press(Key::Enter + "").await;
        browser.says("main", "No webhook matches").await;
        browser.click(".filters .quiet-link").await;
        browser.at("/webhooks").await;
        browser.click("#filter-actor_type option[value=users]").await;
        browser.at("/webhooks?actor_type=users").await;
        assert_eq!(it.urls().await, ["https://users.example.com/"]);
        browser.click(&format!("#status-{}", users.id)).await;
        browser.says(TOAST, "Webhook turned off.").await;
        // The filter stays while a switch is turned.
        browser.at("/webhooks?actor_type=users").await;
        browser.click("#filter-status option[value=active]").await;
        browser.says("main", "No webhook matches").await;
        browser.open("/webhooks?status=paused").await;
        browser.says("main", "No webhook matches").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_follows_what_others_do() {
    journey(Kind::DESK, async |it: &Journey| {
        let browser = &it.browser;
        let webhook = it.webhook(&it.receiver.url(), &["user.*"]).await;
        browser.open("/webhooks").await;
        browser.has(&format!("#status-{}", webhook.id), "aria-checked", "true").await;
        let reason = Reason::parse("We are moving.").unwrap();
        webhooks::deactivate(&it.site.app, &it.site.ann, webhook.id, reason).await.unwrap();
        browser.has(&format!("#status-{}", webhook.id), "aria-checked", "false").await;
        browser.click(".dot").await;
        browser.says("dialog blockquote", "We are moving.").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keyboard_alone_suffices() {
    journey(Kind::DESK, async |it: &Journey| {
        let browser = &it.browser;
        browser.open("/webhooks").await;
        browser.script("document.querySelector('#create').focus()").await;
        browser.press(Key::Enter + "").await;
        browser.says("dialog h2", "Create webhook").await;
        browser.focused("url").await;
        browser.press(it.receiver.url().as_str()).await;
        // Description, fold, filter, the box of the whole first group.
        browser.press(Key::Tab + "").await;
        browser.press(Key::Tab + "").await;
        browser.press(Key::Tab + "").await;
        browser.press(Key::Tab + "").await;
        browser.press(" ").await;
        browser.script("document.querySelector('dialog .dialog-foot .primary').focus()").await;
        browser.press(Key::Enter + "").await;
        browser.says(TOAST, "Webhook created.").await;
        browser.focused("create").await;
        assert_eq!(browser.texts(&format!("{FIRST_ROW} .chip")).await, ["Users"]);
        // Escape closes a dialog, and the focus is where it was.
        browser.script("document.querySelector('.actions a').focus()").await;
        let edit = browser.script("return document.activeElement.id").await;
        browser.is_shown(&format!("#{}", edit.as_str().unwrap()), true).await;
        browser.press(Key::Enter + "").await;
        browser.says("dialog h2", "Modify webhook").await;
        browser.press(Key::Escape + "").await;
        browser.gone("dialog").await;
        browser.focused(edit.as_str().unwrap()).await;
        browser.script("document.querySelector('.switch').focus()").await;
        browser.press(" ").await;
        browser.says(TOAST, "Webhook turned off.").await;
        browser.until("return document.activeElement.matches('.switch[aria-checked=false]')", vec![]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_works_without_the_script() {
    journey(Kind::WITHOUT_SCRIPTS, async |it: &Journey| {
        let browser = &it.browser;
        browser.click("#create").await;
        browser.at("/webhooks/new?return_to=%2Fwebhooks").await;
        browser.fill("#url", "nonsense").await;
        browser.click("input[value='users.*']").await;
        browser.click(".dialog-foot .primary").await;
        browser.see("#url-error").await;
        browser.has("#url", "value", "nonsense").await;
        browser.fill("#url", &it.receiver.url()).await;
        browser.click(".dialog-foot .primary").await;
        browser.at("/webhooks").await;
        browser.says(TOAST, "Webhook created.").await;
        assert_eq!(browser.texts(&format!("{FIRST_ROW} .chip")).await, ["Users"]);
        browser.click(&format!("{FIRST_ROW} .switch")).await;
        browser.says(TOAST, "Webhook turned off.").await;
        it.happens(EventType::USER_BLOCKED).await;
        browser.click(".dot").await;
        browser.says("dialog .reason", "It was turned off by hand.").await;
        browser.click("dialog button[form=activate-form]").await;
        browser.says(TOAST, "Webhook turned on. The event that it missed is being sent.").await;
        it.receiver.wait_for(1).await;
        browser.hover(&format!("{FIRST_ROW} td.lead")).await;
        browser.click(".actions .danger").await;
        browser.click("dialog .destructive").await;
        browser.says(TOAST, "Webhook deleted.").await;
        browser.says("main", "No webhooks yet").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrow_screen_shows_everything() {
    journey(Kind::PHONE, async |it: &Journey| {
        let browser = &it.browser;
        let webhook = it.webhook(&it.receiver.url(), &["users.*", "roles.*", "invite.created"]).await;
        let long =
            "https://very-long-subdomain-for-the-sake-of-the-test.eu-central-1.compute.example.net/a/rather/long/path";
        it.webhook(long, &["*"]).await;
        it.happens(EventType::USER_BLOCKED).await;
        it.receiver.wait_for(1).await;
        let webhook = format!("/webhooks/{}", webhook.id);
        let pages =
            [("list", "/webhooks"), ("new", "/webhooks/new"), ("webhook", webhook.as_str()), ("events", "/events")];
        for (name, path) in pages {
            browser.open(path).await;
            browser.see("h1").await;
            let fits = "return document.documentElement.scrollWidth <= innerWidth";
            browser.until(fits, vec![]).await;
            browser.picture(&format!("narrow-{name}")).await;
        }
        browser.open("/webhooks").await;
        // Nobody can hover here: the icons are there.
        browser.is_shown(".actions a", true).await;
        browser.click(".switch").await;
        browser.says(TOAST, "Webhook turned off.").await;
        browser.click(".dot").await;
        browser.see("dialog .reason").await;
        browser.picture("narrow-reason").await;
    })
    .await;
}
