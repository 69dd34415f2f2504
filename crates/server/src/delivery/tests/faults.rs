//! The store fails, once, at every point of every transaction that a delivery meets on its way: with an error, with a panic, with
//! a delay that outlasts a lease. Each time the same story is played to its end: an event that is published, refused, answered
//! `410 Gone`, held, delivered, resent; one that is skipped; a test; a webhook that is deleted.
//!
//! What is asserted: what was acknowledged arrives, what was not acknowledged and is asked for again happens once, what is held
//! or skipped is not sent, and the engine goes on by itself. Which transactions there are is found out by a first run
//! without faults; a fault that is armed and never met fails the test.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use bellwire_core::{
    event::By,
    id::{DeliveryId, WebhookId},
    text::Reason,
};
use serde_json::value::RawValue;

use super::{
    receiver::{Receiver, Reply},
    world::{EVENT, GUARD, Settings, World, postgres},
};
use crate::{
    app::App,
    clock::Clock,
    db::{
        Db,
        events::Audience,
        faulty::{Fault, Faulty, Point, silence_wanted_panics},
    },
    error::Error,
    ops::{self, Actor, publish::NewPublish, webhooks::Missed},
};

/// A point of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    work: &'static str,
    point: Point,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {}", self.point, self.work)
    }
}

/// Where the store is to fail, and where it was.
#[derive(Default)]
pub(super) struct Faults {
    seen: Mutex<BTreeSet<Place>>,
    armed: Mutex<Option<(Place, Fault)>>,
    count: AtomicU64,
}

impl Faults {
    pub(super) fn before(self: &Arc<Self>, db: Db, clock: &Clock) -> Db {
        let faults = Arc::clone(self);
        Faulty::before(db, clock, move |point, work| faults.at(Place { work, point }))
    }

    fn at(&self, place: Place) -> Option<Fault> {
        self.count.fetch_add(1, SeqCst);
        let mut armed = self.armed();
        let fault = armed.take_if(|(armed, _)| *armed == place).map(|(_, fault)| fault);
        drop(armed);
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(place);
        fault
    }

    /// Arms a fault at a point that was met before, of the kind of transaction whose name contains `work`.
    pub(super) fn arm(&self, point: Point, work: &str, fault: Fault) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let place = seen.iter().find(|place| place.point == point && place.work.contains(work)).cloned();
        *self.armed() = Some((place.expect("it was met before"), fault));
    }

    /// Whether the fault that was armed is still to be met.
    pub(super) fn is_armed(&self) -> bool {
        self.armed().is_some()
    }

    fn armed(&self) -> MutexGuard<'_, Option<(Place, Fault)>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

macro_rules! halves {
    ($($sqlite:ident $postgres:ident $half:literal),*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $sqlite() {
            survive(Settings::default(), $half).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $postgres() {
            let Some(database_url) = postgres().await else { return };
            survive(Settings { database_url: Some(database_url), ..Settings::default() }, $half).await;
        })*
    };
}
halves!(
    every_first_fault_of_sqlite_is_survived every_first_fault_of_postgres_is_survived 0,
    every_second_fault_of_sqlite_is_survived every_second_fault_of_postgres_is_survived 1
);

/// Plays every second fault, from the first or the second on: together they are all of those that both have seen.
async fn survive(settings: Settings, half: usize) {
    silence_wanted_panics();
    let faults = Arc::<Faults>::default();
    let world = World::with(Settings { faults: Some(Arc::clone(&faults)), ..settings }).await;
    for _ in 0..3 {
        story(&world, &faults, "no fault", None).await;
    }
    let places = faults.seen.lock().unwrap().clone();
    let mut played = 0;
    let places_and_faults = places.iter().filter(|place| !rare(place)).flat_map(|place| {
        let faults = faults_at(place.point).into_iter();
        faults.map(move |fault| (place, fault))
    });
    for (place, fault) in places_and_faults.skip(half).step_by(2) {
        let name = format!("{fault:?} at {place}");
        story(&world, &faults, &name, Some((place.clone(), fault))).await;
        for _ in 0..40 {
            // Some things are done once in half a minute.
            if !faults.is_armed() {
                break;
            }
            idle(&world, &faults).await;
        }
        assert!(!faults.is_armed(), "{name} was never met");
        played += 1;
    }
    story(&world, &faults, "no fault again", None).await;
    let works: BTreeSet<_> = places.iter().map(|place| place.work).collect();
    println!("{}: {played} faults in {} kinds of transactions: {works:#?}", world.app.db.engine(), works.len());
    assert!(played > 50, "{played}");
}

