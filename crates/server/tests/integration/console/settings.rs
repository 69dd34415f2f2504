//! `/settings`

use super::browser::Console;

#[tokio::test]
async fn the_workspace_gets_another_name() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let page = ann.get("/settings").await.is(200).says("value=\"Acme\"").says("BELLWIRE_RETENTION").says("30 days");
    page.says("at once, then after 5 seconds").says("after 5 days");
    ann.post("/settings", &[("name", " ")]).await.is(422).says("id=\"name-error\"");
    ann.post("/settings", &[("name", "Globex & Co")]).await.leads_to("/settings");
    ann.get("/settings")
        .await
        .says("The workspace is called Globex &#38; Co now.")
        .says("<span class=\"clip\">Globex &#38; Co");
    // The same name again is no change.
    ann.post("/settings", &[("name", "Globex & Co")]).await.leads_to("/settings");
    ann.get("/events?type=workspace.updated").await.says("1 found").says("Globex &#38; Co");
}

#[tokio::test]
async fn only_whoever_manages_settings_sees_them() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let mut sam = console.member(&mut ann).await;
    sam.get("/users").await.keeps_silent_about("href=\"/settings\"");
    sam.get("/settings").await.is(403);
    sam.post("/settings", &[("name", "Mine")]).await.is(403);
    ann.get("/settings").await.says("value=\"Acme\"");
}
