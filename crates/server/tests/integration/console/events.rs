//! `/events`: the feed, which is the audit log.

use super::browser::{Browser, Console, id};

/// The address of the newest event of this type.
async fn newest(browser: &mut Browser, event_type: &str) -> String {
    let page = browser.get(&format!("/events?type={event_type}")).await.is(200);
    let after = page.body.split("class=\"row-link\" href=\"").nth(1).unwrap_or_else(|| panic!("no {event_type}"));
    after.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn an_event_says_from_where_it_came_and_its_body_does_not() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    ann.ip = [203, 0, 113, 9];
    let ann_id = id(&mut ann, "Ann Lee").await;
    ann.post("/groups", &[("name", "Finance"), ("owner", &ann_id)]).await.leads_to("/groups");
    let event = newest(&mut ann, "group.created").await;
    let page = ann.get(&event).await.is(200).says("Console, from 203.0.113.9");
    let body = page.body.split("<pre").nth(1).unwrap().split("</pre>").next().unwrap();
    assert!(!body.contains("203.0.113.9") && !body.contains("origin"), "{body}");
    // Ann came by the set-up page, from another address.
    let joined = newest(&mut ann, "user.joined").await;
    ann.get(&joined).await.says("Console, from 192.0.2.1");
}

#[tokio::test]
async fn the_feed_is_filtered_by_what_is_clicked_and_by_day() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    console.member(&mut ann).await;
    let (ann_id, sam_id) = (id(&mut ann, "Ann Lee").await, id(&mut ann, "Sam Rivera").await);
    ann.post(&format!("/users/{sam_id}/block"), &[("reason", "left")]).await.leads_to("/users");

    let page = ann.get(&format!("/events?object={sam_id}")).await.is(200);
    let page = page.says("user.blocked").says("user.joined").keeps_silent_about("<code>license.issued</code>");
    page.says("Not only Object Sam Rivera")
        .says(&format!("<input type=\"hidden\" name=\"object\" value=\"{sam_id}\">"));
    let page = ann.get(&format!("/events?actor={sam_id}")).await.is(200).says("invite.accepted");
    page.keeps_silent_about("<code>user.blocked</code>");
    ann.get(&format!("/events?actor={ann_id}&object={sam_id}&type=user.blocked")).await.says("1 found");
    ann.get("/events?from=2026-11-23&until=2026-11-23").await.says("user.blocked");
    for nothing in
        ["from=2026-11-24", "until=2026-11-22", "from=soon", "actor_type=robots", "type=user.blocked&actor_type=roles"]
    {
        ann.get(&format!("/events?{nothing}")).await.is(200).says("No event matches");
    }
}

/// Every change that an administrator can make to webhooks, the workspace and its ownership is in the feed.
#[tokio::test]
async fn what_no_webhook_gets_is_in_the_feed() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let mut sam = console.member(&mut ann).await;
    let form = [("url", "https://hooks.example.com/a"), ("event_types", "user.blocked")];
    ann.post("/webhooks", &form).await.leads_to("/webhooks");
    let list = ann.get("/webhooks").await.is(200);
    let webhook = list.body.split("data-copy=\"wh_").nth(1).unwrap().split('"').next().unwrap();
    let path = format!("/webhooks/wh_{webhook}");
    ann.get(&path).await.is(200);
    ann.post(&path, &[form[0], ("event_types", "user.*"), ("event_types", "user.left")]).await.is(303);
    ann.dialog(&format!("{path}/secret")).await.is(200).says("whsec_");
    ann.post(&format!("{path}/secret/rotate"), &[("overlap_seconds", "3600")]).await.is(303);
    ann.post(&format!("{path}/deactivate"), &[]).await.is(303);
    ann.post(&format!("{path}/activate"), &[]).await.is(303);
    ann.post(&format!("{path}/delete"), &[]).await.is(303);
    ann.post("/settings", &[("name", "Globex")]).await.leads_to("/settings");
    let sam_id = id(&mut ann, "Sam Rivera").await;
    for answer in ["withdraw", "decline"] {
        ann.post(&format!("/users/{sam_id}/ownership-offer"), &[]).await.is(303);
        let offer = sam.get("/users").await.is(200).body;
        let offer = offer.split("/ownership-offers/").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let who = if answer == "withdraw" { &mut ann } else { &mut sam };
        who.post(&format!("/ownership-offers/{offer}/{answer}"), &[]).await.is(303);
    }
    for event_type in [
        "webhook.created",
        "webhook.updated",
        "webhook.secret_revealed",
        "webhook.secret_rotated",
        "webhook.deactivated",
        "webhook.activated",
        "webhook.deleted",
        "workspace.updated",
        "ownership_offer.created",
        "ownership_offer.withdrawn",
        "ownership_offer.declined",
    ] {
        let event = newest(&mut ann, event_type).await;
        let page = ann.get(&event).await.is(200).says("Console, from 192.0.2.1").keeps_silent_about("whsec_");
        assert_eq!(page.body.contains("no webhook gets it"), event_type != "webhook.deactivated", "{event_type}");
    }
    ann.get("/events?actor_type=others").await.says("workspace.updated").keeps_silent_about("<code>user.joined</code>");
}
