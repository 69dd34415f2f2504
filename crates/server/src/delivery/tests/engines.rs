//! The engine's statements, each at least once on both databases.

use std::time::Duration;

use bellwire_core::time::Timestamp;

use super::{
    receiver::{Receiver, Reply},
    world::worlds,
};
use crate::ops::{self, webhooks::Missed};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_delivered_on_both() {
    for world in worlds().await {
        let receiver = Receiver::start(|_| Reply::Status(200)).await;
        world.webhook(&receiver.url()).await;
        let all = world.take_all_places();
        world.publish(200).await;
        drop(all);
        world.publish(200).await;
        world.app.clock.advance(Duration::from_secs(6));
        world.rows(400, "SELECT id FROM deliveries WHERE state = 'delivered' AND leased_by IS NULL").await;
        world.rows(400, "SELECT delivery_id FROM attempts WHERE status = 200").await;
        assert_eq!(receiver.seen().len(), 400);
        world.app.clock.advance(Duration::from_hours(721));
        world.rows(0, "SELECT id FROM deliveries").await;
        world.rows(0, "SELECT delivery_id FROM attempts").await;
        world.rows(0, "SELECT id FROM events").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_resends_tests_and_turning_off_on_both() {
    for world in worlds().await {
        let receiver = Receiver::start(|nth| Reply::Status([500, 500, 500, 500, 410, 200][nth.min(5)])).await;
        let webhook = world.webhook(&receiver.url()).await;
        world.publish(1).await;
        for tries in 1..=2 {
            let sql = format!(
                "SELECT due_at FROM deliveries WHERE state = 'pending' AND leased_by IS NULL AND tries = {tries}"
            );
            let due: Timestamp = world.row(&sql).await.get("due_at").unwrap();
            world.move_to(due);
        }
        let failed =
            world.row("SELECT id FROM deliveries WHERE state = 'failed' AND tries = 3").await.get("id").unwrap();
        world.row("SELECT id FROM webhooks WHERE health = 'failing' AND failing_attempts = 3").await;
        ops::deliveries::resend(&world.app, &world.actor, failed).await.unwrap();
        world.row("SELECT id FROM deliveries WHERE state = 'failed' AND attempts = 4 AND tries = 3").await;
        ops::deliveries::resend(&world.app, &world.actor, failed).await.unwrap();
        world.row("SELECT id FROM webhooks WHERE status = 'inactive'").await;
        world.row("SELECT id FROM deliveries WHERE state = 'failed' AND attempts = 5 AND leased_by IS NULL").await;
        world.publish(2).await;
        let all = world.take_all_places();
        world.test(webhook).await;
        drop(all);
        world.app.clock.advance(Duration::from_secs(1));
        world.row("SELECT id FROM deliveries WHERE state = 'delivered' AND reason = 'test'").await;
        world.activate(webhook, Missed::Send).await;
        world.rows(3, "SELECT id FROM deliveries WHERE state = 'delivered'").await;
        world.row("SELECT id FROM webhooks WHERE health = 'ok' AND failing_since IS NULL").await;
        assert_eq!(receiver.seen().len(), 8);
    }
}
