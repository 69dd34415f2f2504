//! Webhooks that are turned off, by themselves or by somebody, and what is held meanwhile.

use std::{sync::Arc, time::Duration};

use bellwire_core::text::Reason;
use serde_json::Value;

use super::{
    faults::Faults,
    receiver::{Receiver, Reply},
    world::{Settings, World, world, worlds},
};
use crate::{
    app::Signal,
    db::faulty::{Fault, Point},
    ops::{self, webhooks::Missed},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gone_turns_the_webhook_off_and_holds_the_delivery() {
    let receiver = Receiver::start(|nth| Reply::Status(if nth == 0 { 410 } else { 200 })).await;
    let world = world().await;
    let webhook = world.webhook(&receiver.url()).await;
    world.publish(1).await;
    let row = world.row("SELECT * FROM webhooks WHERE status = 'inactive'").await;
    let reason: Value = row.json("status_reason").unwrap();
    assert_eq!(reason["code"], "gone");
    assert_eq!(reason["by"]["type"], "system");
    assert_eq!(reason["evidence"]["last_error"], "410 Gone");
    assert_eq!(reason["evidence"]["failed_attempts"], 1);
    let held =
        world.row("SELECT * FROM deliveries WHERE state = 'pending' AND leased_by IS NULL AND attempts = 1").await;
    assert_eq!(held.get::<u32>("tries").unwrap(), 0);
    world.rows(1, "SELECT id FROM events WHERE type = 'webhook.deactivated'").await;

    world.activate(webhook, Missed::Send).await;
    world.row("SELECT id FROM deliveries WHERE state = 'delivered' AND attempts = 2").await;
    assert_eq!(receiver.seen().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_of_before_the_webhook_was_turned_on_again_does_not_turn_it_off() {
    for world in worlds().await {
        let receiver = Receiver::start(|nth| if nth == 0 { Reply::GoneWhenTold } else { Reply::Status(200) }).await;
        let webhook = world.webhook(&receiver.url()).await;
        world.publish(1).await;
        receiver.wait(1).await;
        world.deactivate(webhook).await;
        world.activate(webhook, Missed::Send).await;
        receiver.go_on.add_permits(1);
        world.row("SELECT id FROM deliveries WHERE state = 'delivered' AND attempts = 2").await;
        let changes = world.query("SELECT code FROM status_changes").await;
        let codes: Vec<String> = changes.iter().map(|row| row.get("code").unwrap()).collect();
        assert_eq!(codes, ["manual"; 3], "made, turned off and on");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_turned_on_without_the_engine_being_told_is_sent_at_once() {
    for world in worlds().await {
        let receiver = Receiver::start(|_| Reply::Status(200)).await;
        let webhook = world.webhook(&receiver.url()).await;
        world.deactivate(webhook).await;
        world.publish(1).await;
        // From here on the lane knows that it is inactive.
        world.test(webhook).await;
        world.row("SELECT id FROM deliveries WHERE state = 'delivered' AND reason = 'test'").await;
        world.execute("UPDATE webhooks SET status = 'active' WHERE id = $1", &[webhook.into()]).await;
        world.app.wake.send(Signal::Due([(world.workspace, webhook)].into()));
        world.rows(2, "SELECT id FROM deliveries WHERE state = 'delivered'").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_that_succeeds_ends_the_failures_that_another_node_saw() {
    for world in worlds().await {
        let receiver = Receiver::start(|_| Reply::Status(200)).await;
        let webhook = world.webhook(&receiver.url()).await;
        world.publish(1).await;
        // From here on the lane takes it for healthy.
        world.row("SELECT id FROM deliveries WHERE state = 'delivered'").await;
        let now = world.now();
        let failing = "UPDATE webhooks SET health = 'failing', failing_since = $2, failing_attempts = 1 WHERE id = $1";
        world.execute(failing, &[webhook.into(), now.into()]).await;
        let again = "UPDATE deliveries SET state = 'pending', due_at = $2 WHERE webhook_id = $1";
        world.execute(again, &[webhook.into(), now.into()]).await;
        world.app.wake.send(Signal::Due([(world.workspace, webhook)].into()));
        world.row("SELECT id FROM webhooks WHERE health = 'ok' AND failing_since IS NULL").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_turns_it_off_and_goes_away_is_obeyed_all_the_same() {
    let faults = Arc::<Faults>::default();
    let world = World::with(Settings { faults: Some(Arc::clone(&faults)), ..Settings::default() }).await;
    let receiver = Receiver::start(|_| Reply::WhenTold).await;
    let webhook = world.webhook(&receiver.url()).await;
    world.deactivate(webhook).await;
    world.activate(webhook, Missed::Send).await;
    world.publish(10).await;
    receiver.wait(2).await;
    faults.arm(Point::Committed, "status::deactivate", Fault::Delay(Duration::from_secs(1)));
    let (app, actor) = (world.app.clone(), world.actor.clone());
    let asking = tokio::spawn(async move {
        ops::webhooks::deactivate(&app, &actor, webhook, Reason::parse("").unwrap()).await.map(drop)
    });
    world.until(|| !faults.is_armed()).await;
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    world.pass_until(|| world.app.wake.places.taken() == 2).await;
    assert_eq!(world.query("SELECT id FROM deliveries WHERE leased_by IS NULL").await.len(), 8);
    receiver.go_on.add_permits(2);
    world.rows(2, "SELECT id FROM deliveries WHERE state = 'delivered'").await;
    assert_eq!(receiver.seen().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failing_for_too_long_turns_it_off_with_its_evidence() {
    let receiver = Receiver::start(|_| Reply::Status(503)).await;
    let settings =
        Settings { deactivate_after: Duration::from_hours(5), schedule: "0s,2h,2h,2h", ..Settings::default() };
    let world = World::with(settings).await;
    world.webhook(&receiver.url()).await;
    let start = world.now();
    world.publish(1).await;
    for tries in 1..=2 {
        let row = world
            .row(&format!(
                "SELECT due_at FROM deliveries WHERE state = 'pending' AND leased_by IS NULL AND tries = {tries}"
            ))
            .await;
        world.move_to(row.get("due_at").unwrap());
    }
    world.row("SELECT id FROM deliveries WHERE tries = 3 AND leased_by IS NULL").await;
    assert_eq!(world.query("SELECT id FROM webhooks WHERE status = 'active'").await.len(), 1);
    world.move_to(start.saturating_add(Duration::from_hours(5)));
    let row = world.row("SELECT * FROM webhooks WHERE status = 'inactive'").await;
    let reason: Value = row.json("status_reason").unwrap();
    assert_eq!(
        (reason["code"].as_str(), reason["message"].as_str()),
        (Some("failing"), Some("All attempts failed for 5 hours."))
    );
    let evidence = &reason["evidence"];
    assert_eq!(evidence["first_failure_at"], start.to_string());
    assert_eq!(
        (evidence["failed_attempts"].as_i64(), evidence["last_error"].as_str()),
        (Some(3), Some("503 Service Unavailable"))
    );
    assert!(evidence["last_delivery_id"].as_str().unwrap().starts_with("dlv_"));
    world.row("SELECT id FROM events WHERE type = 'webhook.deactivated'").await;
    world.row("SELECT id FROM deliveries WHERE state = 'pending'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_held_is_sent_when_the_webhook_is_turned_on() {
    let receiver = Receiver::start(|_| Reply::Status(200)).await;
    let world = world().await;
    let webhook = world.webhook(&receiver.url()).await;
    world.deactivate(webhook).await;
    world.publish(3).await;
    assert_eq!(world.query("SELECT id FROM deliveries WHERE state = 'pending' AND leased_by IS NULL").await.len(), 3);
    world.activate(webhook, Missed::Send).await;
    world.rows(3, "SELECT id FROM deliveries WHERE state = 'delivered'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_skipped_is_not_sent() {
    let receiver = Receiver::start(|_| Reply::Status(200)).await;
    let world = world().await;
    let webhook = world.webhook(&receiver.url()).await;
    world.deactivate(webhook).await;
    world.publish(2).await;
    world.activate(webhook, Missed::Skip).await;
    world.publish(1).await;
    world.rows(1, "SELECT id FROM deliveries WHERE state = 'delivered'").await;
    world.app.clock.advance(Duration::from_secs(6));
    world.rows(2, "SELECT id FROM deliveries WHERE state = 'cancelled'").await;
    assert_eq!(receiver.seen().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deactivating_gives_back_what_waits_in_memory() {
    let receiver = Receiver::start(|_| Reply::WhenTold).await;
    let world = world().await;
    let webhook = world.webhook(&receiver.url()).await;
    world.publish(10).await;
    receiver.wait(2).await;
    world.deactivate(webhook).await;
    world.rows(8, "SELECT id FROM deliveries WHERE state = 'pending' AND leased_by IS NULL").await;
    receiver.go_on.add_permits(2);
    world.rows(2, "SELECT id FROM deliveries WHERE state = 'delivered'").await;
    receiver.go_on.add_permits(8);
    world.activate(webhook, Missed::Send).await;
    world.rows(10, "SELECT id FROM deliveries WHERE state = 'delivered'").await;
    assert_eq!(receiver.seen().len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_is_sent_once_even_to_an_inactive_webhook() {
    let receiver = Receiver::start(|_| Reply::Status(500)).await;
    let world = world().await;
    let webhook = world.webhook(&receiver.url()).await;
    world.deactivate(webhook).await;
    world.test(webhook).await;
    world.row("SELECT id FROM deliveries WHERE state = 'failed' AND attempts = 1").await;
    world.row("SELECT id FROM webhooks WHERE health = 'unknown'").await;
    let body: Value = serde_json::from_slice(&receiver.seen()[0].body).unwrap();
    assert_eq!(body["test"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_webhook_gets_nothing() {
    let (receiver, other) = (Receiver::start(|_| Reply::WhenTold).await, Receiver::start(|_| Reply::Status(200)).await);
    let world = world().await;
    let webhook = world.webhook(&receiver.url()).await;
    world.publish(5).await;
    receiver.wait(2).await;
    ops::webhooks::delete(&world.app, &world.actor, webhook).await.unwrap();
    world.rows(3, "SELECT id FROM deliveries WHERE state IN ('pending', 'cancelled') AND leased_by IS NULL").await;
    receiver.go_on.add_permits(9);
    world.rows(2, "SELECT id FROM deliveries WHERE state = 'delivered'").await;
    world.webhook(&other.url()).await;
    world.publish(1).await;
    other.wait(1).await;
    assert_eq!(receiver.seen().len(), 2);
}
