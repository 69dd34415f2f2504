//! The Invites and Users pages, with webhooks that track them.

use bellwire::ops::invites;
use bellwire_core::text::Email;
use serde_json::json;

use super::{Journey, TOAST, journey, types};
use crate::{page::Page, site::PASSWORD, webdriver::Kind};

const SUBMIT: &str = "dialog .dialog-foot button";

#[tokio::test(flavor = "multi_thread")]
async fn an_invite_is_sent_again_and_deleted_and_another_one_accepted() {
    journey(Kind::DESK, async |it: &Journey| {
        it.webhook(&it.receiver.url(), &["invites.*"]).await;
        let browser = &it.browser;
        browser.click(".nav a[href='/invites']").await;
        browser.says("main", "No invites yet").await;
        browser.picture("invites-empty").await;

        browser.click("#invite").await;
        browser.fill("dialog #email", "sam").await;
        browser.click(SUBMIT).await;
        browser.says("#email-error", "Must be an e-mail address").await;
        browser.picture("invite-refused").await;
        browser.fill("dialog #email", "sam@example.com").await;
        browser.click(SUBMIT).await;
        browser.says(TOAST, "sam@example.com is invited.").await;
        browser.says("tbody tr", "Pending").await;
        let url = async || browser.script("return document.querySelector('tbody .copy').dataset.copy").await;
        let first = url().await;

        browser.hover("tbody td.lead").await;
        browser.picture("invites").await;
        browser.click("tbody .actions form button").await;
        browser.says(TOAST, "has a new URL").await;
        assert_ne!(first, url().await);
        browser.hover("tbody td.lead").await;
        browser.click("tbody .icon-button.danger").await;
        browser.says("dialog", "Its URL stops working.").await;
        browser.click(SUBMIT).await;
        browser.says(TOAST, "The invite for sam@example.com was deleted.").await;
        browser.says("tbody tr", "Deleted").await;

        // Another one is accepted, in a browser in which nobody is signed in.
        browser.click("#invite").await;
        browser.fill("dialog #email", "bo@example.com").await;
        browser.click(SUBMIT).await;
        browser.says("tbody", "bo@example.com").await;
        let url = url().await.as_str().unwrap().to_owned();
        let bo = Page::of(&it.site, Kind::PHONE).await;
        bo.open(&url[it.site.url.len()..]).await;
        bo.says("h1", "Join Northwind").await;
        bo.fill("#name", "Bo Chen").await;
        bo.fill("#password", PASSWORD).await;
        bo.picture("invite-accept-phone").await;
        bo.click("form .primary").await;
        bo.says("h1", "Users").await;
        bo.quit().await;

        let told = it.delivered(0, 5).await;
        assert_eq!(
            types(&told),
            ["invite.created", "invite.resent", "invite.deleted", "invite.created", "invite.accepted"]
        );
        assert_eq!(told[0]["data"]["object"]["invited_by"]["name"], "Ann Lee");
        assert_eq!(told[4]["actor"]["name"], "Bo Chen");
        for body in &told {
            assert!(!body.to_string().contains("/accept/"), "{body}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_joins_is_blocked_unblocked_and_removed() {
    journey(Kind::DESK, async |it: &Journey| {
        it.webhook(&it.receiver.url(), &["users.*"]).await;
        let browser = &it.browser;
        browser.open("/users").await;
        browser.picture("users-alone").await;
        let new = invites::NewInvite { email: Email::parse("sam@example.com").unwrap(), role_ids: None };
        let sent = invites::create(&it.site.app, &it.site.ann, new).await.unwrap();
        let token = sent.url.rsplit('/').next().unwrap();
        invites::accept(&it.site.app, token, "Sam Rivera", PASSWORD, None).await.unwrap();
        // The open page shows who came, by itself.
        browser.says("tbody", "Sam Rivera").await;
        let lead = "tbody tr:last-child td.lead";

        browser.hover(lead).await;
        browser.click("tbody [title='Change profile'][aria-label*='Sam']").await;
        browser.fill("dialog #name", "Sam R. Rivera").await;
        browser.click(SUBMIT).await;
        browser.says(TOAST, "Sam R. Rivera was changed.").await;

        browser.hover(lead).await;
        browser.click("tbody [title='Block']").await;
        browser.fill("dialog #reason", "left the company").await;
        browser.picture("user-block").await;
        browser.click(SUBMIT).await;
        browser.says(TOAST, "Sam R. Rivera is blocked.").await;
        browser.says("tbody", "Blocked").await;
        browser.hover(lead).await;
        browser.picture("users-blocked").await;
        browser.click("tbody [title='Unblock']").await;
        browser.says(TOAST, "Sam R. Rivera is active again.").await;

        browser.hover(lead).await;
        browser.click("tbody [title='Remove']").await;
        browser.says("dialog", "They own no webhooks and no groups.").await;
        browser.picture("user-remove").await;
        browser.click(SUBMIT).await;
        browser.says(TOAST, "Sam R. Rivera was removed.").await;
        browser.says(".pager", "1 of 1").await;

        let told = it.delivered(0, 5).await;
        assert_eq!(types(&told), ["user.joined", "user.updated", "user.blocked", "user.unblocked", "user.removed"]);
        assert_eq!(told[1]["data"]["previous"], json!({"name": "Sam Rivera"}));
        assert_eq!(told[2]["data"]["reason"], "left the company");
        assert_eq!(told[2]["actor"]["name"], "Ann Lee");
    })
    .await;
}
