//! Nothing that was acknowledged is lost, however often the process is killed.
//!
//! Publishers keep a ledger of the events that the server acknowledged, and repeat with the same idempotency key what was not
//! answered; a receiver counts what it gets. The server is
//! killed with SIGKILL, again and again, while both are busy. While it is dead its database is looked at: everything in the ledger
//! must be in it, and what is pending there was on its way when the process died. In the end everything in the ledger
//! must have arrived, and nothing more often than once and once for each kill that found it on its way.
//!
//! `BELLWIRE_TEST_KILLS=2000 cargo test -p bellwire --test integration kill_nine -- --nocapture` kills more often.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use serde_json::json;

use crate::support::{ledger::Ledger, machine::Machine, receiver::Receiver};

/// In the test run.
const KILLS: usize = 200;
const PUBLISHERS: usize = 4;

/// A look at the database of a process that is dead. Its journal is left as it is: the next process has to recover it.
struct Autopsy(rusqlite::Connection);

impl Autopsy {
    fn of(folder: &Path) -> Self {
        let database = rusqlite::Connection::open(folder.join("bellwire.db")).unwrap();
        database.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
        Self(database)
    }

    fn list(&self, sql: &str) -> Vec<String> {
        let mut statement = self.0.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    fn has_event(&self, id: &str) -> bool {
        self.0.prepare_cached("SELECT 1 FROM events WHERE id = ?1").unwrap().exists([id]).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_nine_loses_nothing() {
    let kills = std::env::var("BELLWIRE_TEST_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let machine = Machine::new().with("BELLWIRE_RETRY_SCHEDULE", "0s,100ms,100ms,100ms,1s,1s,1s,1s,1s,1s,1s,1s");
    let client = machine.bootstrap().await;
    let (receiver, ledger) = (Receiver::start().await, Arc::<Ledger>::default());
    ledger.watch(&receiver);

    let mut server = machine.serve().await;
    let webhook = json!({"url": receiver.url(), "event_types": ["user.*"]});
    let (status, answer) = client.request("POST", "/api/v1/webhooks", &webhook).await.unwrap();
    assert_eq!(status, 201, "{answer}");

    // How many kills found an event pending.
    let mut on_their_way: BTreeMap<String, usize> = BTreeMap::new();
    let mut examined = 0;
    let mut publishers = ledger.publishers(PUBLISHERS, &[client]);
    for round in 0..kills {
        // Kills fall at ever different moments: after a number of acknowledgements, not after a time.
        ledger.grow(5 + round * 7 % 60).await;
        server.kill().await.unwrap(); // SIGKILL
        let database = Autopsy::of(machine.folder());
        for id in database.list("SELECT event_id FROM deliveries WHERE state = 'pending'") {
            *on_their_way.entry(id).or_default() += 1;
        }
        let acknowledged = ledger.acknowledged(examined);
        let missing: Vec<_> = acknowledged.iter().filter(|id| !database.has_event(id)).collect();
        assert!(missing.is_empty(), "kill {round}: acknowledged, and not on disk: {missing:?}");
        examined += acknowledged.len();
        drop(database);
        server = machine.serve().await;
    }
    ledger.end();
    while let Some(ended) = publishers.join_next().await {
        ended.unwrap();
    }
    for _ in 0..6_000 {
        if ledger.missing().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.kill().await.unwrap();
    let (lost, acknowledged, arrivals) = (ledger.missing(), ledger.acknowledged(0), ledger.arrivals());
    assert!(lost.is_empty(), "{} of {} acknowledged events were lost: {lost:?}", lost.len(), acknowledged.len());
    let allowed = |id: &String| 1 + on_their_way.get(id).copied().unwrap_or(0);
    let unexcused: Vec<_> = arrivals.iter().filter(|(id, count)| **count > allowed(id)).collect();
    assert!(unexcused.is_empty(), "arrived again, and were not on their way at a kill: {unexcused:?}");
    println!(
        "{kills} kills: {} acknowledged, {} arrived, 0 lost; {} publishes were repeated, none happened twice; {} were on their way at a kill, {} of them arrived again",
        acknowledged.len(),
        arrivals.len(),
        ledger.repeated(),
        on_their_way.len(),
        arrivals.values().filter(|count| **count > 1).count()
    );

    let database = Autopsy::of(machine.folder());
    assert_eq!(database.list("PRAGMA integrity_check"), ["ok"]);
    let events = database.list("SELECT id FROM events WHERE type = 'user.blocked'");
    assert_eq!(events.len(), acknowledged.len(), "one event for each key, however often it was published");
    let gaps = "SELECT 'gap' FROM events GROUP BY workspace_id HAVING COUNT(*) <> MAX(sequence)";
    assert!(database.list(gaps).is_empty(), "the numbers of the events have a gap");
}