/// What happens before a fault is armed: at the start of the engine, and of a story; or now and then, by the real clock.
fn rare(place: &Place) -> bool {
    ["issue_missing", "end_leases", "webhooks::create", "create_several", "nodes::say"]
        .iter()
        .any(|work| place.work.contains(work))
}

fn faults_at(point: Point) -> Vec<Fault> {
    let delay = Fault::Delay(Duration::from_secs(70));
    match point {
        Point::Read | Point::Begin => vec![Fault::Unavailable, Fault::Full, Fault::Wrong, Fault::Panic, delay],
        Point::Commit => vec![Fault::Unavailable, Fault::Full, Fault::Wrong, Fault::Panic],
        // Whoever waits for the answer doesn't get it.
        Point::Committed => vec![Fault::Unavailable, Fault::Panic, delay],
    }
}

/// The number of a story, so that idempotency keys differ.
static STORIES: AtomicU64 = AtomicU64::new(0);

async fn story(world: &World, faults: &Arc<Faults>, name: &str, armed: Option<(Place, Fault)>) {
    let number = STORIES.fetch_add(1, SeqCst);
    // Who is gone stays gone, until somebody repairs it: when the store fails, it is asked once more.
    let repaired = Arc::new(AtomicBool::new(false));
    let is_repaired = Arc::clone(&repaired);
    let receiver = Receiver::start(move |nth| match nth {
        0 => Reply::Status(500),
        _ if is_repaired.load(SeqCst) => Reply::Status(200),
        _ => Reply::Status(410),
    })
    .await;
    let webhook = world.webhook(&receiver.url()).await;
    let slow = matches!(armed, Some((_, Fault::Delay(_))));
    *faults.armed() = armed;

    // Refused, tried again, gone: turned off and held; turned on, delivered.
    let event = publish(world, faults, &format!("{number}a"), name).await;
    arrive(world, faults, name, 1, &format!("SELECT id FROM webhooks WHERE id = '{webhook}' AND status = 'inactive'"))
        .await;
    arrive(world, faults, name, 1, &delivery(webhook, &event, "pending")).await;
    if slow {
        // What was sent again when the lease ended was answered 410 too, before the repair. That answer has to be written down
        // before the webhook is turned on, or it turns it off once more.
        idle(world, faults).await;
    }
    repaired.store(true, SeqCst);
    insist(world, faults, name, move |app, actor| async move {
        ops::webhooks::activate(&app, &actor, webhook, Missed::Send).await.map(drop)
    })
    .await;
    arrive(world, faults, name, 1, &delivery(webhook, &event, "delivered")).await;

    // Resent.
    let id: DeliveryId = world.query(&delivery(webhook, &event, "delivered")).await[0].get("id").unwrap();
    insist(
        world,
        faults,
        name,
        move |app, actor| async move { ops::deliveries::resend(&app, &actor, id).await.map(drop) },
    )
    .await;
    arrive(
        world,
        faults,
        name,
        1,
        &format!("{} AND reason = 'resend' AND leased_by IS NULL", delivery(webhook, &event, "delivered")),
    )
    .await;

    // Held and skipped: never sent.
    insist(world, faults, name, move |app, actor| async move {
        ops::webhooks::deactivate(&app, &actor, webhook, Reason::parse("").unwrap()).await.map(drop)
    })
    .await;
    let skipped = publish(world, faults, &format!("{number}b"), name).await;
    insist(world, faults, name, move |app, actor| async move {
        ops::webhooks::activate(&app, &actor, webhook, Missed::Skip).await.map(drop)
    })
    .await;
    arrive(world, faults, name, 1, &delivery(webhook, &skipped, "cancelled")).await;

    // A test.
    insist(world, faults, name, move |app, actor| async move {
        ops::journal::transact(&app, actor.workspace, By::system(), true, move |tx| {
            Box::pin(async move {
                tx.record_for(EVENT, &serde_json::json!({}), Audience::Test(webhook))?;
                Ok::<_, Error>(())
            })
        })
        .await
    })
    .await;
    let tests =
        format!("SELECT id FROM deliveries WHERE webhook_id = '{webhook}' AND reason = 'test' AND state = 'delivered'");
    while_nothing(world, faults, name, || async { !world.query(&tests).await.is_empty() }).await;

    let events = world.query(&format!("SELECT id FROM events WHERE id IN ('{event}', '{skipped}')")).await;
    assert_eq!(events.len(), 2, "{name}");
    let published = world.query(&format!("SELECT key FROM idempotency_keys WHERE key LIKE '{number}_'")).await;
    assert_eq!(published.len(), 2, "{name}: each was published once");
    let seen = receiver.seen();
    let got = |id: &str| seen.iter().filter(|request| request.headers["webhook-id"] == *id).count();
    assert!(got(&event) >= 3, "{name}: {event} was refused, gone and taken");
    assert_eq!(got(&skipped), 0, "{name}: what was skipped is not sent");

    // Deleted: the next event is not for it.
    insist(world, faults, name, move |app, actor| async move {
        match ops::webhooks::delete(&app, &actor, webhook).await {
            Err(Error::NotFound(_)) => Ok(()), // the first time was enough
            result => result,
        }
    })
    .await;
    idle(world, faults).await;
    let count = receiver.seen().len();
    let last = publish(world, faults, &format!("{number}c"), name).await;
    idle(world, faults).await;
    assert_eq!(receiver.seen().len(), count, "{name}: {last} was sent to a deleted webhook");
}

