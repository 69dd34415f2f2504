//! Nothing that was acknowledged is lost, however often the process is killed.
//!
//! Publishers keep a ledger of the events that the server acknowledged; a receiver keeps a list of what it got. The server is
//! killed with SIGKILL, again and again, while both are busy. While it is dead its database is looked at: everything in the ledger
//! must be in it, and what is pending there was on its way when the process died. In the end everything in the ledger
//! must have arrived, and nothing more often than once and once for each kill that found it on its way.
//!
//! `BELLWIRE_KILLS=2000 cargo test -p bellwire --test integration kill_nine -- --nocapture` kills more often.

use std::{
    collections::{BTreeMap, BTreeSet},
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

use crate::support::{
    client::Client,
    receiver::{Answer, Receiver},
};

/// In the test run.
const KILLS: usize = 200;
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
    for _ in 0..5_000 {
        if client.request("GET", "/healthz", &Value::Null).await.is_ok() {
            return child;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
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
    let kills = std::env::var("BELLWIRE_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = Client { address, key: bootstrap(folder.path(), address).await };
    let receiver = Receiver::start().await;
    let arrivals: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
    let count = Arc::clone(&arrivals);
    receiver.answer_with(move |request| {
        *count.lock().unwrap().entry(request.header("webhook-id").unwrap().to_owned()).or_default() += 1;
        Answer::status(204)
    });
    let ledger = Arc::new(Mutex::new(Vec::new()));

    let mut server = serve(folder.path(), &client).await;
    let webhook = json!({"url": receiver.url(), "event_types": ["user.*"]});
    let (status, answer) = client.request("POST", "/api/v1/webhooks", &webhook).await.unwrap();
    assert_eq!(status, 201, "{answer}");

    // How many kills found an event pending.
    let mut on_their_way: BTreeMap<String, usize> = BTreeMap::new();
    let mut examined = 0;
    for round in 0..kills {
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
        let database = Autopsy::of(folder.path());
        for id in database.list("SELECT event_id FROM deliveries WHERE state = 'pending'") {
            *on_their_way.entry(id).or_default() += 1;
        }
        let acknowledged = ledger.lock().unwrap().clone();
        let missing: Vec<_> = acknowledged[examined..].iter().filter(|id| !database.has_event(id)).collect();
        assert!(missing.is_empty(), "kill {round}: acknowledged, and not on disk: {missing:?}");
        examined = acknowledged.len();
        drop(database);
        server = serve(folder.path(), &client).await;
    }

    let ledger: BTreeSet<String> = std::mem::take(&mut *ledger.lock().unwrap()).into_iter().collect();
    let arrived = |ledger: &BTreeSet<String>| {
        let arrivals = arrivals.lock().unwrap();
        ledger.iter().all(|id| arrivals.contains_key(id))
    };
    for _ in 0..6_000 {
        if arrived(&ledger) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.kill().await.unwrap();
    let arrivals = arrivals.lock().unwrap().clone();
    let lost: Vec<_> = ledger.iter().filter(|id| !arrivals.contains_key(*id)).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged events were lost: {lost:?}", lost.len(), ledger.len());
    let allowed = |id: &String| 1 + on_their_way.get(id).copied().unwrap_or(0);
    let unexcused: Vec<_> = arrivals.iter().filter(|(id, count)| **count > allowed(id)).collect();
    assert!(unexcused.is_empty(), "arrived again, and were not on their way at a kill: {unexcused:?}");
    println!(
        "{kills} kills: {} acknowledged, {} arrived, 0 lost; {} were on their way at a kill, {} of them arrived again",
        ledger.len(),
        arrivals.len(),
        on_their_way.len(),
        arrivals.values().filter(|count| **count > 1).count()
    );

    let database = Autopsy::of(folder.path());
    assert_eq!(database.list("PRAGMA integrity_check"), ["ok"]);
    let gaps = "SELECT 'gap' FROM events GROUP BY workspace_id HAVING COUNT(*) <> MAX(sequence)";
    assert!(database.list(gaps).is_empty(), "the numbers of the events have a gap");
}
