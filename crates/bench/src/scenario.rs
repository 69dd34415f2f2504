//! The scenarios, each beside the bare limit.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use serde_json::{Value, json};

use crate::{
    Failure,
    process::{self, Server},
    receiver::{Receiver, micros_now},
    report::{Latency, Report, Throughput},
};

/// Connections of the bare client and of the single publisher.
const CONNECTIONS: usize = 64;

/// Runs the scenarios and prints a table.
#[derive(Args)]
pub(crate) struct Run {
    /// Events of each throughput scenario
    #[arg(long, default_value_t = 50_000)]
    count: u64,
    /// Events of the latency scenario, at 100 a second
    #[arg(long, default_value_t = 1_000)]
    latency_count: u64,
    /// An empty PostgreSQL database to measure instead of SQLite
    #[arg(long)]
    database_url: Option<String>,
    /// Where to write the figures as JSON
    #[arg(long)]
    json: Option<PathBuf>,
}

impl Run {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let receiver = Receiver::start().await?;
        let bare = self.bare(&receiver).await?;
        let folder = std::env::temp_dir().join(format!("bellwire-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let report = self.server(&folder, &receiver, bare).await;
        std::fs::remove_dir_all(&folder)?;
        let report = report?;
        report.print();
        if let Some(path) = &self.json {
            std::fs::write(path, serde_json::to_vec_pretty(&report)?)?;
        }
        Ok(())
    }

    async fn bare(&self, receiver: &Receiver) -> Result<Throughput, Failure> {
        let before = receiver.count();
        let start = micros_now();
        let (count, connections) = (self.count.to_string(), CONNECTIONS.to_string());
        let authority = receiver.authority();
        let cpu =
            process::child(&["bare", "--to", &authority, "--count", &count, "--connections", &connections], "").await?;
        receiver.wait_for(before + self.count).await?;
        Ok(Throughput::new("bare client", self.count, micros_now() - start, cpu))
    }

    async fn server(&self, folder: &std::path::Path, receiver: &Receiver, bare: Throughput) -> Result<Report, Failure> {
        let server = Server::start(folder, self.database_url.as_deref()).await?;
        let idle_memory = process::resident(&server.pid()?)?;
        let webhook = json!({"url": format!("http://{}/hook", receiver.authority()), "event_types": ["*"]});
        let webhook = server.request("POST", "/api/v1/webhooks", webhook).await?;
        let id = webhook["id"].as_str().ok_or("no webhook id")?;
        // Warm: connections, caches, the allocator.
        self.publish(&server, receiver, id, "warm-up", 2_000, 100, None).await?;
        let batch = self.publish(&server, receiver, id, "batch of 100", self.count, 100, None).await?;
        let single = self.publish(&server, receiver, id, "one event a request", self.count, 1, None).await?;
        receiver.take_latencies();
        self.publish(&server, receiver, id, "100 a second", self.latency_count, 1, Some(100)).await?;
        let latency = Latency::of(&receiver.take_latencies());
        let busy_memory = process::resident(&server.pid()?)?;
        let engine = if self.database_url.is_some() { "postgres" } else { "sqlite" };
        Ok(Report { engine, bare, scenarios: vec![batch, single], latency, idle_memory, busy_memory })
    }

    #[expect(clippy::too_many_arguments, reason = "one call a scenario reads best with all of it in sight")]
    async fn publish(
        &self,
        server: &Server,
        receiver: &Receiver,
        webhook: &str,
        name: &'static str,
        count: u64,
        batch: u64,
        rate: Option<u64>,
    ) -> Result<Throughput, Failure> {
        let before = receiver.count();
        let (pid, start) = (server.pid()?, micros_now());
        let cpu = process::cpu(&pid)?;
        let (count_text, batch_text) = (count.to_string(), batch.to_string());
        let connections = if batch > 1 { 4 } else { CONNECTIONS }.to_string();
        let mut arguments = vec![
            "publish",
            "--to",
            &server.authority,
            "--count",
            &count_text,
            "--batch",
            &batch_text,
            "--connections",
            &connections,
        ];
        let rate = rate.map(|rate| rate.to_string());
        if let Some(rate) = &rate {
            arguments.extend(["--rate", rate]);
        }
        process::child(&arguments, &server.key).await?;
        receiver.wait_for(before + count).await?;
        // Delivered is not enough: it counts when it is recorded.
        let pending = format!("/api/v1/webhooks/{webhook}/deliveries?state=pending&limit=1");
        while server.request("GET", &pending, Value::Null).await?["data"]
            .as_array()
            .is_some_and(|data| !data.is_empty())
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(Throughput::new(name, count, micros_now() - start, process::cpu(&pid)?.saturating_sub(cpu)))
    }
}
