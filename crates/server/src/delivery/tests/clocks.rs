//! Clocks that are set, machines that stood still, and nodes whose clocks differ.

use std::time::Duration;

use bellwire_core::time::Timestamp;

use super::{
    super::Limits,
    receiver::{Receiver, Reply},
    world::{GUARD, Settings, World, postgres, world},
};
use crate::{
    app::App,
    clock::{Clock, Randomness},
    db::Db,
};

const LIMITS: Limits = Limits { connect: GUARD, exchange: GUARD };
const DAY: i64 = 86_400_000_000;
const WAITING: &str = "SELECT id FROM deliveries WHERE state = 'pending' AND leased_by IS NULL";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_neither_hurries_nor_delays_anything() {
    for by in [DAY, -DAY] {
        let (receiver, other) =
            (Receiver::start(|_| Reply::Status(500)).await, Receiver::start(|_| Reply::Status(200)).await);
        let world = world().await;
        world.webhook(&receiver.url()).await;
        // Eight attempts in all: after more failures in a row its receiver would be left alone.
        world.publish(1).await;
        world.rows(1, &format!("{WAITING} AND tries = 1")).await;
        let paced = world.webhook(&other.url()).await;
        world.set(paced, "rate_limit", 1_i64).await;

        world.app.clock.set(world.now().shifted(by));
        world.publish(3).await;
        world.rows(4, &format!("{WAITING} AND tries = 1")).await;
        // Within the first five seconds nothing is tried again, whatever the clock says; and one a second is one a second, the first
        // a second after the start.
        for sent in 1..=3 {
            world.app.clock.advance(Duration::from_secs(1));
            other.wait(sent).await;
        }
        assert_eq!(receiver.seen().len(), 4, "set by {by}");
        world.app.clock.advance(Duration::from_secs(4));
        world.rows(4, &format!("{WAITING} AND tries = 2")).await;
        assert_eq!(receiver.seen().len(), 8, "set by {by}");
        assert_eq!(other.seen().len(), 3);
        world.rows(2, "SELECT id FROM webhooks WHERE status = 'active'").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_in_which_no_engine_was_at_work_turns_nothing_off() {
    // Twenty days later, as far as the clock says: the machine stood still, or somebody set the clock while it was down.
    for by in [20 * DAY, DAY, -DAY] {
        let receiver = Receiver::start(|_| Reply::Status(500)).await;
        let mut world = world().await;
        world.webhook(&receiver.url()).await;
        world.publish(3).await;
        world.rows(3, &format!("{WAITING} AND tries = 1")).await;
        let first: Timestamp = world.row("SELECT failing_since FROM webhooks").await.get("failing_since").unwrap();
        world.engine.take().unwrap().drain().await;

        world.app.clock.set(world.now().shifted(by));
        let mut world = world.reborn().await;
        world.start(LIMITS);
        world.row("SELECT id FROM webhooks WHERE failing_uncounted <> 0").await;
        if by > 0 {
            // What was due is tried once, and not again before its time.
            world.rows(3, &format!("{WAITING} AND tries = 2")).await;
        }
        let seen: Timestamp = world.row("SELECT seen_at FROM engine").await.get("seen_at").unwrap();
        world.app.clock.advance(Duration::from_secs(31));
        world.row(&format!("SELECT 1 FROM engine WHERE seen_at > {}", seen.as_micros())).await;
        assert_eq!(receiver.seen().len(), if by > 0 { 6 } else { 3 }, "{by}");
        let since =
            format!("SELECT id FROM webhooks WHERE status = 'active' AND failing_since = {}", first.as_micros());
        world.row(&since).await;
        // From here on it counts: five days less the little that it had failed before.
        world.app.clock.advance(Duration::from_hours(119));
        world.row(&format!("SELECT 1 FROM engine WHERE seen_at > {}", seen.as_micros() + 100 * 3_600_000_000)).await;
        world.app.clock.advance(Duration::from_secs(31));
        world.row(&since).await;
        world.app.clock.advance(Duration::from_hours(1));
        world.row("SELECT id FROM webhooks WHERE status = 'inactive'").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_are_judged_by_the_clock_of_the_database() {
    for wrong_by in [-300_000_000, 300_000_000] {
        let Some(database_url) = postgres().await else { return };
        let receiver = Receiver::start(|_| Reply::WhenTold).await;
        let world = World::with(Settings { database_url: Some(database_url), ..Settings::default() }).await;
        world.webhook(&receiver.url()).await;
        // Another node, minutes off; both know what time it is at the server.
        let mut other = world.beside(wrong_by);
        other.app.database_clock.measured(other.app.clock.moment(), world.app.database_clock.now());
        other.start(LIMITS);
        other.publish(1).await;
        receiver.wait(1).await;
        let held = format!("SELECT id FROM deliveries WHERE leased_by = '{}' AND state = 'pending'", other.app.node);
        world.row(&held).await;

        // A node that looks around finds what belongs to nobody, and leaves alone what the other one has.
        let bystander = Receiver::start(|_| Reply::Status(200)).await;
        let tested = world.webhook(&bystander.url()).await;
        world.test(tested).await;
        bystander.wait(1).await;
        world.row("SELECT id FROM deliveries WHERE state = 'delivered'").await;
        let again = "UPDATE deliveries SET state = 'pending', leased_by = NULL, due_at = 0 WHERE state = 'delivered'";
        world.execute(again, &[]).await;
        world.app.clock.advance(Duration::from_secs(6));
        bystander.wait(2).await;
        world.row(&held).await;

        // The other one is not heard of again: when its lease has run out, the delivery is somebody else's.
        world.app.clock.advance(Duration::from_secs(60));
        world.rows(0, &held).await;
        let seen = receiver.wait(2).await;
        assert_eq!(seen[0].headers["webhook-id"], seen[1].headers["webhook-id"], "{wrong_by}");
    }
}

#[tokio::test]
async fn the_server_is_asked_what_time_it_is() {
    let Some(database_url) = postgres().await else { return };
    let settings = Settings { database_url: Some(database_url), ..Settings::default() };
    let folder = tempfile::tempdir().unwrap();
    let config = settings.config(folder.path());
    let db = Db::open(&config.database_url).await.unwrap();
    let random = Randomness::from_system();
    let (app, _signals) = App::new(config, db, Clock::System, random, crate::crypt::MasterKey::from_bytes([1; 32]));
    // As if our own clock were a day off.
    app.database_clock.measured(app.clock.moment(), app.clock.now().shifted(-DAY));
    let asked = app.db.read(|conn| Box::pin(async move { crate::db::clock::now(conn).await })).await;
    let server = asked.map_err(|error: crate::db::DbError| error).unwrap().unwrap();
    app.measure_database_clock().await.unwrap();
    let off = app.database_clock.now().since(server).max(server.since(app.database_clock.now()));
    assert!(off < Duration::from_mins(1), "{off:?}");
}
