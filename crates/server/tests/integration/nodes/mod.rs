//! Three nodes on one PostgreSQL, each a process of its own: whatever happens to them, nothing that was acknowledged is lost, and
//! nothing arrives twice but what was under way.
//!
//! Publishers go from node to node and repeat what was not answered, with the same idempotency key; a receiver counts what arrives.
//! In the end every acknowledged event has arrived, and there is one event for each key.
//!
//! `BELLWIRE_TEST_ROUNDS=100 cargo test -p bellwire --test integration nodes:: -- --nocapture` plays more rounds.

mod cuts;
mod handover;
mod kills;
mod restarts;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use serde_json::json;
use tokio::{process::Child, task::JoinSet};
use tokio_postgres::NoTls;
use url::Url;

use crate::support::{
    client::Client,
    ledger::Ledger,
    machine::{Machine, until},
    proxy::Proxy,
    receiver::{Answer, Receiver},
};

const NODES: usize = 3;
const PUBLISHERS: usize = 4;

/// Rounds of a test: a few, or as many as `BELLWIRE_TEST_ROUNDS` says.
fn rounds(few: usize) -> usize {
    std::env::var("BELLWIRE_TEST_ROUNDS").map_or(few, |rounds| rounds.parse().unwrap())
}

/// A node, and its way to the database.
struct Node {
    machine: Machine,
    client: Client,
    server: Option<Child>,
    line: Proxy,
    /// By which the database knows its connections.
    name: String,
}

impl Node {
    async fn start(&mut self) {
        self.server = Some(self.machine.serve().await);
    }

    /// SIGKILL.
    async fn kill(&mut self) {
        self.server.take().unwrap().kill().await.unwrap();
    }

    /// What `/metrics` says.
    async fn metric(&self, name: &str) -> i64 {
        let text = self.client.text("/metrics").await;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
        line.parse().unwrap()
    }
}

/// Answers that are held back until this is dropped.
#[derive(Default)]
struct Held(Arc<(Mutex<bool>, Condvar)>);

impl Drop for Held {
    fn drop(&mut self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

/// Three nodes, who publishes, and who receives.
struct Cluster {
    nodes: Vec<Node>,
    database_url: String,
    receiver: Receiver,
    ledger: Arc<Ledger>,
    /// How many acknowledged events are known to be in the database.
    examined: usize,
    /// How often an event may arrive again: it was under way when something happened.
    excused: BTreeMap<String, usize>,
}

impl Cluster {
    /// On an empty database. The receiver's webhook wants what publishers publish.
    async fn start(database_url: &str) -> Self {
        let url = Url::parse(database_url).unwrap();
        let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5_432)).parse().unwrap();
        let first = Machine::new();
        let key_file = first.path("bellwire.key").display().to_string();
        let mut machines = vec![first];
        machines.resize_with(NODES, Machine::new);
        let (mut nodes, mut key) = (Vec::new(), None);
        for (number, machine) in machines.into_iter().enumerate() {
            let (line, name) = (Proxy::to(server).await, format!("node {number}"));
            let mut url = url.clone();
            url.set_port(Some(line.address.port())).unwrap();
            url.query_pairs_mut().append_pair("application_name", &name);
            let machine = machine
                .with("BELLWIRE_DATABASE_URL", url)
                .with("BELLWIRE_MASTER_KEY_FILE", &key_file)
                .with("BELLWIRE_DRAIN_DELAY", "0s")
                .with("BELLWIRE_LOG", "error")
                .with("BELLWIRE_RETRY_SCHEDULE", "0s,100ms,100ms,100ms,1s,1s,1s,1s,1s,1s,1s,1s");
            if key.is_none() {
                key = Some(machine.bootstrap().await.key);
            }
            let client = Client { address: machine.address, key: key.clone().unwrap() };
            nodes.push(Node { machine, client, server: None, line, name });
        }
        for node in &mut nodes {
            node.start().await;
        }
        let receiver = Receiver::start().await;
        let webhook = json!({"url": receiver.url(), "event_types": ["user.*"]});
        let (status, answer) = nodes[0].client.request("POST", "/api/v1/webhooks", &webhook).await.unwrap();
        assert_eq!(status, 201, "{answer}");
        let database_url = database_url.to_owned();
        let cluster =
            Self { nodes, database_url, receiver, ledger: Arc::default(), examined: 0, excused: BTreeMap::new() };
        cluster.know_each_other().await;
        cluster
    }

    /// Waits until each node knows of all others that live.
    async fn know_each_other(&self) {
        let living: Vec<&Node> = self.nodes.iter().filter(|node| node.server.is_some()).collect();
        for node in &living {
            let count = i64::try_from(living.len()).unwrap();
            until("the nodes know each other", async || {
                node.metric("bellwire_nodes").await == count && node.metric("bellwire_nodes_heard").await == 1
            })
            .await;
        }
    }

