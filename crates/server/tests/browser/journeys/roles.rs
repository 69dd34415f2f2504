//! Roles: made, given, changed, taken and deleted; and the ownership, from one person to another.

use bellwire::ops::{invites, roles};
use bellwire_core::{event::PrincipalId, text::Email};
use serde_json::{Value, json};

use super::{Journey, TOAST, journey, types};
use crate::{page::Page, site::PASSWORD, webdriver::Kind};

impl Journey {
    /// Somebody joins with the role Member, and signs in with a browser of their own.
    async fn colleague(&self, name: &str, email: &str, kind: Kind) -> (PrincipalId, Page) {
        let new = invites::NewInvite { email: Email::parse(email).unwrap(), role_ids: None };
        let sent = invites::create(&self.site.app, &self.site.ann, new).await.unwrap();
        let token = sent.url.rsplit('/').next().unwrap();
        invites::accept(&self.site.app, token, name, PASSWORD, None).await.unwrap();
        let filter = bellwire::db::users::UserFilter { search: Some(email.to_owned()), ..Default::default() };
        let request = bellwire::db::page::PageRequest::numbered(1, 1, bellwire::db::users::UserSort::Name, false);
        let found = bellwire::ops::users::list(&self.site.app, &self.site.ann, filter, request).await.unwrap();
        let browser = Page::of(&self.site, kind).await;
        browser.open("/users").await;
        browser.fill("#email", email).await;
        browser.fill("#password", PASSWORD).await;
        browser.click("form .primary").await;
        browser.says("h1", "Users").await;
        (PrincipalId::User(found.data[0].id), browser)
    }

