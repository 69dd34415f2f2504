//! `/license`

use std::time::Duration;

use super::browser::Console;

#[tokio::test]
async fn a_form_that_is_sent_twice_credits_once() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let form = ann.dialog("/license/credit").await.is(200).says("Credit state changes").body;
    let key = form.split("name=\"key\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let sent = [("key", key.as_str()), ("amount", "1,000"), ("source", "bonus"), ("note", "sorry")];
    for _ in 0..2 {
        ann.post("/license/credit", &sent).await.leads_to("/license");
        ann.get("/license").await.says("1,000 state changes were credited.").says("101,000").says("1 of 1");
    }
    let refused = ann.post("/license/credit", &[("key", &key), ("amount", "0"), ("source", "theft")]).await.is(422);
    refused.says("id=\"amount-error\"").says("Choose where they come from.").says("value=\"0\"");
    ann.post("/license/credit", &[("amount", "1"), ("source", "bonus"), ("key", "a b")]).await.is(400);
}

#[tokio::test]
async fn the_forms_say_what_is_wrong() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let form = ann.dialog("/license/edit").await.is(200).says("value=\"2026-12-01\"");
    form.says("value=\"Standard\"").says("value=\"100,000\"").says("checked");
    let wrong = [("plan", ""), ("included", "-1"), ("period_end", "soon"), ("renews", "yes")];
    let refused = ann.post("/license/edit", &wrong).await.is(422);
    refused
        .says("id=\"plan-error\"")
        .says("id=\"included-error\"")
        .says("id=\"period_end-error\"")
        .says("value=\"soon\"");
    let past = [("plan", "Free"), ("included", "5"), ("period_end", "2020-01-01")];
    ann.post("/license/edit", &past).await.is(422).says("Must lie in the future.").says("value=\"Free\"");
    ann.get("/license").await.says("Standard").keeps_silent_about("Free");
    ann.post("/license/thresholds", &[("thresholds", "1,2,3,4,5,6,7,8,9,10,11")]).await.is(422).says("at most 10");
    let reason = "x".repeat(501);
    ann.post("/license/block", &[("reason", &reason)]).await.is(422).says("id=\"reason-error\"");
}

#[tokio::test]
async fn an_expired_license_is_given_another_period() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let once = [("plan", "Trial"), ("included", "10"), ("period_end", "2026-11-24")];
    ann.post("/license/edit", &once).await.leads_to("/license");
    ann.get("/license").await.says("the license expires").says("datetime=\"2026-11-24T00:00:00Z\"");
    console.clock.advance(Duration::from_hours(24));
    // The clock of this console has nobody who looks at it: what is done next finds it expired.
    ann.post("/license/block", &[]).await.leads_to("/license");
    ann.get("/license").await.says("has expired");
    ann.post("/license/edit", &[("plan", "Trial"), ("included", "10"), ("period_end", "2027-06-01")])
        .await
        .leads_to("/license");
    ann.get("/license").await.says("datetime=\"2027-06-01T00:00:00Z\"").keeps_silent_about("Expired");
}

#[tokio::test]
async fn who_may_not_see_or_change_it_does_not() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let mut sam = console.member(&mut ann).await;
    sam.get("/users").await.keeps_silent_about("href=\"/license\"");
    for path in ["/license", "/license/credit", "/license/edit", "/license/thresholds", "/license/block"] {
        sam.get(path).await.is(403);
        ann.get(path).await.is(200);
    }
    sam.post("/license/unblock", &[]).await.leads_to("/license");
    sam.post("/license/block", &[]).await.leads_to("/license");
    ann.get("/license").await.keeps_silent_about("tone-bad\">Blocked<");
}
