//! The rows of the Webhooks page: selecting several, keys, what stays while the page changes, the first steps.

use bellwire::ops::webhooks;
use bellwire_core::{catalogue::EventType, text::Reason};
use thirtyfour::Key;

use super::{Journey, TOAST, event_type, journey};
use crate::webdriver::Kind;

const URLS: [&str; 3] = ["https://a.example.com/", "https://b.example.com/", "https://c.example.com/"];

impl Journey {
    /// The webhooks whose boxes are ticked, by their URLs.
    async fn selected(&self) -> Vec<String> {
        let script =
            "return [...document.querySelectorAll('tbody tr:has(.select :checked) .url')].map((it) => it.title)";
        serde_json::from_value(self.browser.script(script).await).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_webhooks_are_turned_off_and_deleted_at_once() {
    journey(Kind::DESK, async |it: &Journey| {
        let browser = &it.browser;
        let mut made = Vec::new();
        for url in URLS {
            made.push(it.webhook(url, &["user.*"]).await);
        }
        browser.open("/webhooks").await;
        browser.gone("#selected").await;
        browser.click(&format!("#{} .select input", made[0].id)).await;
        browser.click(&format!("#{} .select input", made[1].id)).await;
        browser.says("#selected", "2 selected").await;
        browser.picture("selected").await;
        browser.click("#selected-deactivate").await;
        browser.says("dialog h2", "Deactivate 2 webhooks").await;
        browser.says("dialog", URLS[0]).await;
        browser.picture("selected-deactivate").await;
        // Escape asks nobody anything, and the selection stays.
        browser.press(Key::Escape + "").await;
        browser.gone("dialog").await;
        browser.focused("selected-deactivate").await;
        assert_eq!(it.selected().await, [URLS[1], URLS[0]]);
        browser.click("#selected-deactivate").await;
        browser.click("dialog .dialog-foot button").await;
        browser.says(TOAST, "2 webhooks were turned off.").await;
        browser.has(&format!("#status-{}", made[0].id), "aria-checked", "false").await;
        browser.has(&format!("#status-{}", made[2].id), "aria-checked", "true").await;
        browser.gone("#selected").await;
        browser.focused("heading").await;
        // All of the page.
        browser.click("#select-all").await;
        browser.says("#selected", "3 selected").await;
        browser.click("#selected-delete").await;
        browser.says("dialog h2", "Delete 3 webhooks").await;
        browser.click("dialog .destructive").await;
        browser.says(TOAST, "3 webhooks were deleted.").await;
        browser.says("main", "No webhooks yet").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_search_create_move_and_select() {
    journey(Kind::DESK, async |it: &Journey| {
        let browser = &it.browser;
        for url in URLS {
            it.webhook(url, &["user.*"]).await;
        }
        browser.open("/webhooks").await;
        let row = "return document.activeElement.closest('tr')?.querySelector('.url').title === arguments[0]";
        browser.press(Key::Down + "").await;
        browser.until(row, vec![URLS[2].into()]).await;
        browser.press(Key::Down + "").await;
        browser.until(row, vec![URLS[1].into()]).await;
        browser.press("x").await;
        assert_eq!(it.selected().await, [URLS[1]]);
        browser.press(Key::Up + "").await;
        browser.until(row, vec![URLS[2].into()]).await;
        browser.press("?").await;
        browser.says("dialog h2", "Keys").await;
        browser.picture("keys").await;
        browser.press(Key::Escape + "").await;
        browser.gone("dialog").await;
        browser.press("c").await;
        browser.says("dialog h2", "Create webhook").await;
        browser.press(Key::Escape + "").await;
        browser.gone("dialog").await;
        browser.press("/").await;
        browser.focused("q").await;
        // In a field, keys write.
        browser.press("c?").await;
        browser.until("return document.querySelector('#q').value === 'c?'", vec![]).await;
        browser.gone("dialog").await;
        // They can be turned off, and that is remembered.
        browser.script("document.querySelector('#heading').focus()").await;
        browser.press("?").await;
        browser.click("dialog [data-keys-on]").await;
        browser.press(Key::Escape + "").await;
        browser.gone("dialog").await;
        browser.open("/webhooks").await;
        browser.press("/").await;
        browser.until("return document.activeElement.id !== 'q'", vec![]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_selected_typed_focused_and_pointed_at_stays_while_the_page_changes() {
    journey(Kind::DESK, async |it: &Journey| {
        let browser = &it.browser;
        let (first, second) = (it.webhook(URLS[0], &["user.*"]).await, it.webhook(URLS[1], &["user.*"]).await);
        browser.open("/webhooks").await;
        browser.click(&format!("#{} .select input", first.id)).await;
        browser.fill("#q", "half a wo").await;
        browser.hover(&format!("#{} td.lead", first.id)).await;
        let off = async |id, text| {
            let reason = Reason::parse(text).unwrap();
            webhooks::deactivate(&it.site.app, &it.site.ann, id, reason).await.unwrap();
        };
        off(second.id, "We are moving.").await;
        browser.has(&format!("#status-{}", second.id), "aria-checked", "false").await;
        assert_eq!(it.selected().await, [URLS[0]]);
        browser.focused("q").await;
        browser.until("return document.querySelector('#q').value === 'half a wo'", vec![]).await;
        browser.is_shown(&format!("#edit-{}", first.id), true).await;
        let dot = format!("#reason-{}", second.id);
        let said = "return document.querySelector(arguments[0]).title.includes('We are moving.')";
        browser.until(said, vec![dot.as_str().into()]).await;
        // A new row does not push the others away under the pointer: it comes when the pointer has left.
        let third = it.webhook(URLS[2], &["user.*"]).await;
        off(first.id, "Also this one.").await;
        browser.has(&format!("#status-{}", first.id), "aria-checked", "false").await;
        browser.gone(&format!("#{}", third.id)).await;
        browser.hover("h1").await;
        browser.see(&format!("#{}", third.id)).await;
        assert_eq!(it.selected().await, [URLS[0]]);
        // A reason that is open says what is true now.
        browser.click(&dot).await;
        browser.says("dialog blockquote", "We are moving.").await;
        webhooks::activate(&it.site.app, &it.site.ann, second.id, webhooks::Missed::Send).await.unwrap();
        browser.has(&format!("#status-{}", second.id), "aria-checked", "true").await;
        off(second.id, "We are moving again.").await;
        browser.says("dialog blockquote", "We are moving again.").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_steps_lead_to_a_delivery_and_go_away() {
    journey(Kind::DESK, async |it: &Journey| {
        let browser = &it.browser;
        browser.open("/webhooks").await;
        browser.says(".guide", "0 of 3 done").await;
        browser.picture("guide-empty").await;
        let webhook = it.webhook(&it.receiver.url(), &["user.*"]).await;
        browser.says(".guide", "1 of 3 done").await;
        browser.gone(&format!("#{} .strip", webhook.id)).await;
        it.happens(EventType::USER_BLOCKED).await;
        it.receiver.wait_for(1).await;
        browser.says(".guide", "2 of 3 done").await;
        browser.has(&format!("#{} .strip", webhook.id), "title", "1 delivered").await;
        browser.picture("guide").await;
        browser.click("#guide-test").await;
        browser.click("dialog .dialog-foot button").await;
        let seen = it.receiver.wait_for(2).await;
        assert!(event_type(&seen[1]).contains('.'));
        browser.open("/webhooks").await;
        browser.has(&format!("#{} .strip", webhook.id), "title", "2 delivered").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_event_picker_counts_folds_and_filters() {
    journey(Kind::DESK, async |it: &Journey| {
        let browser = &it.browser;
        browser.open("/webhooks").await;
        browser.click("#create").await;
        browser.says("dialog [data-total]", "0 of ").await;
        browser.says("dialog", "Ones that are added to Bellwire later are not included.").await;
        browser.click("dialog #group-roles .all").await;
        browser.says("dialog #group-roles [data-count]", "5 of 5").await;
        browser.click("dialog input[value='webhook.deactivated']").await;
        browser.says("dialog [data-total]", "6 of ").await;
        browser.click("dialog [data-fold]").await;
        browser.gone("dialog .group .choice").await;
        browser.picture("create-folded").await;
        browser.fill("dialog [data-filter]", "joined").await;
        browser.see("dialog input[value='user.joined']").await;
        browser.gone("dialog #group-roles").await;
        browser.click("dialog #group-users .group-about").await;
        browser.gone("dialog input[value='user.joined']").await;
    })
    .await;
}
