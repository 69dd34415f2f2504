//! The Groups page, with a webhook that tracks groups.

use serde_json::json;

use super::{Journey, TOAST, journey, types};
use crate::webdriver::Kind;

const SUBMIT: &str = "dialog .dialog-foot button";

#[tokio::test(flavor = "multi_thread")]
async fn create_fill_rename_and_delete_a_group() {
    journey(Kind::DESK, async |it: &Journey| {
        it.webhook(&it.receiver.url(), &["groups.*"]).await;
        let browser = &it.browser;
        browser.open("/groups").await;
        browser.says("main", "No groups yet").await;
        browser.picture("groups-empty").await;

        browser.click("#create").await;
        browser.click(SUBMIT).await;
        browser.see("#name-error").await;
        browser.fill("#name", "Finance").await;
        browser.picture("groups-create").await;
        browser.click(SUBMIT).await;
        browser.says(TOAST, "Finance was created.").await;
        browser.says("tbody tr .row-link", "Finance").await;

        // The same name again is refused beside the field.
        browser.click("#create").await;
        browser.fill("#name", "finance").await;
        browser.click(SUBMIT).await;
        browser.says("#name-error", "There is a group called Finance already.").await;
        browser.click("dialog [data-close].button").await;

        browser.click("tbody tr .row-link").await;
        browser.says("h1", "Finance").await;
        browser.says("main", "Nobody is in this group yet").await;
        browser.click("#add").await;
        browser.click("dialog .choice:nth-of-type(1) input[name=members]").await;
        browser.picture("groups-add").await;
        browser.click(SUBMIT).await;
        browser.says(TOAST, "1 member was added to Finance.").await;
        browser.says("tbody tr .named", "Ann Lee").await;
        browser.picture("group").await;

        browser.click("#edit").await;
        browser.fill("#name", "Accounting").await;
        browser.click(SUBMIT).await;
        browser.says("h1", "Accounting").await;
        browser.says(TOAST, "Accounting was modified.").await;
        browser.hover("tbody tr td.lead").await;
        browser.click("tbody .actions button").await;
        browser.says(TOAST, "Ann Lee was removed from Accounting.").await;
        browser.says("main", "Nobody is in this group yet").await;

        browser.open("/groups").await;
        browser.says("tbody tr .row-link", "Accounting").await;
        browser.picture("groups").await;
        browser.hover("tbody tr td.lead").await;
        browser.click("tbody .icon-button.danger").await;
        browser.says("dialog", "Nobody is in it.").await;
        browser.click(SUBMIT).await;
        browser.says(TOAST, "Accounting was deleted.").await;
        browser.says("main", "No groups yet").await;

        let told = it.delivered(0, 5).await;
        assert_eq!(
            types(&told),
            ["group.created", "group.member_added", "group.updated", "group.member_removed", "group.deleted"]
        );
        assert_eq!(told[1]["data"]["member"]["name"], "Ann Lee");
        assert_eq!(told[1]["data"]["object"]["member_count"], 1);
        assert_eq!(told[2]["data"]["previous"], json!({"name": "Finance"}));
    })
    .await;
}
