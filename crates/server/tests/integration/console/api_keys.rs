//! `/api-keys`

use bellwire_core::text::Name;

use super::browser::{Answer, Browser, Console};

/// The id of the API key with that name, from the list.
async fn id(browser: &mut Browser, name: &str) -> String {
    let page = browser.get("/api-keys").await.is(200);
    let before = page.body.split(&format!("<span class=\"named\">{name}")).next().unwrap().to_owned();
    before.rsplit("<tr id=\"").next().unwrap().split('"').next().unwrap().to_owned()
}

/// The secret that a dialog shows.
fn secret(dialog: &Answer) -> String {
    let after = dialog.body.split("<code id=\"secret\">").nth(1).unwrap();
    after.split('<').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_secret_is_shown_once() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    ann.get("/api-keys").await.is(200).says("No API keys yet").says("href=\"/api-keys\" aria-current");
    let admin = ann.dialog("/api-keys/new").await.is(200).says("Create API key").checkbox("Admin");
    let refused = ann.post_with("/api-keys", &[("name", "")], &[("x-dialog", "1")]).await.is(422);
    refused.says("id=\"name-error\"");
    ann.post_with("/api-keys", &[("name", "Sync")], &[("x-dialog", "1")])
        .await
        .is(422)
        .says("Choose at least one role.");

    let form = [("name", "Sync"), ("roles", admin.as_str())];
    let made = ann.post_with("/api-keys", &form, &[("x-dialog", "1")]).await.is(200).says("API key created");
    let made = made.says("shown this once");
    let first = secret(&made);
    assert_eq!(made.headers["cache-control"], "no-store");
    assert!(made.set_cookies().is_empty(), "no cookie carries it");
    assert!(bellwire::ops::api_keys::authenticate(&console, &first).await.is_ok());

    // Without the script it is over the list, and still in no address.
    let key = id(&mut ann, "Sync").await;
    let page = ann.post(&format!("/api-keys/{key}/rotate"), &[]).await.is(200).says("Secret rotated").says("<table");
    let second = secret(&page);
    assert_ne!(first, second);
    assert!(bellwire::ops::api_keys::authenticate(&console, &first).await.is_err());
    for path in ["/api-keys", "/events", &format!("/api-keys/{key}/edit"), &format!("/api-keys/{key}/rotate")] {
        let page = ann.get(path).await.is(200);
        for secret in [&first, &second] {
            assert!(!page.body.contains(secret.as_str()), "{path} shows it again");
        }
    }
    ann.get("/api-keys").await.says(&format!("ends in <code>{}</code>", &second[second.len() - 4..]));
}

#[tokio::test]
async fn a_blocked_key_says_why_and_a_deleted_one_leaves_what_it_owned() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let admin = ann.dialog("/api-keys/new").await.checkbox("Admin");
    let made = ann.post("/api-keys", &[("name", "Sync"), ("roles", &admin)]).await.is(200);
    let secret = secret(&made);
    let key = id(&mut ann, "Sync").await;
    let actor = bellwire::ops::api_keys::authenticate(&console, &secret).await.unwrap();
    let group = bellwire::ops::groups::NewGroup { name: Name::parse("Finance").unwrap(), owner: None };
    bellwire::ops::groups::create(&console, &actor, group).await.unwrap();

    let path = |what: &str| format!("/api-keys/{key}/{what}");
    ann.dialog(&path("block")).await.is(200).says("Block API key");
    ann.post(&path("block"), &[("reason", "leaked"), ("return_to", "/api-keys?status=blocked")])
        .await
        .leads_to("/api-keys?status=blocked");
    ann.get("/api-keys?status=blocked").await.says("tone-bad\">Blocked<").says("leaked").says("Sync is blocked.");
    ann.get("/api-keys?status=active").await.says("No API key matches");
    assert!(bellwire::ops::api_keys::authenticate(&console, &secret).await.is_err());
    ann.post(&path("unblock"), &[]).await.leads_to("/api-keys");

    // The name and the roles in one go; what the form did not show stays.
    let form = ann.dialog(&path("edit")).await.is(200).says("Modify API key");
    let member = form.checkbox("Member");
    ann.post(&path("edit").replace("/edit", ""), &[("name", "Billing"), ("roles", &member), ("held", &admin)])
        .await
        .leads_to("/api-keys");
    ann.get("/api-keys").await.says("Billing was modified.").says("<li class=\"chip\" title=\"Member\">Member</li>");
    ann.get("/groups").await.says("<span class=\"vh\">API key </span>Billing");

    ann.dialog(&path("delete")).await.is(200).says("It owns 1 group: this stays and goes to you.");
    ann.post(&path("delete"), &[]).await.leads_to("/api-keys");
    ann.get("/api-keys").await.says("Billing was deleted.").says("No API keys yet");
    ann.get("/groups").await.says("Finance").says("Ann Lee");
}

#[tokio::test]
async fn what_one_may_not_do_is_hidden_and_refused() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let mut sam = console.member(&mut ann).await;
    let mut eve = console.join(&mut ann, "Eve", "eve@example.com", "Admin").await;
    let owner = ann.dialog("/api-keys/new").await.checkbox("Owner");
    ann.post("/api-keys", &[("name", "Automation"), ("roles", &owner)]).await.is(200);
    let key = id(&mut ann, "Automation").await;

    sam.get("/users").await.keeps_silent_about("href=\"/api-keys\"");
    sam.get("/api-keys").await.is(403);
    sam.get("/api-keys/new").await.is(403);
    sam.post("/api-keys", &[("name", "X")]).await.is(403);

    // An admin sees the key of an owner, and can't become one through it.
    let list = eve.get("/api-keys").await.is(200).says("Automation").says("/edit");
    list.keeps_silent_about("/rotate").keeps_silent_about("/delete");
    eve.post_with(&format!("/api-keys/{key}/rotate"), &[], &[("x-dialog", "1")])
        .await
        .is(422)
        .says("class=\"problem\"")
        .keeps_silent_about("bw_");
    eve.post(&format!("/api-keys/{key}/delete"), &[]).await.leads_to("/api-keys");
    eve.get("/api-keys").await.says("role=\"alert\"").says("Automation");
    eve.dialog("/api-keys/new").await.says("It allows what you may not do yourself (workspace.own)");
    let form = [("name", "Mine"), ("roles", owner.as_str())];
    eve.post_with("/api-keys", &form, &[("x-dialog", "1")]).await.is(422).says("class=\"problem\"");
    eve.get("/api-keys/key_01ke6jq300em7a3s4w04zg1hhc/edit").await.is(404);
    eve.get("/api-keys/nonsense/edit").await.is(404);
}
