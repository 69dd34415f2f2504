//! `/users/{id}/ownership-offer` and `/ownership-offers`

use std::time::Duration;

use super::browser::{Browser, Console, id};

/// The path of the offer in the notice that the reader sees.
async fn offer(browser: &mut Browser) -> String {
    let page = browser.get("/users").await.is(200).says("id=\"answer-offer\"");
    let link = page.body.split("id=\"answer-offer\" href=\"").nth(1).unwrap();
    link.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_ownership_is_offered_and_accepted() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let mut sam = console.member(&mut ann).await;
    let (ann_id, sam_id) = (id(&mut ann, "Ann Lee").await, id(&mut ann, "Sam Rivera").await);
    sam.get(&format!("/users/{ann_id}/ownership-offer")).await.is(403);
    ann.dialog(&format!("/users/{sam_id}/ownership-offer")).await.is(200).says("the ownership of Acme");
    for _ in 0..2 {
        ann.post(&format!("/users/{sam_id}/ownership-offer"), &[]).await.leads_to("/users");
        ann.get("/users").await.says("The ownership is offered to Sam Rivera");
    }
    let page = ann.get("/users").await.says("id=\"withdraw-offer\"").says("ownership offered");
    page.keeps_silent_about("id=\"answer-offer\"").keeps_silent_about(&format!("id=\"offer-{sam_id}\""));

    let path = offer(&mut sam).await;
    sam.get("/profile").await.says("id=\"answer-offer\"");
    sam.get(&path).await.is(200).says("Ann Lee offers you the ownership").keeps_silent_about("id=\"answer-offer\"");
    ann.get(&path).await.leads_to("/");
    ann.post(&format!("{path}/accept"), &[]).await.leads_to("/");
    ann.follow("/").await.says("This offer has ended");
    sam.post(&format!("{path}/accept"), &[]).await.leads_to("/");
    sam.follow("/").await.says("You own Acme now.").keeps_silent_about("id=\"answer-offer\"");
    sam.post(&format!("{path}/accept"), &[]).await.leads_to("/");
    sam.follow("/").await.says("role=\"alert\"").says("This offer has ended");

    sam.get("/users").await.says(&format!("id=\"offer-{ann_id}\"")).says(&format!("remove-{ann_id}"));
    ann.post(&format!("/users/{sam_id}/block"), &[]).await.leads_to("/users");
    ann.get("/users").await.says("role=\"alert\"").keeps_silent_about("tone-bad\">Blocked<");
}

#[tokio::test]
async fn an_offer_is_declined_withdrawn_or_runs_out() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let mut sam = console.member(&mut ann).await;
    let sam_id = id(&mut ann, "Sam Rivera").await;
    let make = format!("/users/{sam_id}/ownership-offer");
    ann.post(&make, &[]).await.leads_to("/users");
    let path = offer(&mut sam).await;
    sam.post(&format!("{path}/withdraw"), &[]).await.leads_to("/users");
    sam.get("/users").await.says("Your roles don&#39;t allow this");
    sam.post(&format!("{path}/decline"), &[]).await.leads_to("/");
    sam.follow("/").await.says("You declined the ownership of Acme.").keeps_silent_about("id=\"answer-offer\"");
    ann.get("/users").await.keeps_silent_about("id=\"withdraw-offer\"");

    ann.post(&make, &[]).await.leads_to("/users");
    let path = offer(&mut sam).await;
    ann.post(&format!("{path}/withdraw"), &[]).await.leads_to("/users");
    ann.get("/users").await.says("The offer to Sam Rivera was withdrawn.");
    sam.post(&format!("{path}/accept"), &[]).await.leads_to("/");
    sam.follow("/").await.says("This offer has ended");

    ann.post(&make, &[]).await.leads_to("/users");
    let path = offer(&mut sam).await;
    console.clock.advance(Duration::from_hours(7 * 24));
    sam.get("/users").await.keeps_silent_about("id=\"answer-offer\"");
    sam.get(&path).await.leads_to("/");
    sam.get("/ownership-offers/own_nothing").await.is(404);
}