fn delivery(webhook: WebhookId, event: &str, state: &str) -> String {
    format!("SELECT id FROM deliveries WHERE webhook_id = '{webhook}' AND event_id = '{event}' AND state = '{state}'")
}

/// Publishes with an idempotency key, again until it is acknowledged.
async fn publish(world: &World, faults: &Arc<Faults>, key: &str, name: &str) -> String {
    let ids = Arc::new(Mutex::new(String::new()));
    let (told, key) = (Arc::clone(&ids), key.to_owned());
    insist(world, faults, name, move |app, actor| {
        let (told, key) = (Arc::clone(&told), ops::publish::IdempotencyKey::parse(&key).unwrap());
        async move {
            let data = RawValue::from_string("{}".to_owned())?;
            let new = NewPublish { event_type: EVENT, data, actor: None, occurred_at: None };
            let published = ops::publish::publish(&app, &actor, new, Some(key)).await?;
            *told.lock().unwrap() = published.id.to_string();
            Ok(())
        }
    })
    .await;
    ids.lock().unwrap().clone()
}

/// Does something as a person would: again, when it did not work. A panic is a request that had no answer.
async fn insist<R>(world: &World, faults: &Arc<Faults>, name: &str, work: impl Fn(App, Actor) -> R)
where
    R: Future<Output = Result<(), Error>> + Send + 'static,
{
    for _ in 0..5 {
        let asked = tokio::spawn(work(world.app.clone(), world.actor.clone()));
        while_nothing(world, faults, name, || async { asked.is_finished() }).await;
        if matches!(asked.await, Ok(Ok(()))) {
            return;
        }
    }
    panic!("{name}: what was asked for never worked");
}

async fn arrive(world: &World, faults: &Arc<Faults>, name: &str, count: usize, sql: &str) {
    let name = format!("{name}: {count} rows of {sql}");
    while_nothing(world, faults, &name, || async { world.query(sql).await.len() == count }).await;
}

/// Lets time pass, whenever nobody does anything, until `done`.
async fn while_nothing<R: Future<Output = bool>>(world: &World, faults: &Faults, name: &str, done: impl Fn() -> R) {
    let (mut before, mut still) = (faults.count.load(SeqCst), 0);
    let wait = async {
        while !done().await {
            world.query("SELECT 1").await;
            let now = faults.count.load(SeqCst);
            still = if now == before { still + 1 } else { 0 };
            before = now;
            // A disk that takes its time is no time that passes: a stalled commit would make a day of it.
            if still > 8 && world.app.db.connections().busy == 0 {
                world.app.clock.advance(Duration::from_secs(1));
                still = 0;
            }
        }
    };
    assert!(tokio::time::timeout(GUARD, wait).await.is_ok(), "{name}: it never came");
}

/// Lets some seconds pass.
async fn idle(world: &World, faults: &Faults) {
    let until = world.app.clock.moment().plus(Duration::from_secs(6));
    while_nothing(world, faults, "idle", || async { world.app.clock.moment() >= until }).await;
}
