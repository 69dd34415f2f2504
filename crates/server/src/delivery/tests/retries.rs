//! What is sent, and what follows from the answers.

use std::{collections::BTreeSet, sync::atomic::Ordering::SeqCst, time::Duration};

use bellwire_core::time::Timestamp;
use serde_json::{Value, json};

use super::{
    super::Limits,
    receiver::{Receiver, Reply},
    world::{Settings, World, world, worlds},
};
use crate::ops;

const PENDING: &str = "SELECT * FROM deliveries WHERE state = 'pending' AND leased_by IS NULL";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_is_signed_sent_and_written_down() {
    let receiver = Receiver::start(|_| Reply::Status(200)).await;
    let world = world().await;
    let webhook = world.webhook(&receiver.url()).await;
    world.publish(1).await;

    let seen = receiver.wait(1).await.remove(0);
    let secret = ops::webhooks::reveal_secret(&world.app, &world.actor, webhook).await.unwrap();
    let library = standardwebhooks::Webhook::new(&secret.secret).unwrap();
    library.verify(&seen.body, &seen.headers).unwrap();
    assert_eq!(seen.path, "/hook?a=b");
    assert_eq!(seen.headers["host"], receiver.address.to_string());
    assert_eq!(seen.headers["content-type"], "application/json");
    assert!(seen.headers["user-agent"].to_str().unwrap().starts_with("Bellwire/"));
    assert_eq!(seen.headers["x-team"], "billing");
    let body: Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(body["id"], seen.headers["webhook-id"].to_str().unwrap());
    assert_eq!(body["type"], "user.blocked");
    assert_eq!(body["data"], json!({"number": 0}));

    let delivery = world.row("SELECT * FROM deliveries WHERE state = 'delivered' AND leased_by IS NULL").await;
    assert_eq!((delivery.get::<u32>("tries").unwrap(), delivery.get::<u32>("attempts").unwrap()), (1, 1));
    let attempt = world.row("SELECT * FROM attempts").await;
    assert_eq!(attempt.get::<Option<u32>>("status").unwrap(), Some(200));
    assert_eq!(attempt.get::<Option<Vec<u8>>>("response_body").unwrap(), Some(b"thanks".to_vec()));
    let headers: Vec<(String, String)> = attempt.json("response_headers").unwrap();
    assert!(headers.contains(&("content-length".to_owned(), "6".to_owned())));
    world.row("SELECT id FROM webhooks WHERE health = 'ok'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_share_few_connections_and_each_arrives_once() {
    let receiver = Receiver::start(|_| Reply::Status(204)).await;
    let world = world().await;
    world.webhook(&receiver.url()).await;
    for _ in 0..5 {
        world.publish(200).await;
    }
    world.rows(1000, "SELECT id FROM deliveries WHERE state = 'delivered'").await;
    let ids: std::collections::HashSet<_> =
        receiver.seen().iter().map(|seen| seen.headers["webhook-id"].clone()).collect();
    assert_eq!((ids.len(), receiver.seen().len()), (1000, 1000));
    assert!(receiver.connections.load(SeqCst) <= 32, "{}", receiver.connections.load(SeqCst));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retries_come_at_their_times_with_the_same_id_until_they_are_used_up() {
    let receiver = Receiver::start(|_| Reply::Status(500)).await;
    let world = world().await;
    world.webhook(&receiver.url()).await;
    world.publish(1).await;
    for (tries, wait) in [(1, 5), (2, 300)] {
        receiver.wait(tries).await;
        let row = world.row(&format!("{PENDING} AND tries = {tries}")).await;
        let due: Timestamp = row.get("due_at").unwrap();
        let (shortest, longest) = (Duration::from_secs(wait).mul_f64(0.9), Duration::from_secs(wait).mul_f64(1.1));
        assert!((shortest..=longest).contains(&due.since(world.now())), "{wait}: {:?}", due.since(world.now()));
        world.move_to(due);
    }
    receiver.wait(3).await;
    let row = world.row("SELECT * FROM deliveries WHERE state = 'failed' AND leased_by IS NULL").await;
    assert_eq!((row.get::<u32>("tries").unwrap(), row.get::<u32>("attempts").unwrap()), (3, 3));
    let numbers = world.rows(3, "SELECT number FROM attempts WHERE status = 500 ORDER BY number").await;
    assert_eq!(numbers.iter().map(|row| row.get("number").unwrap()).collect::<Vec<u32>>(), [1, 2, 3]);
    let seen = receiver.seen();
    assert!(
        seen.iter().all(|one| one.headers["webhook-id"] == seen[0].headers["webhook-id"] && one.body == seen[0].body)
    );
    assert_ne!(seen[0].headers["webhook-timestamp"], seen[2].headers["webhook-timestamp"]);
    let webhook = world.row("SELECT * FROM webhooks WHERE health = 'failing' AND failing_attempts = 3").await;
    let error: Value = webhook.json("last_error").unwrap();
    assert_eq!(error["message"], "500 Internal Server Error");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn success_after_a_failure_makes_it_healthy() {
    let receiver = Receiver::start(|nth| Reply::Status(if nth == 0 { 302 } else { 200 })).await;
    let world = world().await;
    world.webhook(&receiver.url()).await;
    world.publish(1).await;
    world.row("SELECT id FROM webhooks WHERE health = 'failing' AND failing_since IS NOT NULL").await;
    world.app.clock.advance(Duration::from_secs(6));
    world.row("SELECT id FROM deliveries WHERE state = 'delivered'").await;
    world.row("SELECT id FROM webhooks WHERE health = 'ok' AND failing_since IS NULL AND failing_attempts = 0").await;
    assert_eq!(receiver.seen().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_after_is_honoured() {
    let receiver = Receiver::start(|nth| if nth == 0 { Reply::Later(503, "3600") } else { Reply::Status(200) }).await;
    let world = world().await;
    world.webhook(&receiver.url()).await;
    world.publish(1).await;
    let due: Timestamp = world.row(&format!("{PENDING} AND tries = 1")).await.get("due_at").unwrap();
    assert_eq!(due.since(world.now()), Duration::from_hours(1));
    world.move_to(due);
    world.row("SELECT id FROM deliveries WHERE state = 'delivered'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_limit_spaces_requests() {
    let receiver = Receiver::start(|_| Reply::Status(200)).await;
    let world = world().await;
    let webhook = world.webhook(&receiver.url()).await;
    world.set(webhook, "rate_limit", 1_i64).await;
    world.publish(3).await;
    for sent in 1..=3 {
        world.app.clock.advance(Duration::from_secs(1));
        world.rows(sent, "SELECT id FROM deliveries WHERE state = 'delivered'").await;
        assert_eq!(receiver.seen().len(), sent);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_limit_holds_for_retries_resends_and_tests_too() {
    for world in worlds().await {
        let receiver = Receiver::start(|nth| Reply::Status(if nth == 0 { 500 } else { 200 })).await;
        let webhook = world.webhook(&receiver.url()).await;
        world.set(webhook, "rate_limit", 1_i64).await;
        world.publish(2).await;
        for sent in 1..=2 {
            world.app.clock.advance(Duration::from_secs(1));
            receiver.wait(sent).await;
        }
        let delivered = world.row("SELECT id FROM deliveries WHERE state = 'delivered'").await.get("id").unwrap();
        // Now all at once: the retry of the first, what somebody resends, a test, and something new.
        world.row(&format!("{PENDING} AND tries = 1")).await;
        world.app.clock.advance(Duration::from_secs(10));
        receiver.wait(3).await;
        ops::deliveries::resend(&world.app, &world.actor, delivered).await.unwrap();
        world.test(webhook).await;
        world.publish(2).await;
        for sent in 4..=7 {
            world.app.clock.advance(Duration::from_secs(1));
            receiver.wait(sent).await;
        }
        world.rows(5, "SELECT id FROM deliveries WHERE state = 'delivered'").await;
        assert_eq!(sent_at(&receiver).len(), 7, "there is one in every second at the most");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_limit_holds_over_a_restart() {
    let receiver = Receiver::start(|_| Reply::Status(200)).await;
    let mut world = World::without_engine(&Settings::default()).await;
    let webhook = world.webhook(&receiver.url()).await;
    world.set(webhook, "rate_limit", 1_i64).await;
    for life in 1..=3 {
        world.publish(1).await;
        world.start(Limits::default());
        // Whatever it does at its start it has done when it has fetched the delivery, or was handed it.
        world.row(&format!("SELECT id FROM deliveries WHERE leased_by = '{}'", world.app.node)).await;
        world.app.clock.advance(Duration::from_secs(1));
        receiver.wait(life).await;
        world.rows(life, "SELECT id FROM deliveries WHERE state = 'delivered'").await;
        world = world.reborn().await;
    }
    assert_eq!(sent_at(&receiver).len(), 3);
}

/// The different seconds in which requests were made.
fn sent_at(receiver: &Receiver) -> BTreeSet<String> {
    receiver.seen().iter().map(|one| one.headers["webhook-timestamp"].to_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_resend_leaves_the_delivery_as_it_was() {
    let receiver = Receiver::start(|nth| Reply::Status(if nth < 2 { 500 } else { 200 })).await;
    let world = World::with(Settings { schedule: "0s", ..Settings::default() }).await;
    world.webhook(&receiver.url()).await;
    world.publish(1).await;
    let id = world.row("SELECT id FROM deliveries WHERE state = 'failed'").await.get("id").unwrap();
    ops::deliveries::resend(&world.app, &world.actor, id).await.unwrap();
    let row =
        world.row("SELECT * FROM deliveries WHERE state = 'failed' AND attempts = 2 AND prior_state IS NULL").await;
    assert_eq!(row.get::<u32>("tries").unwrap(), 1);
    ops::deliveries::resend(&world.app, &world.actor, id).await.unwrap();
    world.row("SELECT id FROM deliveries WHERE state = 'delivered' AND attempts = 3 AND tries = 1").await;
    let reasons = world.query("SELECT reason FROM attempts ORDER BY number").await;
    let reasons: Vec<String> = reasons.iter().map(|row| row.get("reason").unwrap()).collect();
    assert_eq!(reasons, ["automatic", "resend", "resend"]);
}
