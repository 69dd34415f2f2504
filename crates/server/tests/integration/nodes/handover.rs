//! Nodes that come, go and change things for each other.

use serde_json::{Value, json};
use tokio_postgres::{NoTls, error::SqlState};

use super::{Cluster, NODES};
use crate::support::{
    client::Client,
    machine::{signal, until},
    postgres::fresh_database,
    receiver::Receiver,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_gives_back_when_it_is_stopped_is_sent_by_the_others() {
    const EVENTS: usize = 10;
    let Some(database) = fresh_database().await else { return };
    let mut cluster = Cluster::start(database.url()).await;
    let held = cluster.hold(2);
    cluster.publish(0, EVENTS).await;
    until("it sends", async || !cluster.ledger.arrivals().is_empty()).await;
    let mut server = cluster.nodes[0].server.take().unwrap();
    signal(&server, "-TERM").await;
    // It still waits for the answers that are held; the others have sent the rest.
    until("the others send the rest", async || cluster.ledger.arrivals().len() == EVENTS).await;
    drop(held);
    assert!(server.wait().await.unwrap().success());
    until("everything is delivered", async || {
        cluster.list("SELECT id FROM deliveries WHERE state = 'delivered'", &[]).await.len() == EVENTS
    })
    .await;
    // An answer that was held for too long is another attempt.
    let arrivals = cluster.ledger.arrivals();
    assert!(arrivals.values().filter(|count| **count > 1).count() <= 2, "{arrivals:?}");
    cluster.know_each_other().await;
    let said = cluster.nodes[1].machine.done(&["doctor"], "").await;
    assert!(said.contains("nodes: 2 at work"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_changed_on_one_node_holds_on_all() {
    let Some(database) = fresh_database().await else { return };
    let cluster = Cluster::start(database.url()).await;
    let [a, b, c] = [0, 1, 2].map(|node| &cluster.nodes[node].client);
    cluster.ledger.watch(&cluster.receiver);
    let event = json!({"type": "user.blocked", "data": {}});
    for node in [a, b, c] {
        assert_eq!(node.request("POST", "/api/v1/events", &event).await.unwrap().0, 202);
    }
    cluster.receiver.wait_for(NODES).await;
    let webhooks = a.request("GET", "/api/v1/webhooks", &Value::Null).await.unwrap().1;
    let webhook = webhooks["data"][0]["id"].as_str().unwrap();

    // Every node has a lane that knows the receiver; each hears where it is now, or sees it in the transaction.
    let moved = Receiver::start().await;
    let path = format!("/api/v1/webhooks/{webhook}");
    assert_eq!(b.request("PATCH", &path, &json!({"url": moved.url()})).await.unwrap().0, 200);
    for node in [a, b, c] {
        until("it sends there", async || {
            let before = moved.received().len();
            assert_eq!(node.request("POST", "/api/v1/events", &event).await.unwrap().0, 202);
            let delivered = "SELECT id FROM deliveries WHERE state = 'pending'";
            until("it is delivered", async || cluster.list(delivered, &[]).await.is_empty()).await;
            moved.received().len() > before
        })
        .await;
    }
    let before = moved.received().len();
    assert_eq!(c.request("POST", &format!("{path}/deactivate"), &json!({})).await.unwrap().0, 200);
    for node in [a, b, c] {
        assert_eq!(node.request("POST", "/api/v1/events", &event).await.unwrap().0, 202);
    }
    assert_eq!(cluster.list("SELECT id FROM deliveries WHERE state = 'pending'", &[]).await.len(), NODES, "held");
    assert_eq!(moved.received().len(), before);

    // A key that every node remembers is blocked on one: the next transaction of each refuses it.
    let roles = a.request("GET", "/api/v1/roles", &Value::Null).await.unwrap().1;
    let admin = roles["data"].as_array().unwrap().iter().find(|role| role["name"] == "Admin").unwrap();
    let new = json!({"name": "Another", "role_ids": [admin["id"]]});
    let (status, made) = a.request("POST", "/api/v1/api-keys", &new).await.unwrap();
    assert_eq!(status, 201, "{made}");
    let key = made["secret"].as_str().unwrap().to_owned();
    let others = [a, b, c].map(|node| Client { key: key.clone(), ..node.clone() });
    for node in &others {
        assert_eq!(node.request("POST", "/api/v1/events", &event).await.unwrap().0, 202);
    }
    let path = format!("/api/v1/api-keys/{}/block", made["id"].as_str().unwrap());
    let (status, answer) = b.request("POST", &path, &json!({"reason": "leaked"})).await.unwrap();
    assert_eq!(status, 200, "{answer}");
    for node in &others {
        assert_eq!(node.request("POST", "/api/v1/events", &event).await.unwrap().0, 401);
    }
}

/// A release that only adds to the tables brings them up to date while nodes of the one before are at work; those work on, and
/// are not started any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_work_on_while_a_newer_version_brings_the_tables_up_to_date() {
    let Some(database) = fresh_database().await else { return };
    let mut cluster = Cluster::start(database.url()).await;
    let publishers = cluster.publishers();
    cluster.ledger.grow(20).await;
    let (client, connection) = tokio_postgres::connect(database.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    let newer = "BEGIN; ALTER TABLE webhooks ADD COLUMN later TEXT; ALTER TABLE deliveries ADD COLUMN later BIGINT NOT NULL DEFAULT 0; \
                 ALTER TABLE events ADD COLUMN later TEXT; ALTER TABLE attempts ADD COLUMN later TEXT; CREATE TABLE newer (id TEXT PRIMARY KEY); \
                 INSERT INTO migrations (name) VALUES ('9999_newer'); COMMIT";
    // As `db::migrate` does it: a migration and the nodes at work may meet halfway, and PostgreSQL ends one of the two.
    let mut begun = 1;
    while let Err(error) = client.batch_execute(newer).await {
        assert!(error.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED) && begun < 10, "{error}");
        client.batch_execute("ROLLBACK").await.unwrap();
        begun += 1;
    }
    cluster.ledger.grow(20).await;
    cluster.nodes[2].kill().await;
    let said = cluster.nodes[2].machine.refused(&["serve"]).await;
    assert!(said.contains("made by a newer version of bellwire (it has the migration 9999_newer)"), "{said}");
    // What it had is taken over when its leases end: this test waits for none.
    cluster.excuse(2).await;
    let id = cluster.id_of(2).await;
    let sql = "UPDATE deliveries SET due_at = 0 WHERE state = 'pending' AND leased_by = $1";
    client.execute(sql, &[&id]).await.unwrap();
    cluster.ledger.grow(20).await;
    cluster.settle(publishers, "a newer version brought the tables up to date").await;
}
