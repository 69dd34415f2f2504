//! The publisher: events over the API, one a request or in batches, as fast as it can or at a steady rate.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use clap::Args;
use serde_json::{Value, json};

use crate::{Failure, connection::Connection, receiver::micros_now};

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
    /// Events a second; as fast as possible when not given. Each says when it should have been sent
    #[arg(long)]
    rate: Option<u64>,
}

/// An event of ordinary size.
fn event(sent_at: Option<u64>) -> Value {
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
    json!({"type": "user.blocked", "data": data})
}

/// What a receiver gets of such an event.
pub(crate) fn delivered_body() -> String {
    let data = event(None)["data"].to_string();
    format!(
        r#"{{"id":"evt_01kat1b2c3d4e5f6g7h8j9k0mn","type":"user.blocked","timestamp":"2026-11-23T09:00:00.000000Z","workspace_id":"ws_01kat1b2c3d4e5f6g7h8j9k0mn","sequence":1042,"actor":{{"type":"api_key","id":"key_01kat1b2c3d4e5f6g7h8j9k0mn","name":"Automation"}},"data":{data}}}"#
    )
}

impl Publish {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let publish = Arc::new(self);
        let taken = Arc::new(AtomicU64::new(0));
        let start = micros_now();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..publish.connections {
            tasks.spawn(Arc::clone(&publish).client(Arc::clone(&taken), start));
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        crate::process::print_own_cpu()
    }

    async fn client(self: Arc<Self>, taken: Arc<AtomicU64>, start: u64) -> Result<(), Failure> {
        let bearer = format!("Bearer {}", self.key);
        let fixed = Bytes::from(if self.batch > 1 {
            json!({"events": vec![event(None); usize::try_from(self.batch)?]}).to_string()
        } else {
            event(None).to_string()
        });
        let path = if self.batch > 1 { "/api/v1/events/batch" } else { "/api/v1/events" };
        let mut connection = Connection::open(&self.to).await?;
        loop {
            let number = taken.fetch_add(self.batch, Ordering::Relaxed);
            if number >= self.count {
                return Ok(());
            }
            let body = match self.rate {
                None => fixed.clone(),
                Some(rate) => {
                    // The time when it should be sent, not when it is: a slow server can't hide behind a waiting client.
                    let due = start + number * 1_000_000 / rate;
                    tokio::time::sleep(Duration::from_micros(due.saturating_sub(micros_now()))).await;
                    Bytes::from(event(Some(micros_now().min(due.max(start)))).to_string())
                }
            };
            let (status, answer) = connection.exchange("POST", path, &[("authorization", &bearer)], body).await?;
            if !status.is_success() {
                return Err(format!("the server answered {status}: {}", String::from_utf8_lossy(&answer)).into());
            }
        }
    }
}
