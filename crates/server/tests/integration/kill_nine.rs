//! Nothing that was acknowledged is lost, however often the process is killed.
//!
//! A publisher keeps a ledger of the events that the server acknowledged; a receiver keeps a list of what it got. The server
//! is killed with SIGKILL, again and again, while both are busy. In the end everything in the ledger must have arrived.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
};

use crate::support::client::Client;
use crate::support::receiver::Receiver;

const KILLS: usize = 50;
const PUBLISHERS: usize = 4;

fn bellwire(folder: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bellwire"));
    command
        .current_dir(folder)
        .env("BELLWIRE_LISTEN", address.to_string())
        .env("BELLWIRE_ALLOW_NETWORKS", "127.0.0.0/8")
        .env("BELLWIRE_RETRY_SCHEDULE", "0s,100ms,100ms,100ms,1s,1s,1s,1s,1s,1s,1s,1s")
        .env("BELLWIRE_LOG", "warn")
        .kill_on_drop(true);
    command
}

async fn bootstrap(folder: &Path, address: SocketAddr) -> String {
    let arguments = [
        "bootstrap",
        "--workspace",
        "Kill",
        "--owner-email",
        "kill@example.com",
        "--owner-name",
        "Kill",
        "--password-stdin",
    ];
    let mut child =
        bellwire(folder, address).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"a long enough password\n").await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success());
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    made["api_key"].as_str().unwrap().to_owned()
}

/// Starts the server and waits until it answers.
async fn serve(folder: &Path, client: &Client) -> Child {
    let child = bellwire(folder, client.address).arg("serve").stdout(Stdio::null()).spawn().unwrap();
    for _ in 0..1_000 {
        if client.request("GET", "/healthz", &Value::Null).await.is_ok() {
            return child;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the server did not start");
}

/// Publishes until the server is gone; writes down what was acknowledged.
async fn publish(client: Client, ledger: Arc<Mutex<Vec<String>>>) {
    let event = json!({"type": "user.blocked", "data": {"reason": "a kill test"}});
    while let Ok((status, answer)) = client.request("POST", "/api/v1/events", &event).await {
        if status.is_success() {
            let id = answer["id"].as_str().expect("an acknowledgement names the event").to_owned();
            ledger.lock().unwrap().push(id);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_nine_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = Client { address, key: bootstrap(folder.path(), address).await };
    let receiver = Receiver::start().await;
    let ledger = Arc::new(Mutex::new(Vec::new()));

    let mut server = serve(folder.path(), &client).await;
    let webhook = json!({"url": receiver.url(), "event_types": ["user.*"]});
    let (status, answer) = client.request("POST", "/api/v1/webhooks", &webhook).await.unwrap();
    assert_eq!(status, 201, "{answer}");

    for round in 0..KILLS {
        let mut publishers = tokio::task::JoinSet::new();
        for _ in 0..PUBLISHERS {
            publishers.spawn(publish(client.clone(), Arc::clone(&ledger)));
        }
        // Kills fall at ever different moments: after a number of acknowledgements, not after a time.
        let enough = ledger.lock().unwrap().len() + 5 + round * 7 % 60;
        while ledger.lock().unwrap().len() < enough {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        server.kill().await.unwrap(); // SIGKILL
        publishers.join_all().await;
        server = serve(folder.path(), &client).await;
    }

    let ledger = std::mem::take(&mut *ledger.lock().unwrap());
    let mut received = BTreeMap::new();
    for _ in 0..6_000 {
        received = receiver.received().iter().fold(BTreeMap::new(), |mut all, request| {
            *all.entry(request.header("webhook-id").unwrap_or_default().to_owned()).or_insert(0_usize) += 1;
            all
        });
        if ledger.iter().all(|id| received.contains_key(id)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let lost: Vec<_> = ledger.iter().filter(|id| !received.contains_key(*id)).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged events were lost: {lost:?}", lost.len(), ledger.len());
    let repeated = received.values().filter(|count| **count > 1).count();
    println!(
        "{KILLS} kills, {} acknowledged, {} received, {repeated} of them more than once",
        ledger.len(),
        received.len()
    );

    server.kill().await.unwrap();
    let database = rusqlite::Connection::open(folder.path().join("bellwire.db")).unwrap();
    let check: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    let (events, last): (i64, i64) = database
        .query_row("SELECT COUNT(*), MAX(sequence) FROM events", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!(events, last, "the numbers of the events have a gap");
}
