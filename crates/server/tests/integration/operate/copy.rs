//! `bellwire copy`, there and back, and `bellwire doctor` before and after.

use serde_json::{Value, json};

use super::{Machine, number, signal};
use crate::support::{client::Client, postgres::fresh_database, receiver::Receiver};

/// What a workspace shows of itself.
async fn shown(client: &Client, webhook: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for path in
        ["webhooks", &format!("webhooks/{webhook}/secret"), "users", "api-keys", "roles", "license", "events?limit=200"]
    {
        let (status, mut value) = client.request("GET", &format!("/api/v1/{path}"), &Value::Null).await.unwrap();
        assert_eq!(status, 200, "{path}: {value}");
        // What changes by asking with a key, and by trying deliveries again.
        for row in value["data"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            for field in
                ["last_used_at", "health", "failing_since", "failing_attempts", "last_error", "will_turn_off_at"]
            {
                row.remove(field);
            }
        }
        all.push(value);
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_comes_over_and_back() {
    let machine = Machine::new().with("BELLWIRE_DRAIN_DELAY", "0s");
    let client = machine.bootstrap().await;
    let receiver = Receiver::start().await;
    receiver.answer(503);
    let mut server = machine.serve().await;
    let webhook = json!({"url": receiver.url(), "event_types": ["user.*"], "headers": {"x-token": "a secret"}});
    let (status, webhook) = client.request("POST", "/api/v1/webhooks", &webhook).await.unwrap();
    assert_eq!(status, 201, "{webhook}");
    let id = webhook["id"].as_str().unwrap().to_owned();
    // More than one step of the copy, with what is hard to carry.
    let event = |n: usize| json!({"type": "user.blocked", "data": {"n": n, "text": "it's \"quoted\" — 日本語 \\ \t"}});
    let batch = json!({"events": (0..600).map(event).collect::<Vec<_>>()});
    let (status, answer) = client.request("POST", "/api/v1/events/batch", &batch).await.unwrap();
    assert_eq!(status, 202, "{answer}");
    assert!(client.request("POST", "/api/v1/license/usage", &json!({"amount": 7})).await.unwrap().0.is_success());
    let before = shown(&client, &id).await;

    let served = machine.refused(&["copy", "--to", "sqlite:there.db"]).await;
    assert!(served.contains("another bellwire serves this database"), "{served}");
    signal(&server, "-TERM").await;
    server.wait().await.unwrap();

    let said = machine.run(&["copy", "--to", "sqlite:there.db"], "").await;
    assert!(said.success, "{}", said.stderr);
    assert!(said.stdout.contains("\n         600  deliveries\n"), "{}", said.stdout);
    assert!(said.stdout.contains("All rows were read back from the target and are the same."));
    assert!(said.stderr.contains("[########################################] 100 %"), "{}", said.stderr);
    let again = machine.refused(&["copy", "--to", "sqlite:there.db"]).await;
    assert!(again.contains("the target is not empty: its table "), "{again}");

    if let Some(database) = fresh_database().await {
        machine.done(&["copy", "--to", database.url()], "").await;
        let there = Machine::new().with("BELLWIRE_DATABASE_URL", database.url());
        std::fs::copy(machine.path("bellwire.key"), there.path("bellwire.key")).unwrap();
        let server = there.serve().await;
        assert_eq!(shown(&Client { address: there.address, ..client.clone() }, &id).await, before);
        let refused = there.refused(&["copy", "--to", "sqlite:back.db"]).await;
        assert!(refused.contains("bellwire is at work on this database"), "{refused}");
        signal(&server, "-KILL").await;
        let mut server = server;
        server.wait().await.unwrap();
        // The server of PostgreSQL notices a moment later that nobody is there any more.
        let mut back = there.run(&["copy", "--to", "sqlite:back.db"], "").await;
        for _ in 0..100 {
            if back.success {
                break;
            }
            assert!(back.stderr.contains("is at work on this database"), "{}", back.stderr);
            back = there.run(&["copy", "--to", "sqlite:back.db"], "").await;
        }
        assert!(back.success, "{}", back.stderr);
        let home = Machine::new().with("BELLWIRE_DATABASE_URL", format!("sqlite:{}", there.path("back.db").display()));
        std::fs::copy(machine.path("bellwire.key"), home.path("bellwire.key")).unwrap();
        let _server = home.serve().await;
        assert_eq!(shown(&Client { address: home.address, ..client.clone() }, &id).await, before);
    }
}

#[tokio::test]
async fn a_copy_that_fails_leaves_nothing() {
    let machine = Machine::new();
    machine.bootstrap().await;
    // A text that PostgreSQL can't hold, as nothing in the program would write it.
    let file = machine.path("bellwire.db");
    let spoil = "UPDATE workspaces SET name = 'a' || char(0) || 'b'";
    rusqlite::Connection::open(&file).unwrap().execute(spoil, []).unwrap();
    let Some(database) = fresh_database().await else { return };
    let said = machine.run(&["copy", "--to", database.url()], "").await;
    assert!(!said.success && said.stderr.contains("the setting --database-url"), "{}", said.stderr);
    rusqlite::Connection::open(&file).unwrap().execute("UPDATE workspaces SET name = 'Acme'", []).unwrap();
    machine.done(&["copy", "--to", database.url()], "").await; // which is still empty
    assert_eq!(number(&file, "SELECT COUNT(*) FROM workspaces"), 1);
}

#[tokio::test]
async fn a_doctor_says_what_to_do() {
    let machine = Machine::new();
    let none = machine.run(&["doctor"], "").await;
    assert!(!none.success && none.stdout.contains("WRONG  database: "), "{}", none.stdout);
    assert!(!machine.path("bellwire.db").exists(), "it changes nothing");
    machine.bootstrap().await;
    let fine = machine.run(&["doctor", "--deep"], "").await;
    assert!(fine.success, "{}{}", fine.stdout, fine.stderr);
    for line in [
        "ok     database: SQLite 3.",
        "ok     journal: write-ahead, synced at each commit",
        "ok     tables: up to date",
        "ok     master key: bellwire.key is this database's",
        "ok     integrity: every page was read and is whole",
        "ok     clock: ",
        "ok     leases: there are none",
    ] {
        assert!(fine.stdout.contains(line), "{line}\n{}", fine.stdout);
    }
    std::fs::rename(machine.path("bellwire.key"), machine.path("other.key")).unwrap();
    let lost = machine.run(&["doctor"], "").await;
    assert!(lost.stdout.contains("WRONG  master key: there is no master key file"), "{}", lost.stdout);
    assert_eq!(lost.stderr, "bellwire: one thing is wrong\n");

    let Some(database) = fresh_database().await else { return };
    let node = Machine::new().with("BELLWIRE_DATABASE_URL", database.url());
    let new = node.run(&["doctor"], "").await;
    assert!(new.success && new.stdout.contains("think  tables: they lack 0001_main"), "{}{}", new.stdout, new.stderr);
    let _server = node.serve().await;
    let fine = node.run(&["doctor"], "").await;
    assert!(fine.success, "{}{}", fine.stdout, fine.stderr);
    for line in
        ["ok     database: PostgreSQL ", "ok     durability: fsync is on", "this machine and the database differ by 0."]
    {
        assert!(fine.stdout.contains(line), "{line}\n{}", fine.stdout);
    }
}
