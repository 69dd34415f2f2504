//! `/live`

use std::time::Duration;

use axum::body::Body;
use bellwire_core::id::WorkspaceId;
use http_body_util::BodyExt;

use super::browser::{Console, id};
use crate::support::postgres::fresh_database;

/// What the stream says next, or nothing when it is over.
async fn next(stream: &mut Body) -> Option<String> {
    let frame = stream.frame().await?.unwrap();
    Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
}

#[tokio::test]
async fn pages_are_told_what_changed_in_their_workspace() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let mut stream = ann.stream("/live").await;
    let elsewhere: WorkspaceId = console.random.id(console.clock.now());
    console.changed(elsewhere, "webhooks");
    ann.post("/profile", &[("name", "Ann B. Lee")]).await.leads_to("/profile");
    let mut told = String::new();
    while !told.contains("data: users\n") {
        told += &next(&mut stream).await.unwrap();
    }
    assert!(told.starts_with("event: changed\n") && !told.contains("webhooks"), "{told}");
}

#[tokio::test]
async fn a_stream_ends_with_its_session() {
    let console = Console::new().await;
    let mut ann = console.owner().await;
    let sam = console.member(&mut ann).await;
    let mut stream = sam.stream("/live").await;
    let id = id(&mut ann, "Sam Rivera").await;
    ann.post(&format!("/users/{id}/block"), &[]).await.leads_to("/users");
    console.clock.advance(Duration::from_secs(16));
    let mut told = Vec::new();
    while let Some(text) = next(&mut stream).await {
        told.push(text);
    }
    assert!(told.iter().all(|text| text.contains("data: ")), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_node_changes_is_seen_even_when_nothing_was_heard_of_it() {
    let Some(database) = fresh_database().await else { return };
    let console = Console::on(database.url()).await;
    let other = console.beside().await;
    let ann = console.owner().await;
    let mut stream = ann.stream("/live").await;
    let mut elsewhere = other.takes_over(&ann); // sessions hold on all nodes
    elsewhere.post("/profile", &[("name", "Ann B. Lee")]).await.leads_to("/profile");
    console.clock.advance(Duration::from_secs(16));
    let mut told = String::new();
    while !told.contains("data: users\n") {
        told += &next(&mut stream).await.unwrap();
    }
}

#[tokio::test]
async fn strangers_get_nothing() {
    let console = Console::new().await;
    console.browser().get("/live").await.is(204);
}
