//! Whoever owes much, or has receivers that hang, delays nobody else: neither another webhook nor another workspace.

use std::time::Duration;

use serde_json::json;

use super::{
    receiver::{Receiver, Reply},
    world::worlds,
};

/// Webhooks of the workspace that has much to do: more than one round of the sweep takes.
const MANY: usize = 150;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_all_the_places_that_it_can_have_leaves_some_to_the_others() {
    for greedy in worlds().await {
        let (hanging, good) = (Receiver::start(|_| Reply::Hang).await, Receiver::start(|_| Reply::Status(200)).await);
        let other = greedy.neighbour().await;
        // Before there are webhooks: the engine looks for what new ones are owed, and must find no place for it.
        let all = greedy.take_all_places();
        for _ in 0..MANY {
            greedy.webhook(&hanging.url()).await;
        }
        let webhook = other.webhook(&good.url()).await;
        let delivered = format!("SELECT id FROM deliveries WHERE state = 'delivered' AND webhook_id = '{webhook}'");
        greedy.publish(20).await;
        assert_eq!(
            greedy.query("SELECT id FROM deliveries WHERE state = 'pending' AND leased_by IS NULL").await.len(),
            20 * MANY
        );
        other.publish(1).await;
        greedy.rows(1, &delivered).await;
        // From here on the sweep has to find it, behind all that has been due for longer.
        let places = other.take_all_places();
        other.publish(1).await;
        drop(places);
        greedy.app.clock.advance(Duration::from_secs(1));
        greedy.rows(2, &delivered).await;
        drop(all);
        greedy.app.clock.advance(Duration::from_secs(1));
        hanging.wait(MANY).await;
        let places = other.take_all_places();
        other.publish(1).await;
        drop(places);
        greedy.app.clock.advance(Duration::from_secs(1));
        greedy.rows(3, &delivered).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_hold_as_many_places_as_they_are_large() {
    const COUNT: usize = 5;
    const SIZE: usize = 200 * 1024;
    for world in worlds().await {
        let receiver = Receiver::start(|_| Reply::WhenTold).await;
        world.webhook(&receiver.url()).await;
        let all = world.take_all_places();
        world.publish_data(COUNT, &json!({"text": "x".repeat(SIZE)})).await;
        drop(all);
        // Enough for one of them at a time.
        let places = &world.app.wake.places;
        let most = places.take(world.workspace, places.room(world.workspace) - 60).unwrap();
        for nth in 1..=COUNT {
            world.pass_until(|| receiver.seen().len() >= nth).await;
            // While it waits for its answer the others find no place, and go back.
            world.rows(COUNT - nth, "SELECT id FROM deliveries WHERE state = 'pending' AND leased_by IS NULL").await;
            assert_eq!(receiver.seen().len(), nth);
            receiver.go_on.add_permits(1);
            world.rows(nth, "SELECT id FROM deliveries WHERE state = 'delivered'").await;
        }
        drop(most);
        assert_eq!(receiver.seen().len(), COUNT);
        assert!(receiver.seen().iter().all(|one| one.body.len() > SIZE));
    }
}
