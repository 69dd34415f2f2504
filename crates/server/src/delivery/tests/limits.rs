//! One receiver costs the others nothing, and connections come and go unnoticed.

use std::time::Duration;

use bellwire_core::{id::NodeId, time::Timestamp};
use tokio::{io::AsyncWriteExt, time::timeout};

use super::{
    receiver::{self, Receiver, Reply},
    world::{GUARD, Settings, World, postgres, world},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_hangs_delays_nobody_else() {
    let hanging = Receiver::start(|_| Reply::Hang).await;
    let good = Receiver::start(|_| Reply::Status(200)).await;
    let world = world().await;
    world.webhook(&hanging.url()).await;
    let webhook = world.webhook(&good.url()).await;
    for _ in 0..20 {
        world.publish(50).await;
    }
    let sql = format!("SELECT id FROM deliveries WHERE state = 'delivered' AND webhook_id = '{webhook}'");
    world.rows(1000, &sql).await;
    assert!(hanging.seen().len() <= 2, "a receiver that never answered gets few requests at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_was_closed_while_idle_is_replaced() {
    // Answers one request on each connection, says nothing about closing it, and closes it.
    let once = receiver::raw(|mut stream, _| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    })
    .await;
    let world = world().await;
    world.webhook(&once).await;
    for count in 1..=5 {
        world.publish(1).await;
        world.rows(count, "SELECT id FROM deliveries WHERE state = 'delivered' AND attempts = 1").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_share_out_what_a_webhook_bears_in_a_second() {
    let Some(database_url) = postgres().await else { return };
    let receiver = Receiver::start(|_| Reply::Status(200)).await;
    let world = World::with(Settings { database_url: Some(database_url), ..Settings::default() }).await;
    let webhook = world.webhook(&receiver.url()).await;
    // There is another node, of which nothing more is heard for an hour.
    let another: NodeId = world.app.random.id(world.now());
    let alive = world.now().saturating_add(Duration::from_hours(1));
    let sql = "INSERT INTO nodes (id, place, version, started_at, seen_at) VALUES ($1, 'another', '1', 0, $2)";
    world.execute(sql, &[another.into(), alive.into()]).await;
    pass_until(&world, || world.app.nodes.alive() == 2).await;
    world.set(webhook, "rate_limit", 2).await;
    world.publish(3).await;
    pass_until(&world, || receiver.seen().len() == 3).await;
    let attempts = world.rows(3, "SELECT started_at FROM attempts ORDER BY started_at").await;
    let begun: Vec<Timestamp> = attempts.iter().map(|row| row.get("started_at").unwrap()).collect();
    assert!(begun.windows(2).all(|two| two[1].since(two[0]) >= Duration::from_secs(1)), "one a second: {begun:?}");
}

/// Lets time pass in small steps.
async fn pass_until(world: &World, is_so: impl Fn() -> bool) {
    let passing = async {
        while !is_so() {
            world.app.clock.advance(Duration::from_millis(100));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(GUARD, passing).await.expect("it comes to that");
}