    /// The bodies of the first `n` events that were delivered, in the order in which they happened.
    async fn bodies(&self, n: usize) -> Vec<Value> {
        let mut bodies: Vec<Value> = self.receiver.wait_for(n).await.iter().map(|it| it.json()).collect();
        bodies.sort_by_key(|body| body["sequence"].as_i64());
        bodies
    }
}
#[tokio::test(flavor = "multi_thread")]
async fn a_role_from_its_first_day_to_its_last() {
    journey(Kind::DESK, async |it: &Journey| {
        let browser = &it.browser;
        let (sam_id, sam) = it.colleague("Sam Rivera", "sam@example.com", Kind::PHONE).await;
        it.webhook(&it.receiver.url(), &["roles.*"]).await;
        browser.open("/webhooks").await;
        browser.click(".nav a[href='/roles']").await;
        browser.says("h1", "Roles").await;

        // Nothing is entered, then what is needed.
        browser.click("#create").await;
        browser.says("dialog h2", "Create role").await;
        browser.click("dialog .dialog-foot .primary").await;
        browser.says("dialog #name-error", "Must not be empty.").await;
        browser.says("dialog #permissions-error", "Choose at least one permission.").await;
        browser.fill("dialog #name", "Auditor").await;
        browser.fill("dialog #description", "Sees what happens and changes nothing").await;
        browser.click("dialog input[value='events.view']").await;
        browser.picture("role-create").await;
        browser.click("dialog .dialog-foot .primary").await;
        browser.says(TOAST, "The role Auditor was created.").await;
        let role = roles::list(&it.site.app, &it.site.ann).await.unwrap().into_iter().find(|it| it.name == "Auditor");
        let role = role.unwrap().id;
        browser.says(&format!("#{role}"), "1 of 18").await;
        browser.picture("roles").await;
        let created = it.bodies(1).await.remove(0);
        assert_eq!(
            (created["type"].as_str(), created["actor"]["name"].as_str()),
            (Some("role.created"), Some("Ann Lee"))
        );
        assert_eq!(created["data"]["object"]["permissions"], json!(["events.view"]));

        // Given on the Users page: it counts from Sam's next click on.
        sam.open("/events").await;
        sam.says("h1", "You may not do this").await;
        browser.open("/users").await;
        browser.hover(&format!("#{sam_id} td.lead")).await;
        browser.picture("users-with-roles").await;
        browser.click(&format!("#roles-{sam_id}")).await;
        browser.says("dialog legend", "Roles of Sam Rivera").await;
        browser.click(&format!("dialog input[name=roles][value='{role}']")).await;
        browser.picture("user-roles").await;
        browser.click("dialog .dialog-foot .primary").await;
        browser.says(TOAST, "The roles of Sam Rivera were changed.").await;
        browser.says(&format!("#{sam_id} .chips"), "Auditor").await;
        sam.open("/events").await;
        sam.says("h1", "Events").await;
        let assigned = it.bodies(2).await.remove(1);
        assert_eq!(assigned["type"], "role.assigned");
        assert_eq!(
            assigned["data"]["principal"],
            json!({"type": "user", "id": sam_id.to_string(), "name": "Sam Rivera"})
        );
        assert_eq!(assigned["data"]["object"]["name"], "Auditor");

        // In use it can't be deleted, and the dialog says by whom.
        browser.open("/roles").await;
        browser.hover(&format!("#{role} td.lead")).await;
        browser.click(&format!("#delete-{role}")).await;
        browser.says("dialog", "is in use by 1 user").await;
        browser.picture("role-in-use").await;
        browser.click("dialog a[href^='/roles/']").await;
        browser.says("#holders-title", "Held by 1 user").await;
        browser.picture("role").await;

        // Changed: Sam may not see the events any more.
        browser.click("#edit").await;
        browser.says("dialog h2", "Modify role").await;
        browser.click("dialog input[value='events.view']").await;
        browser.click("dialog input[value='webhooks.view']").await;
        browser.click("dialog .dialog-foot .primary").await;
        browser.says(TOAST, "The role Auditor was changed.").await;
        let updated = it.bodies(3).await.remove(2);
        assert_eq!(updated["data"]["previous"], json!({"permissions": ["events.view"]}));
        assert_eq!(updated["data"]["object"]["permissions"], json!(["webhooks.view"]));
        sam.open("/events").await;
        sam.says("h1", "You may not do this").await;
        sam.open("/webhooks").await;
        sam.says("h1", "Webhooks").await;

        // The matrix, at a desk and in a hand.
        browser.open("/roles/matrix").await;
        browser.says(".matrix thead", "Auditor").await;
        browser.picture("matrix").await;
        sam.open("/roles/matrix").await;
        let wide = "const frame = document.querySelector('.table-frame'); frame.scrollLeft = 200; \
                    const first = frame.querySelector('tbody th[scope=row]').getBoundingClientRect(); \
                    return [document.documentElement.scrollWidth <= innerWidth, frame.scrollLeft > 0, first.left >= 0]";
        assert_eq!(sam.script(wide).await, json!([true, true, true]), "the first column stays");
        sam.picture("matrix-phone").await;
        sam.open("/roles").await;
        sam.says("h1", "Roles").await;
        sam.picture("roles-phone").await;

        // Given to somebody found by searching, taken again, deleted.
        browser.open(&format!("/roles/{role}")).await;
        browser.click("#give").await;
        browser.says("dialog h2", "Give role").await;
        browser.fill("dialog #candidates", "ann@").await;
        browser.click("dialog .dialog-search .button").await;
        browser.says("dialog fieldset", "ann@example.com").await;
        browser.gone(&format!("dialog input[value='{sam_id}']")).await;
        browser.picture("role-give").await;
        browser.click("dialog input[name=principal]").await;
        browser.click("dialog .dialog-foot .primary").await;
        browser.says("#holders-title", "Held by 2 users").await;
        for left in [1, 0] {
            browser.hover(".table tbody tr:first-child td.lead").await;
            browser.click(".table tbody tr:first-child .actions button").await;
            let said = if left == 0 { "Held by nobody" } else { "Held by 1 user" };
            browser.says("#holders-title", said).await;
        }
        browser.click("#delete").await;
        browser.says("dialog", "Nobody holds it.").await;
        browser.click("dialog .dialog-foot .destructive").await;
        browser.says(TOAST, "The role Auditor was deleted.").await;
        browser.at("/roles").await;
        let bodies = it.bodies(7).await;
        let expected = ["created", "assigned", "updated", "assigned", "unassigned", "unassigned", "deleted"];
        assert_eq!(types(&bodies), expected.map(|it| format!("role.{it}")));
        assert_eq!(bodies[6]["data"]["object"]["id"], role.to_string());
        sam.quit().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ownership_goes_from_one_person_to_another() {
    journey(Kind::DESK, async |it: &Journey| {
        let browser = &it.browser;
        let (sam_id, sam) = it.colleague("Sam Rivera", "sam@example.com", Kind::PHONE).await;
        it.webhook(&it.receiver.url(), &["roles.*", "user.ownership_transferred"]).await;
        browser.open("/users").await;
        browser.hover(&format!("#{sam_id} td.lead")).await;
        browser.click(&format!("#offer-{sam_id}")).await;
        browser.says("dialog h2", "Offer ownership").await;
        browser.picture("ownership-offer").await;
        browser.click("dialog .dialog-foot .primary").await;
        browser.says(TOAST, "The ownership is offered to Sam Rivera").await;
        browser.says(".notice", "You offer the ownership of Northwind to Sam Rivera").await;
        browser.picture("ownership-offered").await;

        // Sam's page shows it without being loaded again.
        sam.says(".notice", "Ann Lee offers you the ownership of Northwind").await;
        sam.picture("ownership-notice").await;
        sam.click("#answer-offer").await;
        sam.says("h2", "Ann Lee offers you the ownership").await;
        sam.picture("ownership-answer").await;
        sam.click("#accept").await;
        sam.says(TOAST, "You own Northwind now.").await;
        sam.gone(".notice").await;
        browser.says(&format!("#{sam_id} .chips"), "Owner").await;
        browser.gone(".notice").await;
        browser.picture("ownership-gone").await;

        let bodies = it.bodies(4).await;
        let expected = ["role.assigned", "role.assigned", "role.unassigned", "user.ownership_transferred"];
        assert_eq!(types(&bodies), expected);
        let correlation = bodies[0]["correlation_id"].as_str().unwrap();
        assert!(bodies.iter().all(|body| body["correlation_id"] == correlation));
        assert!(bodies.iter().all(|body| body["actor"]["name"] == "Sam Rivera"));
        let who = |index: usize| {
            let data = &bodies[index]["data"];
            (data["object"]["name"].as_str().unwrap(), data["principal"]["name"].as_str().unwrap())
        };
        assert_eq!([who(0), who(1), who(2)], [("Owner", "Sam Rivera"), ("Admin", "Ann Lee"), ("Owner", "Ann Lee")]);
        let data = &bodies[3]["data"];
        assert_eq!(data["object"]["id"], sam_id.to_string());
        assert_eq!(data["object"]["roles"][0]["name"], "Owner");
        assert_eq!(data["previous"]["roles"][0]["name"], "Member");
        assert_eq!(data["previous_owner"]["name"], "Ann Lee");
        sam.quit().await;
    })
    .await;
}
