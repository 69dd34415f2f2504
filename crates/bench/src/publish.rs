//! The publisher: events over the API, one a request or in batches, as fast as it can or at a steady rate.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bellwire_core::catalogue::EventType;
use bytes::Bytes;
use clap::Args;
use serde_json::{Value, json};
use tokio::sync::{Mutex, mpsc::UnboundedReceiver};

use crate::{Failure, connection::Connection, pace};

/// Publishes events.
#[derive(Args)]
pub(crate) struct Publish {
    /// The server: 127.0.0.1:PORT
    #[arg(long)]
    to: String,
    /// An API key
    #[arg(long, env = "BENCH_API_KEY")]
    key: String,
    /// How many events
    #[arg(long)]
    count: u64,
    /// Over how many connections
    #[arg(long)]
    connections: usize,
    /// Events in a request; 1 uses the single route
    #[arg(long, default_value_t = 1)]
    batch: u64,
    /// Requests a second; as fast as possible when not given. Each event says when it should have been sent
    #[arg(long)]
    rate: Option<u64>,
    /// How many types of event take turns, a request each
    #[arg(long, default_value_t = 1)]
    types: usize,
}

/// The first `count` types of event that take turns.
pub(crate) fn types(count: usize) -> Vec<&'static str> {
    let first = EventType::all().filter(|it| it.is_delivered() && it.entry().actor_type.is_some());
    first.take(count).map(EventType::as_str).collect()
}

/// An event of ordinary size.
fn event(event_type: &str, sent_at: Option<u64>) -> Value {
    let mut data = json!({
        "object": {
            "id": "usr_01kat1b2c3d4e5f6g7h8j9k0mn", "email": "ann.lee@example.com", "name": "Ann Lee", "status": "blocked",
            "status_reason": "left the company", "roles": [{"id": "role_01kat1b2c3d4e5f6g7h8j9k0mn", "name": "Member"}], "groups": [],
            "joined_at": "2026-11-23T09:00:00.000000Z", "updated_at": "2026-11-23T09:00:00.000000Z"
        },
        "previous": {"status": "active"},
        "reason": "left the company"
    });
    if let Some(sent_at) = sent_at {
        data["sent_at"] = sent_at.into();
    }
    json!({"type": event_type, "data": data})
}

/// What a receiver gets of such an event.
pub(crate) fn delivered_body(sent_at: Option<u64>) -> String {
    let data = event("user.blocked", sent_at)["data"].to_string();
    format!(
        r#"{{"id":"evt_01kat1b2c3d4e5f6g7h8j9k0mn","type":"user.blocked","timestamp":"2026-11-23T09:00:00.000000Z","workspace_id":"ws_01kat1b2c3d4e5f6g7h8j9k0mn","sequence":1042,"actor":{{"type":"api_key","id":"key_01kat1b2c3d4e5f6g7h8j9k0mn","name":"Automation"}},"data":{data}}}"#
    )
}

impl Publish {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let publish = Arc::new(self);
        let taken = Arc::new(AtomicU64::new(0));
        let requests = publish.count.div_ceil(publish.batch);
        let ticks = publish.rate.map(|rate| Arc::new(Mutex::new(pace::ticks(requests, rate))));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..publish.connections {
            tasks.spawn(Arc::clone(&publish).client(Arc::clone(&taken), ticks.clone()));
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        crate::process::print_own_cpu()
    }

    async fn client(
        self: Arc<Self>,
        taken: Arc<AtomicU64>,
        ticks: Option<Arc<Mutex<UnboundedReceiver<u64>>>>,
    ) -> Result<(), Failure> {
        let bearer = format!("Bearer {}", self.key);
        let types = types(self.types);
        let body = |event_type: &str, due: Option<u64>| {
            Bytes::from(if self.batch > 1 {
                let events: Vec<Value> = (0..self.batch).map(|_| event(event_type, due)).collect();
                json!({"events": events}).to_string()
            } else {
                event(event_type, due).to_string()
            })
        };
        let made: Vec<Bytes> = types.iter().map(|event_type| body(event_type, None)).collect();
        let path = if self.batch > 1 { "/api/v1/events/batch" } else { "/api/v1/events" };
        let mut connection = Connection::open(&self.to).await?;
        loop {
            // The time when it should be sent, not when it is: a slow server can't hide behind a waiting client.
            let due = match &ticks {
                None => None,
                Some(ticks) => match ticks.lock().await.recv().await {
                    Some(due) => Some(due),
                    None => return Ok(()),
                },
            };
            let number = taken.fetch_add(self.batch, Ordering::Relaxed);
            if number >= self.count {
                return Ok(());
            }
            let turn = usize::try_from(number / self.batch)? % types.len();
            let body = if due.is_some() { body(types[turn], due) } else { made[turn].clone() };
            let (status, answer) = connection.exchange("POST", path, &[("authorization", &bearer)], body).await?;
            if !status.is_success() {
                return Err(format!("the server answered {status}: {}", String::from_utf8_lossy(&answer)).into());
            }
        }
    }
}
