//! The database's disk is full: publishes are refused, never acknowledged falsely; what is stored can be read; and everything goes
//! on by itself when there is room.
//!
//! The test run limits the pages of the database, which needs no privileges and fails where SQLite asks for room. A real
//! file system that is full fails elsewhere too (in the middle of a commit): `cargo test -p bellwire --test integration
//! full_disk -- --ignored` mounts a small one, in a namespace of its own, where the system lets us.

use std::{net::TcpListener, path::Path, process::Stdio, time::Duration};

use bellwire::{
    cli::serve,
    clock::{Clock, Randomness},
    config::{Config, LogFormat},
    db::{Db, DbError},
    ops::setup,
    password::Password,
};
use bellwire_core::text::{Email, Name};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, process::Command};

use crate::support::{client::Client, receiver::Receiver};

/// Gives the database as many pages as it has, and `more`.
async fn leave_pages(db: &Db, more: i64) {
    let limit = db.write(move |conn| {
        Box::pin(async move {
            let pages: i64 = conn.query_one("PRAGMA page_count", &[]).await?.get("page_count")?;
            conn.query(&format!("PRAGMA max_page_count = {}", pages + more), &[]).await.map(drop)
        })
    });
    limit.await.map_err(|error: DbError| error).unwrap();
}

fn event() -> Value {
    json!({"type": "user.blocked", "data": {"filler": "x".repeat(20_000)}})
}

/// Publishes until it is refused a few times. Returns what was acknowledged, and with what the rest was refused.
async fn fill(client: &Client, at_most: usize) -> (Vec<String>, Vec<u16>) {
    let (mut acknowledged, mut refused) = (Vec::new(), Vec::new());
    for _ in 0..at_most {
        let (status, answer) = client.request("POST", "/api/v1/events", &event()).await.unwrap();
        if status == 202 {
            acknowledged.push(answer["id"].as_str().unwrap().to_owned());
        } else {
            refused.push(status.as_u16());
            if refused.len() == 5 {
                break;
            }
        }
    }
    (acknowledged, refused)
}

/// What must hold when it is full.
async fn check_full(client: &Client, acknowledged: &[String], refused: &[u16]) {
    assert_eq!(refused.len(), 5, "the disk was never full: {} events fit", acknowledged.len());
    assert!(refused.iter().all(|status| [503, 507].contains(status)), "{refused:?}");
    for path in ["/healthz", "/api/v1/webhooks", "/api/v1/users", "/api/v1/event-types"] {
        let (status, answer) = client.request("GET", path, &Value::Null).await.unwrap();
        assert_eq!(status, 200, "{path}: {answer}");
    }
    for id in acknowledged {
        let (status, _) = client.request("GET", &format!("/api/v1/events/{id}"), &Value::Null).await.unwrap();
        assert_eq!(status, 200, "{id} was acknowledged");
    }
}

