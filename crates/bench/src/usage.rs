//! Reports of use: how many a second the server takes over HTTP, each durable before it is answered.
//!
//! Nothing is delivered, and only crossing a threshold is an event: this is the way of a report alone. At the end the license
//! must have used exactly what was reported.

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

use crate::{
    Failure,
    connection::Connection,
    process::{self, Server},
    receiver::micros_now,
};

/// Reports use, and prints how many reports a second the server takes
#[derive(Args)]
pub(crate) struct Usage {
    /// How many reports
    #[arg(long, default_value_t = 100_000)]
    count: u64,
    /// Over how many connections
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Gives each report an idempotency key
    #[arg(long)]
    keys: bool,
    /// An empty PostgreSQL database to measure instead of SQLite
    #[arg(long)]
    database_url: Option<String>,
}

/// Reports of the warm-up: connections, caches, the allocator.
const WARM_UP: u64 = 2_000;

impl Usage {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let folder = std::env::temp_dir().join(format!("bellwire-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let measured = self.measure(&folder).await;
        std::fs::remove_dir_all(&folder)?;
        measured
    }

    async fn measure(&self, folder: &std::path::Path) -> Result<(), Failure> {
        let server = Server::start(folder, self.database_url.as_deref()).await?;
        self.report(&server, WARM_UP).await?;
        let (pid, start) = (server.pid()?, micros_now());
        let cpu = process::cpu(&pid)?;
        let own = self.report(&server, self.count).await?;
        let seconds = Duration::from_micros(micros_now() - start).as_secs_f64();
        let cpu = process::cpu(&pid)?.saturating_sub(cpu);
        let license = server.request("GET", "/api/v1/license", Value::Null).await?;
        let expected = WARM_UP + self.count;
        if license["used"].as_u64() != Some(expected) {
            return Err(format!("{expected} were reported, and the license says {}", license["used"]).into());
        }
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let count = self.count as f64;
        let engine = if self.database_url.is_some() { "postgres" } else { "sqlite" };
        let keys = if self.keys { "with keys" } else { "without keys" };
        println!(
            "| {engine}, {} connections, {keys} | reports/s | server CPU µs each | client CPU µs each |",
            self.connections
        );
        println!("|---|--:|--:|--:|");
        println!(
            "| {} reports, each durable | {:.0} | {:.1} | {:.1} |",
            self.count,
            count / seconds,
            cpu.as_secs_f64() * 1e6 / count,
            own.as_secs_f64() * 1e6 / count
        );
        Ok(())
    }

    /// Lets a client report; returns the CPU that it used.
    async fn report(&self, server: &Server, count: u64) -> Result<Duration, Failure> {
        let (count, connections) = (count.to_string(), self.connections.to_string());
        let mut arguments = vec!["report", "--to", &server.authority, "--count", &count, "--connections", &connections];
        if self.keys {
            arguments.push("--keys");
        }
        process::child(&arguments, &server.key).await
    }
}

/// The client.
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
