//! A backup that was never restored is a hope: these restore one, of each database, taken while a server was at work.

use serde_json::{Value, json};
use tokio::process::Command;

use super::{Machine, signal};
use crate::support::{client::Client, postgres::fresh_database, receiver::Receiver};

const KEPT: usize = 5;

/// Has events at a webhook whose receiver is away, so that deliveries wait.
async fn fill(client: &Client, url: &str) {
    let webhook = json!({"url": url, "event_types": ["user.blocked"]});
    assert_eq!(client.request("POST", "/api/v1/webhooks", &webhook).await.unwrap().0, 201);
    publish(client, KEPT).await;
}

async fn publish(client: &Client, count: usize) {
    for number in 0..count {
        let event = json!({"type": "user.blocked", "data": {"number": number}});
        assert_eq!(client.request("POST", "/api/v1/events", &event).await.unwrap().0, 202);
    }
}

async fn sequences(client: &Client) -> Vec<i64> {
    let (status, events) =
        client.request("GET", "/api/v1/events?type=user.blocked&limit=200", &Value::Null).await.unwrap();
    assert_eq!(status, 200, "{events}");
    let mut sequences: Vec<i64> =
        events["data"].as_array().unwrap().iter().map(|event| event["sequence"].as_i64().unwrap()).collect();
    sequences.sort_unstable();
    sequences
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_sqlite_is_restored() {
    let schedule = ("BELLWIRE_RETRY_SCHEDULE", "0s,200ms,200ms,200ms,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s");
    let machine = Machine::new().with(schedule.0, schedule.1).with("BELLWIRE_DRAIN_DELAY", "0s");
    let client = machine.bootstrap().await;
    let mut receiver = Receiver::start().await;
    receiver.stop().await;
    let mut server = machine.serve().await;
    fill(&client, &receiver.url()).await;
    let kept = sequences(&client).await;

    let said = machine.done(&["backup", "copy.db"], "").await;
    assert!(said.starts_with("copy.db is a copy of the database, of "), "{said}");
    assert!(said.contains("keep a copy of bellwire.key too"), "{said}");
    let again = machine.refused(&["backup", "copy.db"]).await;
    assert!(again.ends_with("there is a file copy.db already"), "{again}");
    publish(&client, 3).await; // after the backup: gone with the machine
    signal(&server, "-KILL").await;
    server.wait().await.unwrap();

    let new = Machine::new().with(schedule.0, schedule.1);
    std::fs::copy(machine.path("copy.db"), new.path("bellwire.db")).unwrap();
    let said = new.refused(&["serve"]).await;
    assert!(said.contains("restore it from your backup"), "without its key it is of no use: {said}");
    std::fs::copy(machine.path("bellwire.key"), new.path("bellwire.key")).unwrap();
    receiver.restart().await;
    let _server = new.serve().await;
    let client = Client { address: new.address, ..client };
    assert_eq!(sequences(&client).await, kept);
    let mut received: Vec<i64> =
        receiver.wait_for(KEPT).await.iter().map(|request| request.json()["sequence"].as_i64().unwrap()).collect();
    received.sort_unstable();
    received.dedup();
    assert_eq!(received, kept, "what waited at the time of the backup is delivered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_of_postgresql_is_restored() {
    let (Some(first), Some(second)) = (fresh_database().await, fresh_database().await) else { return };
    let machine = Machine::new().with("BELLWIRE_DATABASE_URL", first.url());
    let client = machine.bootstrap().await;
    let receiver = Receiver::start().await;
    receiver.answer(503);
    let mut server = machine.serve().await;
    fill(&client, &receiver.url()).await;
    let kept = sequences(&client).await;

    let dump = machine.path("bellwire.dump").display().to_string();
    run("pg_dump", &["--format=custom", "--file", &dump, first.url()]).await;
    publish(&client, 3).await;
    signal(&server, "-KILL").await;
    server.wait().await.unwrap();
    let said = machine.refused(&["backup", "copy.db"]).await;
    assert!(said.ends_with("use pg_dump for PostgreSQL"), "{said}");

    run("pg_restore", &["--no-owner", "--exit-on-error", "--dbname", second.url(), &dump]).await;
    let new = Machine::new().with("BELLWIRE_DATABASE_URL", second.url());
    std::fs::copy(machine.path("bellwire.key"), new.path("bellwire.key")).unwrap();
    let _server = new.serve().await;
    let client = Client { address: new.address, ..client };
    assert_eq!(sequences(&client).await, kept);
    publish(&client, 1).await;
    assert_eq!(sequences(&client).await.last(), kept.last().map(|last| last + 1).as_ref(), "the numbers go on");
}

async fn run(program: &str, arguments: &[&str]) {
    let output =
        Command::new(program).args(arguments).output().await.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}
