//! `/roles`

use super::browser::{Answer, Browser, Console, id};

/// Makes a role with these permissions and returns its id.
async fn make(browser: &mut Browser, name: &str, permissions: &[&str]) -> String {
    let mut form = vec![("name", name), ("description", "")];
    form.extend(permissions.iter().map(|permission| ("permissions", *permission)));
    browser.post("/roles", &form).await.leads_to("/roles");
    id_of(&browser.get("/roles").await, name)
}

/// The id of the role of that name in the list.
fn id_of(page: &Answer, name: &str) -> String {
    let before = page.body.split(&format!("\">{name}</a>")).next().unwrap();
    before.rsplit("href=\"/roles/").next().unwrap().to_owned()
}

/// The hidden field that says which state of the role a form shows.
fn seen(form: &Answer) -> String {
    form.body.split("name=\"seen\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_role_is_made_compared_changed_and_deleted() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let form = ann.dialog("/roles/new").await.is(200).says("Create role").says("value=\"events.view\"");
    form.keeps_silent_about("workspace.own");
    let role = make(&mut ann, "Auditor", &["events.view", "users.view"]).await;
    ann.get("/roles").await.says("2 of 18").says("Nobody");
    ann.get("/roles?q=audit").await.says("Auditor").keeps_silent_about(">Owner</a>");
    ann.get("/roles?q=nothing+like+it").await.says("No role matches");
    let matrix = ann.get("/roles/matrix").await.is(200).says("scope=\"rowgroup\"").says(">Auditor</a>");
    // Permissions × roles: Owner, Admin, Member, Auditor. The words are there, not only colours.
    let row = matrix.body.split("<code>events.view</code>").nth(1).unwrap().split("</tr>").next().unwrap();
    let words: Vec<&str> =
        row.split("<td>").skip(1).map(|cell| if cell.contains("Yes") { "Yes" } else { "No" }).collect();
    assert_eq!(words, ["Yes", "Yes", "No", "Yes"]);

    let path = format!("/roles/{role}");
    let form = ann.dialog(&format!("{path}/edit")).await.is(200).says("value=\"events.view\" checked");
    let stale = seen(&form);
    console.clock.advance(std::time::Duration::from_secs(1));
    let fields = [("name", "Auditors"), ("permissions", "events.view"), ("seen", &stale), ("return_to", &path)];
    ann.post(&path, &fields).await.leads_to(&path);
    ann.get(&path).await.is(200).says("The role Auditors was changed.").says("Nobody holds this role");
    // Another tab has the old form open.
    let late = [("name", "Auditor"), ("permissions", "users.manage"), ("seen", &stale)];
    let refused = ann.post_with(&path, &late, &[("x-dialog", "1")]).await.is(422);
    let refused = refused.says("Somebody changed this role meanwhile").says("value=\"users.manage\" checked");
    let again = [("name", "Auditor"), ("permissions", "users.manage"), ("seen", &seen(&refused))];
    ann.post(&path, &again).await.leads_to("/roles");

    ann.dialog(&format!("{path}/delete")).await.is(200).says("Nobody holds it.");
    ann.post(&format!("{path}/delete"), &[("return_to", &path)]).await.leads_to("/roles");
    ann.get("/roles").await.says("The role Auditor was deleted.");
    ann.get(&path).await.is(404);
    ann.post(&format!("{path}/delete"), &[]).await.leads_to("/roles");
    ann.get("/roles").await.says("There is no such role.");
}

#[tokio::test]
async fn the_form_says_what_is_wrong() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let mut send = async |form: &[(&str, &str)]| ann.post_with("/roles", form, &[("x-dialog", "1")]).await.is(422);
    send(&[("name", ""), ("description", "kept")])
        .await
        .says("id=\"name-error\"")
        .says("Choose at least one permission.")
        .says("value=\"kept\"");
    send(&[("name", "owner"), ("permissions", "events.view")])
        .await
        .says("There is a role called Owner already.")
        .says("value=\"events.view\" checked");
    send(&[("name", "King"), ("permissions", "workspace.own")]).await.says("belongs to the role Owner alone");
    send(&[("name", "King"), ("permissions", "everything")]).await.says("is no permission");
}

