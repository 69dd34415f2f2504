//! `/users`

use super::browser::{Console, id};

#[tokio::test]
async fn a_blocked_user_is_out_at_the_next_request() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let mut sam = console.member(&mut ann).await;
    sam.get("/users").await.is(200);
    let id = id(&mut ann, "Sam Rivera").await;
    ann.dialog(&format!("/users/{id}/block")).await.is(200).says("Block user").says("Sam Rivera");
    ann.post(&format!("/users/{id}/block"), &[("reason", "left the company"), ("return_to", "/users?status=active")])
        .await
        .leads_to("/users?status=active");
    ann.get("/users").await.says("Sam Rivera is blocked.").says("tone-bad\">Blocked<");
    sam.get("/users").await.leads_to("/sign-in?return_to=%2Fusers");
    sam.get("/live").await.is(204);

    ann.post(&format!("/users/{id}/unblock"), &[]).await.leads_to("/users");
    sam.post("/sign-in", &[("email", "sam@example.com"), ("password", super::browser::PASSWORD)]).await.leads_to("/");
    sam.get("/users").await.is(200);
}

#[tokio::test]
async fn what_one_may_not_do_is_hidden_and_refused() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let mut sam = console.member(&mut ann).await;
    let ann_id = id(&mut ann, "Ann Lee").await;
    sam.get("/").await.leads_to("/users");
    let page = sam.get("/users").await.is(200);
    page.keeps_silent_about("/block")
        .keeps_silent_about("/remove")
        .keeps_silent_about("/invites/new")
        .keeps_silent_about("href=\"/invites\"")
        .keeps_silent_about("<a href=\"/webhooks\"")
        .says("id=\"leave\"");
    for path in ["/invites", "/invites/new", &format!("/users/{ann_id}/block"), &format!("/users/{ann_id}/remove")] {
        sam.get(path).await.is(403).says("You may not do this");
    }
    for path in ["block", "remove", "unblock"] {
        sam.post(&format!("/users/{ann_id}/{path}"), &[]).await.leads_to("/users");
        sam.get("/users").await.says("role=\"alert\"").says("Your roles don&#39;t allow this");
    }
    sam.post("/invites", &[("email", "eve@example.com")]).await.is(403);
    ann.get("/users").await.is(200).says("Ann Lee");
}

#[tokio::test]
async fn the_last_owner_stays() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    ann.dialog("/users/leave").await.is(200).says("Leave <strong>Acme</strong>");
    ann.post_with("/users/leave", &[], &[("x-dialog", "1")]).await.is(422).says("class=\"problem\"");
    ann.get("/users").await.is(200);
}

#[tokio::test]
async fn a_removed_user_is_out_and_one_can_leave() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let mut sam = console.member(&mut ann).await;
    let mut bo = console.join(&mut ann, "<b>Bo</b>", "bo@example.com", "Admin").await;
    let sam_id = id(&mut ann, "Sam Rivera").await;
    bo.post(&format!("/users/{sam_id}/remove"), &[]).await.leads_to("/users");
    bo.get("/users")
        .await
        .says("Sam Rivera was removed.")
        .keeps_silent_about("sam@example.com")
        .keeps_silent_about("<b>Bo");
    sam.get("/users").await.leads_to("/sign-in?return_to=%2Fusers");
    bo.post("/users/leave", &[]).await.is(303);
    bo.get("/users").await.is(303);
    ann.get("/users").await.is(200).keeps_silent_about("bo@example.com");
}

#[tokio::test]
async fn a_dialog_is_alone_for_the_script_and_over_its_list_without() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let id = id(&mut ann, "Ann Lee").await;
    let path = format!("/users/{id}/edit");
    let alone = ann.dialog(&path).await.is(200);
    assert!(alone.body.trim_start().starts_with("<dialog") && !alone.body.contains("<html"), "{}", alone.body);
    let over = ann.get(&format!("{path}?return_to=/users%3Fq%3Dann")).await.is(200);
    over.says("<dialog").says("value=\"ann\"").says("id=\"shell\" inert").says("href=\"/users?q=ann\"");

    let long = "a".repeat(101);
    let form = [("name", long.as_str()), ("return_to", "/users?q=ann")];
    let refused = ann.post_with(&format!("/users/{id}"), &form, &[("x-dialog", "1")]).await.is(422);
    refused.says("Must be at most 100 characters long.").says(&long).keeps_silent_about("<html");
    ann.post(&format!("/users/{id}"), &form).await.is(422).says("<html").says("<dialog").says("value=\"ann\"");
    ann.post(&format!("/users/{id}"), &[("name", "Ann B. Lee")]).await.leads_to("/users");
    ann.get("/users").await.says("Ann B. Lee was changed.");
}

#[tokio::test]
async fn other_ids_lead_nowhere() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    for id in ["usr_00000000000000000000000000", "wh_00000000000000000000000000", "..", "%27"] {
        ann.get(&format!("/users/{id}/edit")).await.is(404);
    }
}

#[tokio::test]
async fn roles_are_changed_in_one_go_and_stale_pages_undo_nothing() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let mut sam = console.member(&mut ann).await;
    let sam_id = id(&mut ann, "Sam Rivera").await;
    let path = format!("/users/{sam_id}/roles");
    sam.get(&path).await.is(403);
    let form = ann.dialog(&path).await.is(200).says("Roles of Sam Rivera");
    let (admin, member) = (form.checkbox("Admin"), form.checkbox("Member"));
    form.says(&format!("name=\"held\" value=\"{member}\"")).keeps_silent_about(&format!("\"held\" value=\"{admin}\""));
    // One tab makes Sam an admin. Another, opened before, takes Member: Admin stays.
    ann.post(&path, &[("roles", &admin), ("roles", &member), ("held", &member)]).await.leads_to("/users");
    ann.get("/users").await.says("The roles of Sam Rivera were changed.");
    ann.post(&path, &[("held", &member), ("return_to", "/users?q=sam")]).await.leads_to("/users?q=sam");
    let form = ann.dialog(&path).await.is(200);
    form.says(&format!("\"held\" value=\"{admin}\"")).keeps_silent_about(&format!("\"held\" value=\"{member}\""));
    // It counts from the next click on; but an admin can't make anybody an owner, and sees why.
    let form = sam.dialog(&path).await.is(200).says("disabled").says("workspace.own");
    let owner = form.checkbox("Owner");
    sam.post(&path, &[("roles", &owner)]).await.leads_to("/users");
    sam.get("/users").await.says("role=\"alert\"").says("workspace.own");
    // The only owner stays one, and the dialog says so with what was ticked.
    let path = format!("/users/{}/roles", id(&mut ann, "Ann Lee").await);
    let refused = ann.post_with(&path, &[("held", &owner), ("roles", &member)], &[("x-dialog", "1")]).await.is(422);
    refused.says("class=\"problem\"").says(&format!("value=\"{member}\" checked"));
    ann.post(&path, &[("roles", "role_nothing")]).await.is(400);
    ann.get("/users/usr_00000000000000000000000000/roles").await.is(404);
}
