//! The client of the scenario `usage`: reports use over several connections, as fast as it can.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use clap::Args;
use serde_json::json;

use crate::{Failure, connection::Connection, process, receiver::micros_now};

/// Reports use.
#[derive(Args)]
pub(crate) struct Report {
    /// The server: 127.0.0.1:PORT
    #[arg(long)]
    to: String,
    /// An API key
    #[arg(long, env = "BENCH_API_KEY")]
    key: String,
    /// How many reports
    #[arg(long)]
    count: u64,
    /// Over how many connections
    #[arg(long)]
    connections: usize,
    /// Gives each report an idempotency key
    #[arg(long)]
    keys: bool,
}

impl Report {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let report = Arc::new(self);
        let taken = Arc::new(AtomicU64::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..report.connections {
            tasks.spawn(Arc::clone(&report).client(Arc::clone(&taken)));
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        process::print_own_cpu()
    }

    async fn client(self: Arc<Self>, taken: Arc<AtomicU64>) -> Result<(), Failure> {
        let bearer = format!("Bearer {}", self.key);
        let run = micros_now();
        let body = Bytes::from(json!({"amount": 1}).to_string());
        let mut connection = Connection::open(&self.to).await?;
        loop {
            let number = taken.fetch_add(1, Ordering::Relaxed);
            if number >= self.count {
                return Ok(());
            }
            let key = format!("report-{run}-{number}");
            let headers = [("authorization", bearer.as_str()), ("idempotency-key", key.as_str())];
            let headers = if self.keys { &headers[..] } else { &headers[..1] };
            let (status, answer) = connection.exchange("POST", "/api/v1/license/usage", headers, body.clone()).await?;
            if !status.is_success() {
                return Err(format!("the server answered {status}: {}", String::from_utf8_lossy(&answer)).into());
            }
        }
    }
}