#[tokio::test]
async fn a_role_is_given_taken_and_not_deleted_while_it_is_held() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let mut sam = console.member(&mut ann).await;
    let role = make(&mut ann, "Auditor", &["events.view"]).await;
    let (path, sam_id) = (format!("/roles/{role}"), id(&mut ann, "Sam Rivera").await);
    sam.get("/events").await.is(403);
    let dialog = ann.dialog(&format!("{path}/give?q=sam")).await.is(200).says("sam@example.com");
    dialog.keeps_silent_about("ann@example.com").says(&format!("value=\"{sam_id}\""));
    ann.post_with(&format!("{path}/give"), &[("q", "sam")], &[("x-dialog", "1")]).await.is(422).says("Choose who");
    ann.post(&format!("{path}/give"), &[("principal", &sam_id)]).await.leads_to(&path);
    ann.get(&path).await.says("Auditor was given.").says("Held by 1 user").says("Sam Rivera");
    sam.get("/events").await.is(200);
    let invite = [("email", "new@example.com"), ("roles", &role)];
    ann.post("/invites", &invite).await.leads_to("/invites");

    let dialog = ann.dialog(&format!("{path}/delete")).await.is(200);
    dialog.says("1 user and 1 pending invite").says(&format!("href=\"{path}\"")).keeps_silent_about("destructive");
    ann.post(&format!("{path}/delete"), &[]).await.leads_to("/roles");
    ann.get("/roles").await.says("role=\"alert\"").says("is in use").says("Auditor");
    ann.post(&format!("{path}/take"), &[("principal", &sam_id)]).await.leads_to(&path);
    ann.get(&path).await.says("Auditor was taken.").says("1 pending invite");
    sam.get("/events").await.is(403);
}

#[tokio::test]
async fn what_one_may_not_do_is_hidden_and_refused() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let mut sam = console.member(&mut ann).await;
    let strong = make(&mut ann, "Strong", &["users.manage", "users.view"]).await;
    let weak = make(&mut ann, "Weak", &["users.view"]).await;
    make(&mut ann, "Clerk", &["roles.manage", "roles.view", "users.view"]).await;
    let mut eve = console.join(&mut ann, "Eve Clerk", "eve@example.com", "Clerk").await;
    let owner = id_of(&ann.get("/roles").await, "Owner");

    sam.get("/roles").await.is(200).says("Strong").keeps_silent_about("/roles/new").keeps_silent_about("/edit");
    for path in ["/roles/new", &format!("/roles/{weak}/edit"), &format!("/roles/{weak}/give")] {
        sam.get(path).await.is(403);
    }
    sam.post("/roles", &[("name", "Mine"), ("permissions", "users.view")]).await.is(403);
    for action in ["delete", "take", "give"] {
        let eve_id = id(&mut ann, "Eve Clerk").await;
        sam.post(&format!("/roles/{weak}/{action}"), &[("principal", &eve_id)]).await.is(303);
        sam.get("/roles").await.says("role=\"alert\"").says("Your roles don&#39;t allow this");
    }

    // Who manages roles can do so with what they have themselves, and sees that the rest is greyed out.
    let page = eve.get("/roles").await.says(&format!("/roles/{weak}/edit"));
    page.keeps_silent_about(&format!("/roles/{strong}/edit")).keeps_silent_about(&format!("/roles/{owner}/edit"));
    eve.dialog("/roles/new").await.is(200).says("value=\"users.manage\" disabled").says("greyed out");
    let more = [("name", "Weak"), ("permissions", "users.view"), ("permissions", "users.manage")];
    eve.post_with("/roles", &more[1..], &[("x-dialog", "1")]).await.is(422);
    eve.post_with(&format!("/roles/{weak}"), &more, &[("x-dialog", "1")]).await.is(422).says("users.manage");
    eve.post(&format!("/roles/{strong}/delete"), &[]).await.leads_to("/roles");
    eve.get("/roles").await.says("role=\"alert\"").says("users.manage");
    ann.get(&format!("/roles/{owner}/edit")).await.leads_to("/roles");
    ann.get("/roles").await.says("Owner is built in");
    ann.post(&format!("/roles/{owner}"), &[("name", "Boss"), ("permissions", "users.view")]).await.leads_to("/roles");
    ann.get("/roles").await.says("role=\"alert\"").says("Owner is built in");
    for id in ["role_00000000000000000000000000", "usr_00000000000000000000000000", "..", "%27"] {
        ann.get(&format!("/roles/{id}/edit")).await.is(404);
    }
}
