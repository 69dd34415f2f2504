//! By the keyboard alone: everything can be reached with Tab, and the focus is never lost.

use bellwire_core::catalogue::EventType;
use thirtyfour::Key;

use super::{Journey, TOAST, event_type, journey};
use crate::webdriver::Kind;

const FIRST_ROW: &str = ".webhooks tbody tr:first-child";

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_from_its_creation_to_its_end() {
    journey(Kind::DESK, async |it: &Journey| {
        let page = &it.browser;
        let enter = async || page.press(Key::Enter + "").await;
        let space = async || page.press(Key::Space + "").await;
        page.open("/webhooks").await;
        // The first thing that Tab reaches leads past the navigation.
        page.press(Key::Tab + "").await;
        page.focus_is_on(".skip").await;

        // Create, cancel, and create: the focus is where it was.
        page.tab_to("#create").await;
        enter().await;
        page.focus_is_on("dialog #url").await;
        page.press(Key::Escape + "").await;
        page.focused("create").await;
        enter().await;
        page.focus_is_on("dialog #url").await;
        page.press(it.receiver.url()).await;
        page.tab_to("dialog input[value='user.blocked']").await;
        space().await;
        page.tab_to("dialog .dialog-foot .primary").await;
        enter().await;
        page.says(TOAST, "Webhook created.").await;
        // The way in of an empty list is gone with the emptiness.
        page.until("return document.activeElement !== document.body", vec![]).await;

        // Off, and on again.
        page.tab_to(&format!("{FIRST_ROW} .switch")).await;
        space().await;
        page.has(&format!("{FIRST_ROW} .switch"), "aria-checked", "false").await;
        page.focus_is_on(&format!("{FIRST_ROW} .switch")).await;
        it.happens(EventType::USER_BLOCKED).await;
        page.tab_to(&format!("{FIRST_ROW} .dot")).await;
        enter().await;
        page.says("dialog h2", "Why is this webhook inactive?").await;
        page.tab_to("dialog .dialog-foot .primary").await;
        enter().await;
        page.says(TOAST, "Webhook turned on. The event that it missed is being sent.").await;
        // The dot is gone: its row has the focus instead.
        page.focus_is_on(&format!("{FIRST_ROW} *")).await;
        assert_eq!(event_type(&it.receiver.wait_for(1).await[0]), "user.blocked");

        // Look, test, resend.
        page.tab_to(&format!("{FIRST_ROW} .row-link")).await;
        enter().await;
        page.says("h1", &it.receiver.url()).await;
        page.tab_to("#test").await;
        enter().await;
        page.focus_is_on("dialog #type").await;
        page.press("user.left").await;
        let example = "return document.querySelector('dialog #data').value.includes('\"object\"')";
        page.until(example, vec![]).await;
        page.focus_is_on("dialog #type").await;
        page.tab_to("dialog #send-test").await;
        enter().await;
        page.focused("test-result").await;
        page.says("#test-result", "200 OK").await;
        page.press(Key::Escape + "").await;
        page.focused("test").await;
        page.tab_to(".table tbody a").await;
        enter().await;
        page.says("h1", "user.left").await;
        page.tab_to("#resend").await;
        enter().await;
        page.says(TOAST, "The delivery is sent again.").await;
        page.focused("resend").await;
        page.says(".attempts", "Resend").await;
        page.tab_to("#attempt-1").await;
        enter().await;
        page.has("#attempt-1", "aria-current", "true").await;
        page.focused("attempt-1").await;

        // Delete, from the list: the row is gone, the page's name has the focus.
        page.open("/webhooks").await;
        page.tab_to(&format!("{FIRST_ROW} .actions .danger")).await;
        page.is_shown(&format!("{FIRST_ROW} .actions .danger"), true).await;
        enter().await;
        page.says("dialog h2", "Delete webhook").await;
        page.press(Key::Escape + "").await;
        page.focus_is_on(&format!("{FIRST_ROW} .actions .danger")).await;
        enter().await;
        page.tab_to("dialog .destructive").await;
        enter().await;
        page.says(TOAST, "Webhook deleted.").await;
        page.says("main", "No webhooks yet").await;
        page.focused("heading").await;
    })
    .await;
}
