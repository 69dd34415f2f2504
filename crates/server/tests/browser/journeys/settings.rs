//! The Settings page, and what the feed tells of it.

use super::{Journey, TOAST, journey};
use crate::webdriver::Kind;

#[tokio::test(flavor = "multi_thread")]
async fn the_workspace_gets_another_name() {
    journey(Kind::DESK, async |it: &Journey| {
        it.webhook(&it.receiver.url(), &["*"]).await;
        let browser = &it.browser;
        browser.click(".nav a[href='/settings']").await;
        browser.says("h1", "Settings").await;
        browser.says("main", "BELLWIRE_RETENTION").await;
        browser.fill("#name", "").await;
        browser.click("main form .primary").await;
        browser.says("#name-error", "Must not be empty.").await;
        browser.picture("settings-refused").await;
        browser.fill("#name", "Northwind Traders").await;
        browser.click("main form .primary").await;
        browser.says(TOAST, "The workspace is called Northwind Traders now.").await;
        browser.says(".workspace-button", "Northwind Traders").await;
        browser.picture("settings").await;

        browser.open("/events?type=workspace.updated").await;
        browser.click("tbody .row-link").await;
        browser.says("h1", "Workspace updated").await;
        browser.says(".facts", "Ann Lee").await;
        browser.says(".facts", "Console, from 127.0.0.1").await;
        browser.says("main", "no webhook gets it").await;
        assert!(it.receiver.received().is_empty(), "not even one that wants everything");
    })
    .await;
}
