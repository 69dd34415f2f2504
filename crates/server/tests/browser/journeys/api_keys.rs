//! The API Keys page, with a webhook that tracks API keys.

use bellwire::ops::{api_keys, groups};
use bellwire_core::text::Name;
use serde_json::json;

use super::{Journey, TOAST, journey, types};
use crate::webdriver::Kind;

const SUBMIT: &str = "dialog .dialog-foot button";
const DONE: &str = "dialog .dialog-foot [data-close]";

#[tokio::test(flavor = "multi_thread")]
async fn an_api_key_from_its_first_day_to_its_last() {
    journey(Kind::DESK, async |it: &Journey| {
        it.webhook(&it.receiver.url(), &["api_keys.*"]).await;
        let browser = &it.browser;
        browser.click(".nav a[href='/api-keys']").await;
        browser.says("h1", "API Keys").await;
        // The key of the tests themselves.
        browser.says("tbody tr .named", "Automation").await;

        // A name and a role are needed.
        browser.click("#create").await;
        browser.click("dialog input[name=roles]:checked").await;
        browser.click(SUBMIT).await;
        browser.says("#name-error", "Must not be empty.").await;
        browser.fill("#name", "Billing sync").await;
        browser.click(SUBMIT).await;
        browser.says("#role_ids-error", "Choose at least one role.").await;
        browser.picture("api-keys-refused").await;
        browser.click("dialog .choice:has(.crown) input").await;
        browser.click(SUBMIT).await;

        // The secret is shown this once, and works.
        browser.says("dialog h2", "API key created").await;
        let secret = browser.text("#secret").await;
        browser.picture("api-key-created").await;
        browser.click("dialog .secret .copy").await;
        browser.says("#announce", "Secret copied").await;
        let key = api_keys::authenticate(&it.site.app, &secret).await.unwrap();
        browser.click(DONE).await;
        browser.gone("dialog").await;
        browser.at("/api-keys").await;
        browser.says("tbody tr .named", "Billing sync").await;
        let html = browser.script("return document.documentElement.outerHTML").await;
        assert!(!html.as_str().unwrap().contains(&secret));
        browser.fill("#q", &secret[secret.len() - 4..]).await;
        browser.press(thirtyfour::Key::Enter).await;
        browser.says(".pager", "1 of 1").await;
        browser.open("/api-keys").await;
        let row = format!("#{}", key.principal);
        browser.says(&row, "Owner").await;

        // It acts: it owns a webhook and a group, and is used.
        let group = groups::NewGroup { name: Name::parse("Finance").unwrap(), owner: None };
        groups::create(&it.site.app, &key, group).await.unwrap();
        browser.open("/groups").await;
        browser.says("tbody tr .who", "Billing sync").await;
        browser.open("/api-keys").await;

        let of = |what: &str| format!("#{what}-{}", key.principal);
        let lead = format!("{row} td.lead");
        browser.hover(&lead).await;
        browser.picture("api-keys").await;
        browser.click(&of("edit")).await;
        browser.fill("#name", "Invoices").await;
        browser.picture("api-key-modify").await;
        browser.click(SUBMIT).await;
        browser.says(TOAST, "Invoices was modified.").await;

        browser.hover(&lead).await;
        browser.click(&of("rotate")).await;
        browser.says("dialog", "is refused at once").await;
        browser.picture("api-key-rotate").await;
        browser.click(SUBMIT).await;
        browser.says("dialog h2", "Secret rotated").await;
        let rotated = browser.text("#secret").await;
        assert!(rotated != secret && api_keys::authenticate(&it.site.app, &secret).await.is_err());
        browser.click(DONE).await;
        browser.gone("dialog").await;

        browser.hover(&lead).await;
        browser.click(&of("block")).await;
        browser.fill("#reason", "found in a public repository").await;
        browser.click(SUBMIT).await;
        browser.says(TOAST, "Invoices is blocked.").await;
        browser.says(&row, "found in a public repository").await;
        browser.picture("api-keys-blocked").await;
        assert!(api_keys::authenticate(&it.site.app, &rotated).await.is_err());
        browser.hover(&lead).await;
        browser.click(&of("block")).await;
        browser.says(TOAST, "Invoices is active again.").await;
        assert!(api_keys::authenticate(&it.site.app, &rotated).await.is_ok());

        browser.hover(&lead).await;
        browser.click(&of("delete")).await;
        browser.says("dialog", "It owns 1 group: this stays and goes to you.").await;
        browser.picture("api-key-delete").await;
        browser.click(SUBMIT).await;
        browser.says(TOAST, "Invoices was deleted.").await;
        browser.gone(&row).await;

        let told = it.delivered(0, 6).await;
        assert_eq!(
            types(&told),
            [
                "api_key.created",
                "api_key.updated",
                "api_key.secret_rotated",
                "api_key.blocked",
                "api_key.unblocked",
                "api_key.deleted"
            ]
        );
        assert_eq!(told[0]["data"]["object"]["created_by"]["name"], "Ann Lee");
        assert_eq!(told[1]["data"]["previous"], json!({"name": "Billing sync"}));
        assert_eq!(told[3]["data"]["reason"], "found in a public repository");
        for body in &told {
            assert!(!body.to_string().contains("bw_"));
        }
    })
    .await;
}
