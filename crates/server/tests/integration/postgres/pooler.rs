//! Behind a real pgbouncer in transaction mode, which gives each transaction whichever of its few connections is free.

use std::{path::Path, process::Stdio, time::Duration};

use bellwire::{
    cli::serve,
    clock::{Clock, Randomness},
    config::Config,
    db::{Db, DbError},
    ops::setup,
    password::Password,
};
use bellwire_core::text::{Email, Name};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Child;

use super::settings;
use crate::support::{
    client::Client,
    machine::until,
    postgres::{FreshDatabase, free_port, fresh_database, give, unprivileged, unprivileged_folder},
    receiver::Receiver,
};

const PUBLISHES: usize = 200;

/// A pgbouncer with two connections to a database.
struct Pooler {
    _process: Child,
    _folder: TempDir,
    url: String,
}

impl Pooler {
    async fn start(database: &FreshDatabase) -> Self {
        let folder = unprivileged_folder();
        let server = url::Url::parse(database.url()).unwrap();
        let (host, port, name) =
            (server.host_str().unwrap(), server.port().unwrap(), server.path().trim_start_matches('/'));
        let (user, listen) = (server.username(), free_port());
        let settings = format!(
            "[databases]\n{name} = host={host} port={port} dbname={name} user={user}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {listen}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 2\n\
             max_client_conn = 100\n"
        );
        let file = folder.path().join("pgbouncer.ini");
        give(&file, &settings);
        let mut command = unprivileged(Path::new("/usr/sbin/pgbouncer"), folder.path());
        let process =
            command.arg("-q").arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn();
        let process = process.expect("pgbouncer is installed (scripts/test does it)");
        for _ in 0..600 {
            if tokio::net::TcpStream::connect(("127.0.0.1", listen)).await.is_ok() {
                let url = format!("postgres://{user}@127.0.0.1:{listen}/{name}");
                return Self { _process: process, _folder: folder, url };
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("pgbouncer did not start");
    }
}

/// Tables are made, events are published by many at once and delivered, pages of lists are read: all through two connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_in_transaction_mode_will_do() {
    let Some(database) = fresh_database().await else { return };
    let pooler = Pooler::start(&database).await;
    let folder = tempfile::tempdir().unwrap();
    let pooled = format!("{}?prepared_statements=false", pooler.url);
    let config = Config { database_listen_url: Some(database.url().to_owned()), ..settings(&pooled, folder.path()) };
    let server = serve::start(config, Clock::System, Randomness::from_system()).await.unwrap();
    let (email, name) = (Email::parse("ann@example.com").unwrap(), Name::parse("Ann").unwrap());
    let password = Password::parse("a long enough password").unwrap();
    let made = setup::bootstrap(&server.app, Name::parse("Pooled").unwrap(), email, name, password).await.unwrap();
    let client = Client { address: server.address, key: made.api_key };
    let receiver = Receiver::start().await;
    let webhook = json!({"url": receiver.url(), "event_types": ["user.*"]});
    let (status, webhook) = client.request("POST", "/api/v1/webhooks", &webhook).await.unwrap();
    assert_eq!(status, 201, "{webhook}");

    let mut publishers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let client = client.clone();
        publishers.spawn(async move {
            let event = json!({"type": "user.blocked", "data": {"reason": "pooled"}});
            for _ in 0..PUBLISHES / 8 {
                let (status, answer) = client.request("POST", "/api/v1/events", &event).await.unwrap();
                assert_eq!(status, 202, "{answer}");
            }
        });
    }
    publishers.join_all().await;
    receiver.wait_for(PUBLISHES).await;
    for path in ["/api/v1/events", "/api/v1/webhooks", "/api/v1/users", "/api/v1/roles", "/api/v1/license", "/metrics"]
    {
        let (status, answer) = client.request("GET", path, &serde_json::Value::Null).await.unwrap();
        assert_eq!(status, 200, "{path}: {answer}");
    }
    let path = format!("/api/v1/webhooks/{}/deliveries", webhook["id"].as_str().unwrap());
    let (status, answer) = client.request("GET", &path, &serde_json::Value::Null).await.unwrap();
    assert_eq!((status.as_u16(), answer["data"].as_array().unwrap().len()), (200, 50), "{answer}");
    // It hears itself, as it would hear others: through the other URL.
    until("a notice", async || client.text("/metrics").await.contains("bellwire_nodes_heard 1")).await;
    server.stop().await;
}

/// Whoever forgets the parameter is told so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prepared_statements_behind_a_pooler_are_said_to_be_the_fault() {
    let Some(database) = fresh_database().await else { return };
    let pooler = Pooler::start(&database).await;
    let (one, other) = (Db::connect(&pooler.url).await.unwrap(), Db::connect(&pooler.url).await.unwrap());
    let ask = async |db: &Db| -> Result<(), DbError> {
        db.read(|conn| Box::pin(async move { conn.query("SELECT 1 AS one", &[]).await.map(drop) })).await
    };
    ask(&one).await.unwrap();
    let again = one.clone();
    // The server's connection that knows the statement is taken by a transaction, so it comes to the other one.
    let said = other.write(move |conn| {
        Box::pin(async move {
            conn.query("SELECT 2 AS two", &[]).await?;
            again.read(|conn| Box::pin(async move { conn.query("SELECT 1 AS one", &[]).await.map(drop) })).await
        })
    });
    let said = said.await.unwrap_err().to_string();
    assert!(said.contains("prepared_statements=false"), "{said}");
}
