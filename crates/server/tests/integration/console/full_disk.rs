//! When the database has no more room, everything can still be looked at, and what can't be stored is said to be so.

use bellwire::db::{Db, DbError};

use super::browser::{Console, id};

/// Gives the database as many pages as it has, and `more`.
async fn leave_pages(db: &Db, more: i64) {
    let limit = db.write(move |conn| {
        Box::pin(async move {
            let pages: i64 = conn.query_one("PRAGMA page_count", &[]).await?.get("page_count")?;
            // Answers with the limit that holds from here on; it belongs to the connection.
            conn.query(&format!("PRAGMA max_page_count = {}", pages + more), &[]).await.map(drop)
        })
    });
    limit.await.map_err(|error: DbError| error).unwrap();
}

#[tokio::test]
async fn pages_are_shown_and_changes_refused_until_there_is_room() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let owner = id(&mut ann, "Ann Lee").await;
    ann.post("/groups", &[("name", "Before"), ("owner", &owner)]).await.leads_to("/groups");
    leave_pages(&console.db, 0).await;
    // Names that are long fill pages soon; the refusal is said, and what was typed stays.
    let name = |number: usize| format!("{number} {}", "x".repeat(30));
    let mut made = 0;
    let refused = loop {
        let answer = ann.post("/groups", &[("name", &name(made)), ("owner", &owner)]).await;
        if answer.status != 303 {
            break answer;
        }
        made += 1;
        assert!(made < 200, "the database is never full");
    };
    refused.is(507).says("There is no room left to store this");
    for path in ["/webhooks", "/events", "/users", "/groups", "/roles", "/license"] {
        ann.get(path).await.is(200);
    }
    ann.get("/groups").await.is(200).says("Before").keeps_silent_about(&format!("{made} xxx"));
    leave_pages(&console.db, 1_000).await;
    ann.post("/groups", &[("name", &name(made)), ("owner", &owner)]).await.leads_to("/groups");
}
