//! `/invites` and the page on which one is accepted.

use std::time::Duration;

use super::browser::{Console, HERE, PASSWORD};

#[tokio::test]
async fn an_invite_is_sent_and_accepted() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let form = ann.dialog("/invites/new").await.is(200).says("Invite user");
    let member = form.checkbox("Member");
    assert!(form.body.contains(&format!("value=\"{member}\" checked")), "Member is ticked: {}", form.body);
    let sent = [("email", "Sam@Example.com"), ("roles", &member), ("return_to", "/users")];
    ann.post("/invites", &sent).await.leads_to("/invites");
    let list = ann
        .get("/invites")
        .await
        .is(200)
        .says("sam@example.com is invited.")
        .says("tone-info\">Pending<")
        .says("sam@example.com");
    let path = list.invite_path();
    assert!(path.starts_with("/invites/accept/"), "{path}");

    let mut sam = console.browser();
    sam.get(&path).await.is(200).says("Join Acme").says("Ann Lee invited you").says("sam@example.com");
    let refused = sam.post(&path, &[("name", ""), ("password", "short")]).await.is(422);
    refused.says("id=\"name-error\"").says("id=\"password-error\"").keeps_silent_about("value=\"short\"");
    sam.post(&path, &[("name", "Sam Rivera"), ("password", PASSWORD)]).await.leads_to("/");
    sam.get("/users").await.is(200).says("Sam Rivera");
    sam.get(&path).await.is(410).says("no longer works");
    ann.get("/invites").await.says("tone-ok\">Accepted<").keeps_silent_about(path.rsplit('/').next().unwrap());
}

#[tokio::test]
async fn the_form_says_what_is_wrong() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let member = ann.dialog("/invites/new").await.checkbox("Member");
    let send = async |email: &str, roles: &str| {
        let mut ann = ann.clone();
        ann.post_with("/invites", &[("email", email), ("roles", roles)], &[("x-dialog", "1")]).await
    };
    send("sam", &member).await.is(422).says("Must be an e-mail address").says("value=\"sam\"").says("checked");
    send("ann@example.com", &member).await.is(422).says("id=\"email-error\"");
    send("sam@example.com", "role_nonsense").await.is(422).says("field-error");
    send("sam@example.com", &member).await.leads_to("/invites");
    send("sam@example.com", &member).await.is(422).says("id=\"email-error\"");
}

#[tokio::test]
async fn a_new_url_replaces_the_old_one_and_a_deleted_one_is_gone() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let member = ann.dialog("/invites/new").await.checkbox("Member");
    ann.post("/invites", &[("email", "sam@example.com"), ("roles", &member)]).await.leads_to("/invites");
    let list = ann.get("/invites").await.is(200);
    let old = list.invite_path();
    let id = list.body.split("<tr id=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();

    ann.post(&format!("/invites/{id}/resend"), &[]).await.leads_to("/invites");
    let new = ann.get("/invites").await.says("has a new URL").invite_path();
    assert_ne!(old, new);
    console.browser().get(&old).await.is(410);
    console.browser().get(&new).await.is(200);

    ann.dialog(&format!("/invites/{id}/delete")).await.is(200).says("sam@example.com");
    ann.post(&format!("/invites/{id}/delete"), &[]).await.leads_to("/invites");
    console.browser().get(&new).await.is(410);
    console.browser().post(&new, &[("name", "Sam"), ("password", PASSWORD)]).await.is(410);
}

#[tokio::test]
async fn an_invite_runs_out_after_a_week() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let member = ann.dialog("/invites/new").await.checkbox("Member");
    ann.post("/invites", &[("email", "sam@example.com"), ("roles", &member)]).await.leads_to("/invites");
    let path = ann.get("/invites").await.invite_path();
    console.clock.advance(Duration::from_secs(7 * 24 * 60 * 60 + 1));
    console.browser().get(&path).await.is(410);
    console.browser().post(&path, &[("name", "Sam"), ("password", PASSWORD)]).await.is(410);
    let away = format!("{HERE}/invites/accept/made-up");
    console.browser().get(&away).await.is(410);
}

#[tokio::test]
async fn whoever_has_an_account_joins_with_their_password() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let sam = console.member(&mut ann).await;
    drop(sam);
    let list = ann.get("/users?q=sam").await;
    let id = list.body.split("<tr id=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    ann.post(&format!("/users/{id}/remove"), &[]).await.leads_to("/users");
    let member = ann.dialog("/invites/new").await.checkbox("Member");
    ann.post("/invites", &[("email", "sam@example.com"), ("roles", &member)]).await.leads_to("/invites");
    let path = ann.get("/invites?status=pending").await.invite_path();
    let mut sam = console.browser();
    sam.get(&path)
        .await
        .is(200)
        .says("You have an account with this address already.")
        .keeps_silent_about("name=\"name\"");
    sam.post(&path, &[("password", "not the password")]).await.is(422).says("id=\"password-error\"");
    sam.post(&path, &[("password", PASSWORD)]).await.leads_to("/");
    sam.get("/users").await.is(200);
}