    /// From now on the receiver holds its first `count` answers, until what is returned is dropped, or as long as a node would wait
    /// for them.
    fn hold(&self, count: usize) -> Held {
        let (held, ledger, waiting) = (Held::default(), Arc::clone(&self.ledger), AtomicUsize::new(0));
        let gate = Arc::clone(&held.0);
        self.receiver.answer_with(move |request| {
            ledger.arrived(request.header("webhook-id").unwrap());
            if waiting.fetch_add(1, SeqCst) < count {
                tokio::task::block_in_place(|| {
                    let shut = gate.0.lock().unwrap();
                    drop(gate.1.wait_timeout_while(shut, Duration::from_secs(16), |open| !*open).unwrap());
                });
            }
            Answer::status(204)
        });
        held
    }

    fn publishers(&self) -> JoinSet<()> {
        self.ledger.watch(&self.receiver);
        let clients: Vec<Client> = self.nodes.iter().map(|node| node.client.clone()).collect();
        self.ledger.publishers(PUBLISHERS, &clients)
    }

    /// Publishes events at one node, with nobody else at work. Returns their ids.
    async fn publish(&self, node: usize, count: usize) -> BTreeSet<String> {
        let mut published = BTreeSet::new();
        for number in 0..count {
            let event = json!({"type": "user.blocked", "data": {"number": number}});
            let (status, answer) = self.nodes[node].client.request("POST", "/api/v1/events", &event).await.unwrap();
            assert_eq!(status, 202, "{answer}");
            published.insert(answer["id"].as_str().unwrap().to_owned());
        }
        published
    }

    /// The one column of a query, as text.
    async fn list(&self, sql: &str, values: &[&(dyn tokio_postgres::types::ToSql + Sync)]) -> Vec<String> {
        let (client, connection) = tokio_postgres::connect(&self.database_url, NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        let rows = client.query(sql, values).await.unwrap();
        drop(client);
        let _ = connection.await; // it has nothing more to say
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// The id of the node that serves there, or was the last to serve there.
    async fn id_of(&self, node: usize) -> String {
        let sql = "SELECT id FROM nodes WHERE place LIKE '%' || $1 ORDER BY started_at DESC LIMIT 1";
        let address = format!(" {}", self.nodes[node].client.address);
        self.list(sql, &[&address]).await.remove(0)
    }

    /// What a node has in memory may arrive again.
    async fn excuse(&mut self, node: usize) {
        let id = self.id_of(node).await;
        let sql = "SELECT event_id FROM deliveries WHERE state = 'pending' AND leased_by = $1";
        for event in self.list(sql, &[&id]).await {
            *self.excused.entry(event).or_default() += 1;
        }
    }

    /// Whatever was acknowledged is in the database.
    async fn examine(&mut self, when: &str) {
        let acknowledged = self.ledger.acknowledged(self.examined);
        let sql =
            "SELECT a.id FROM UNNEST($1::text[]) AS a (id) WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.id = a.id)";
        let missing = self.list(sql, &[&acknowledged]).await;
        assert!(missing.is_empty(), "{when}: acknowledged, and not in the database: {missing:?}");
        self.examined += acknowledged.len();
    }

    /// Ends publishing and waits until everything has arrived; then everything must be right.
    async fn settle(&mut self, mut publishers: JoinSet<()>, what: &str) {
        self.ledger.end();
        while let Some(ended) = publishers.join_next().await {
            ended.unwrap();
        }
        for _ in 0..12_000 {
            if self.ledger.missing().is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let (missing, acknowledged) = (self.ledger.missing(), self.ledger.acknowledged(0));
        assert!(missing.is_empty(), "{} of {} acknowledged were lost: {missing:?}", missing.len(), acknowledged.len());
        self.examine("in the end").await;
        // Nothing is under way any more.
        let pending = "SELECT id FROM deliveries WHERE state = 'pending'";
        until("all is written", async || self.list(pending, &[]).await.is_empty()).await;
        let arrivals = self.ledger.arrivals();
        let allowed = |id: &String| 1 + self.excused.get(id).copied().unwrap_or(0);
        let unexcused: Vec<_> = arrivals.iter().filter(|(id, count)| **count > allowed(id)).collect();
        assert!(unexcused.is_empty(), "arrived again, and were not under way: {unexcused:?}");
        let events = self.list("SELECT id FROM events WHERE type = 'user.blocked'", &[]).await;
        assert_eq!(events.len(), acknowledged.len(), "one event for each key, however often it was published");
        let gaps = "SELECT workspace_id FROM events GROUP BY workspace_id HAVING COUNT(*) <> MAX(sequence)";
        assert!(self.list(gaps, &[]).await.is_empty(), "the numbers of the events have a gap");
        println!(
            "{what}: {} acknowledged, 0 lost; {} publishes were repeated, none happened twice; {} were under way, {} of them arrived again",
            acknowledged.len(),
            self.ledger.repeated(),
            self.excused.len(),
            arrivals.values().filter(|count| **count > 1).count()
        );
    }
}
