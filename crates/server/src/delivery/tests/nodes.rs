//! A node among others, which share a PostgreSQL.

use std::{sync::Arc, time::Duration};

use bellwire_core::{id::NodeId, time::Timestamp};
use tokio::time::timeout;

use super::{
    faults::Faults,
    receiver::{Receiver, Reply},
    world::{GUARD, Settings, World, postgres},
};
use crate::{
    app::LiveChange,
    db::faulty::{Fault, Point},
};

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
    world.pass_until(|| world.app.nodes.alive() == 2).await;
    world.set(webhook, "rate_limit", 2).await;
    world.publish(3).await;
    world.pass_until(|| receiver.seen().len() == 3).await;
    let attempts = world.rows(3, "SELECT started_at FROM attempts ORDER BY started_at").await;
    let begun: Vec<Timestamp> = attempts.iter().map(|row| row.get("started_at").unwrap()).collect();
    assert!(begun.windows(2).all(|two| two[1].since(two[0]) >= Duration::from_secs(1)), "one a second: {begun:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_could_not_hear_takes_everything_as_changed() {
    let Some(database_url) = postgres().await else { return };
    let world = World::with(Settings { database_url: Some(database_url), ..Settings::default() }).await;
    world.pass_until(|| world.app.nodes.hears()).await;
    let mut live = world.app.live.subscribe();
    let end = "SELECT COUNT(pg_terminate_backend(pid)) AS n FROM pg_stat_activity \
               WHERE datname = current_database() AND query = 'LISTEN bellwire'";
    assert_eq!(world.row(end).await.get::<i64>("n").unwrap(), 1, "one connection listens");
    let deaf = async {
        while world.app.nodes.hears() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(GUARD, deaf).await.unwrap();
    world.pass_until(|| world.app.nodes.hears()).await;
    let told = async { while !matches!(live.recv().await.unwrap(), LiveChange::Anything) {} };
    timeout(GUARD, told).await.unwrap();
}

/// On one thread: whatever waits for the clock does so before the test goes on.
#[tokio::test]
async fn a_database_that_answers_too_late_is_asked_again_at_once() {
    let Some(database_url) = postgres().await else { return };
    let faults = Arc::<Faults>::default();
    let settings =
        Settings { database_url: Some(database_url), faults: Some(Arc::clone(&faults)), ..Settings::default() };
    let receiver = Receiver::start(|_| Reply::Status(200)).await;
    let world = World::with(settings).await;
    world.webhook(&receiver.url()).await;
    world.publish(1).await;
    receiver.wait(1).await;
    let late = Duration::from_secs(70);
    faults.arm(Point::Read, "measure_database_clock", Fault::Delay(late));
    world.app.clock.advance(Duration::from_secs(1));
    world.until(|| !faults.is_armed()).await;
    // The answer comes now, and says that the database could be reached a minute ago. From here on the clock stands.
    world.app.clock.advance(late);
    world.publish(1).await;
    receiver.wait(2).await;
}