/// Publishing works again, and everything that was acknowledged arrives.
async fn goes_on(client: &Client, receiver: &Receiver, mut acknowledged: Vec<String>) {
    for _ in 0..3 {
        let (status, answer) = client.request("POST", "/api/v1/events", &event()).await.unwrap();
        assert_eq!(status, 202, "{answer}");
        acknowledged.push(answer["id"].as_str().unwrap().to_owned());
    }
    let mut received = Vec::new();
    for _ in 0..6_000 {
        received = receiver.received().iter().map(|it| it.header("webhook-id").unwrap().to_owned()).collect();
        if acknowledged.iter().all(|id| received.contains(id)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let lost: Vec<_> = acknowledged.iter().filter(|id| !received.contains(id)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    for id in &acknowledged {
        let path = format!("/api/v1/events/{id}");
        for _ in 0..1_000 {
            let (_, answer) = client.request("GET", &path, &Value::Null).await.unwrap();
            if answer["deliveries"][0]["state"] != "pending" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_said_and_survived() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        database_url: format!("sqlite:{}", folder.path().join("bellwire.db").display()),
        public_url: None,
        master_key_file: folder.path().join("bellwire.key"),
        allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
        retry_schedule: "0s,100ms,1s,1s,1s".parse().unwrap(),
        deactivate_after: Duration::from_hours(5 * 24),
        retention: Duration::from_hours(30 * 24),
        log: "off".to_owned(),
        log_format: LogFormat::Text,
        drain_delay: Duration::ZERO,
        extra_ca_file: None,
        database_listen_url: None,
    };
    let server = serve::start(config, Clock::System, Randomness::from_system()).await.unwrap();
    let (email, name) = (Email::parse("ann@example.com").unwrap(), Name::parse("Ann").unwrap());
    let password = Password::parse("a long enough password").unwrap();
    let made = setup::bootstrap(&server.app, Name::parse("Full").unwrap(), email, name, password).await.unwrap();
    let client = Client { address: server.address, key: made.api_key };
    let receiver = Receiver::start().await;
    let webhook = json!({"url": receiver.url(), "event_types": ["user.*"]});
    let (status, answer) = client.request("POST", "/api/v1/webhooks", &webhook).await.unwrap();
    assert_eq!(status, 201, "{answer}");

    leave_pages(&server.app.db, 100).await;
    let (acknowledged, refused) = fill(&client, 500).await;
    check_full(&client, &acknowledged, &refused).await;
    leave_pages(&server.app.db, 10_000).await;
    goes_on(&client, &receiver, acknowledged).await;
    server.stop().await;
}

fn bellwire(folder: &Path, address: std::net::SocketAddr, arguments: &[&str], before: &str) -> Command {
    // The mount belongs to the namespace, so it goes with the process.
    let script = format!("{before} cd data && exec \"$0\" \"$@\"");
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script, env!("CARGO_BIN_EXE_bellwire")])
        .args(arguments)
        .current_dir(folder)
        .env("BELLWIRE_LISTEN", address.to_string())
        .env("BELLWIRE_ALLOW_NETWORKS", "127.0.0.0/8")
        .env("BELLWIRE_RETRY_SCHEDULE", "0s,100ms,1s,1s,1s,1s,1s,1s,1s,1s,1s")
        .env("BELLWIRE_LOG", "error")
        .kill_on_drop(true);
    command
}

/// A file system of 8 MiB that is really full, and emptied again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "mounts a file system, which not every machine lets everybody do"]
async fn a_disk_that_is_really_full_is_said_and_survived() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // One namespace for both, so that both see the mount: the server is started by the script that made the workspace.
    // The password comes through the standard input, which what runs beside the script would not have.
    let prepare = "mount -t tmpfs -o size=8m none data && head -c 3000000 /dev/zero > data/ballast && \
        (cd data && \"$0\" bootstrap --workspace Full --owner-email a@example.com --owner-name Ann --password-stdin > ../made.json) \
        || exit 1; \
        (while ! test -e make-room; do sleep 0.1; done; rm data/ballast; touch made-room) > /dev/null 2>&1 &";
    let mut server = bellwire(folder.path(), address, &["serve"], prepare).stdin(Stdio::piped()).spawn().unwrap();
    server.stdin.take().unwrap().write_all(b"a long enough password\n").await.unwrap();
    let mut client = Client { address, key: String::new() };
    for _ in 0..3_000 {
        if client.request("GET", "/healthz", &Value::Null).await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let made: Value = serde_json::from_slice(&std::fs::read(folder.path().join("made.json")).unwrap()).unwrap();
    made["api_key"].as_str().unwrap().clone_into(&mut client.key);
    let receiver = Receiver::start().await;
    let webhook = json!({"url": receiver.url(), "event_types": ["user.*"]});
    let (status, answer) = client.request("POST", "/api/v1/webhooks", &webhook).await.unwrap();
    assert_eq!(status, 201, "{answer}");

    let (acknowledged, refused) = fill(&client, 2_000).await;
    println!("{} events fit, then {refused:?}", acknowledged.len());
    check_full(&client, &acknowledged, &refused).await;
    std::fs::write(folder.path().join("make-room"), "").unwrap();
    while !folder.path().join("made-room").exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    goes_on(&client, &receiver, acknowledged).await;
    server.kill().await.unwrap();
}
