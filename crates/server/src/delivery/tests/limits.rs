//! One receiver costs the others nothing, connections come and go unnoticed, and what many publish at once goes out at once.

use futures_util::future::try_join_all;
use serde_json::value::RawValue;
use tokio::io::AsyncWriteExt;

use super::{
    receiver::{self, Receiver, Reply},
    world::{EVENT, world},
};
use crate::ops::publish::{self, NewPublish};

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
async fn what_a_crowd_has_published_is_sent_though_nobody_publishes_again() {
    const CROWD: usize = 40;
    let receiver = Receiver::start(|_| Reply::Status(200)).await;
    let world = world().await;
    world.webhook(&receiver.url()).await;
    for round in 1..=3 {
        let publishes = (0..CROWD).map(|_| {
            let data = RawValue::from_string("{}".to_owned()).unwrap();
            let new = NewPublish { event_type: EVENT, data, actor: None, occurred_at: None };
            publish::publish(&world.app, &world.actor, new, None)
        });
        try_join_all(publishes).await.unwrap();
        world.rows(round * CROWD, "SELECT id FROM deliveries WHERE state = 'delivered' AND attempts = 1").await;
    }
    assert_eq!(receiver.seen().len(), 3 * CROWD);
}
