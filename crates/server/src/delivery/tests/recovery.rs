//! Crashes, stops, and more than fits into memory.

use std::time::Duration;

use super::{
    super::Limits,
    receiver::{Receiver, Reply},
    world::{GUARD, Settings, World, world},
};

const LIMITS: Limits = Limits { connect: GUARD, exchange: GUARD };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_process_had_in_memory_is_sent_at_the_next_start() {
    let receiver = Receiver::start(|_| Reply::Status(200)).await;
    let world = World::without_engine(&Settings::default()).await;
    world.webhook(&receiver.url()).await;
    world.publish(50).await;
    assert_eq!(world.query("SELECT id FROM deliveries WHERE leased_by IS NOT NULL").await.len(), 50);
    let mut world = world.reborn().await;
    world.start(LIMITS);
    world.rows(50, "SELECT id FROM deliveries WHERE state = 'delivered'").await;
    assert_eq!(receiver.seen().len(), 50);
    let same = world.query("SELECT id FROM events").await;
    assert_eq!(same.len(), 51, "with the creation of the webhook");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_of_an_inactive_webhook_is_sent_at_the_next_start_too() {
    let receiver = Receiver::start(|_| Reply::Status(200)).await;
    let world = World::without_engine(&Settings::default()).await;
    let webhook = world.webhook(&receiver.url()).await;
    world.deactivate(webhook).await;
    world.test(webhook).await;
    let mut world = world.reborn().await;
    world.start(LIMITS);
    world.row("SELECT id FROM deliveries WHERE state = 'delivered' AND reason = 'test'").await;
    assert_eq!(receiver.seen().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_into_memory_is_fetched_and_sent_once() {
    let receiver = Receiver::start(|_| Reply::Status(200)).await;
    let world = world().await;
    // Before there is a webhook: the engine looks for what a new one is owed, and must find no place for it.
    let all = world.take_all_places();
    world.webhook(&receiver.url()).await;
    for _ in 0..6 {
        world.publish(500).await;
    }
    assert_eq!(world.query("SELECT id FROM deliveries WHERE leased_by IS NULL").await.len(), 3000);
    drop(all);
    world.app.clock.advance(Duration::from_secs(1));
    // Counted there: whoever asks again and again for all of them takes the processor from those who send.
    world.row("SELECT COUNT(*) AS n FROM deliveries WHERE state = 'delivered' HAVING COUNT(*) = 3000").await;
    assert_eq!(receiver.seen().len(), 3000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_ran_out_is_taken_again() {
    let receiver = Receiver::start(|_| Reply::Status(200)).await;
    let world = world().await;
    let webhook = world.webhook(&receiver.url()).await;
    world.publish(1).await;
    world.row("SELECT id FROM deliveries WHERE state = 'delivered'").await;
    let lease = world.now().saturating_add(Duration::from_secs(60));
    let other = "UPDATE deliveries SET state = 'pending', leased_by = 'node_00000000000000000000000000', due_at = $1";
    world.execute(other, &[lease.into()]).await;
    world.app.wake.send(crate::app::Signal::Due([(world.workspace, webhook)].into()));
    world.move_to(lease);
    world.row("SELECT id FROM deliveries WHERE state = 'delivered'").await;
    receiver.wait(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn draining_ends_what_is_under_way_and_gives_the_rest_back() {
    let receiver = Receiver::start(|_| Reply::WhenTold).await;
    let mut world = world().await;
    world.webhook(&receiver.url()).await;
    world.publish(10).await;
    receiver.wait(2).await;
    let drained = tokio::spawn(world.engine.take().unwrap().drain());
    world.rows(8, "SELECT id FROM deliveries WHERE state = 'pending' AND leased_by IS NULL").await;
    assert!(!drained.is_finished());
    receiver.go_on.add_permits(2);
    tokio::time::timeout(GUARD, drained).await.unwrap().unwrap();
    assert_eq!(world.query("SELECT id FROM deliveries WHERE state = 'delivered'").await.len(), 2);
    assert_eq!(world.query("SELECT id FROM deliveries WHERE leased_by IS NOT NULL").await.len(), 0);
    assert_eq!(receiver.seen().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn places_in_memory_are_given_back() {
    let receiver = Receiver::start(|nth| Reply::Status(if nth % 2 == 0 { 200 } else { 500 })).await;
    let mut world = World::with(Settings { schedule: "0s", ..Settings::default() }).await;
    world.webhook(&receiver.url()).await;
    world.publish(300).await;
    world.rows(300, "SELECT id FROM deliveries WHERE state <> 'pending'").await;
    world.engine.take().unwrap().drain().await;
    assert_eq!(world.app.wake.places.taken(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_history_is_pruned() {
    let receiver = Receiver::start(|_| Reply::Status(200)).await;
    let world = world().await;
    world.webhook(&receiver.url()).await;
    world.publish(700).await;
    world.rows(700, "SELECT id FROM deliveries WHERE state = 'delivered'").await;
    world.app.clock.advance(Duration::from_hours(719));
    world.publish(1).await;
    world.rows(701, "SELECT id FROM deliveries WHERE state = 'delivered'").await;
    world.app.clock.advance(Duration::from_hours(2));
    world.rows(1, "SELECT id FROM deliveries").await;
    world.rows(1, "SELECT delivery_id FROM attempts").await;
    let event = world.row("SELECT sequence FROM events").await;
    assert_eq!(event.get::<i64>("sequence").unwrap(), 702);
}
