//! PostgreSQL goes away while events are published and delivered: nothing that was acknowledged is lost, and the pool recovers.
//!
//! The server ends every connection of the database, again and again, as it does when it is restarted: a connection breaks
//! between two statements, inside a transaction, or while its commit is under way.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use bellwire::{
    cli::serve,
    clock::{Clock, Randomness},
    ops::setup,
    password::Password,
};
use bellwire_core::text::{Email, Name};
use serde_json::json;
use tokio_postgres::NoTls;

use super::settings;
use crate::support::{client::Client, postgres::fresh_database, receiver::Receiver};

const ENDS: usize = 30;
const PUBLISHERS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_away_loses_nothing() {
    let Some(database) = fresh_database().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let config = settings(database.url(), folder.path());
    // A clock that is moved by hand: what only a lease brings back need not be waited for.
    let clock = Clock::fake(Clock::System.now());
    let server = serve::start(config, clock.clone(), Randomness::from_system()).await.unwrap();
    let (email, name) = (Email::parse("ann@example.com").unwrap(), Name::parse("Ann").unwrap());
    let password = Password::parse("a long enough password").unwrap();
    let made = setup::bootstrap(&server.app, Name::parse("Restart").unwrap(), email, name, password).await.unwrap();
    let client = Client { address: server.address, key: made.api_key };
    let receiver = Receiver::start().await;
    let webhook = json!({"url": receiver.url(), "event_types": ["user.*"]});
    let (status, answer) = client.request("POST", "/api/v1/webhooks", &webhook).await.unwrap();
    assert_eq!(status, 201, "{answer}");

    let (ledger, refused) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicUsize>::default());
    let over = Arc::<AtomicBool>::default();
    let mut publishers = tokio::task::JoinSet::new();
    for _ in 0..PUBLISHERS {
        let (client, ledger, refused, over) =
            (client.clone(), Arc::clone(&ledger), Arc::clone(&refused), Arc::clone(&over));
        publishers.spawn(async move {
            let event = json!({"type": "user.blocked", "data": {"reason": "a restart"}});
            while !over.load(SeqCst) {
                let (status, answer) = client.request("POST", "/api/v1/events", &event).await.unwrap();
                if status == 202 {
                    ledger.lock().unwrap().push(answer["id"].as_str().unwrap().to_owned());
                } else {
                    assert!([401, 500, 503].contains(&status.as_u16()), "{status}: {answer}");
                    refused.fetch_add(1, SeqCst);
                }
            }
        });
    }

    let (other, connection) = tokio_postgres::connect(database.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    let end = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let mut ended = 0;
    for round in 0..ENDS {
        let enough = ledger.lock().unwrap().len() + 3 + round * 7 % 40;
        while ledger.lock().unwrap().len() < enough {
            tokio::time::sleep(Duration::from_millis(1)).await;
            clock.advance(Duration::from_millis(1));
        }
        ended += other.query_one(end, &[]).await.unwrap().get::<_, i64>(0);
    }
    over.store(true, SeqCst);
    publishers.join_all().await;

    let ledger: BTreeSet<String> = std::mem::take(&mut *ledger.lock().unwrap()).into_iter().collect();
    let mut missing: BTreeSet<String> = ledger.clone();
    for _ in 0..6_000 {
        for request in receiver.received() {
            missing.remove(request.header("webhook-id").unwrap());
        }
        if missing.is_empty() {
            break;
        }
        clock.advance(Duration::from_millis(250));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(missing.is_empty(), "{} of {} acknowledged events were lost: {missing:?}", missing.len(), ledger.len());
    println!(
        "{ENDS} times {ended} connections in all were ended: {} acknowledged, 0 lost, {} refused",
        ledger.len(),
        refused.load(SeqCst)
    );
    server.stop().await;
}
