//! The scenarios: each starts a server of its own on an empty database, and gives figures.

mod backlog;
mod dead;
mod fan_out;
mod outage;
mod throughput;
mod usage;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::{
    Failure,
    process::{self, Postgres, Server},
    publish,
    receiver::{Receiver, micros_now},
    report::{Figure, Machine, Report},
};

/// Connections of the bare client and of those who publish one event a request.
const CONNECTIONS: usize = 64;
/// Connections of those who publish batches.
const BATCHERS: usize = 4;

/// Measures, and prints one table with the bar beside each figure
#[derive(Args)]
pub(crate) struct All {
    /// Only these; all when not given
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Scenario>,
    /// Events of each throughput scenario; the others are in proportion
    #[arg(long, default_value_t = 50_000)]
    count: u64,
    /// Deliveries of the backlog
    #[arg(long, default_value_t = 1_000_000)]
    backlog: u64,
    /// Webhooks of the scenario in which some are dead
    #[arg(long, default_value_t = 10_000)]
    webhooks: usize,
    /// An empty PostgreSQL database to measure instead of SQLite
    #[arg(long)]
    database_url: Option<String>,
    /// The PostgreSQL's data directory or first process, when it is on this machine: then its CPU counts too
    #[arg(long, requires = "database_url")]
    postgres: Option<String>,
    /// Nodes on that database; publishers are spread over them
    #[arg(long, requires = "database_url", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=32))]
    nodes: u64,
    /// The folder for databases; a new one under the system's temporary folder when not given
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Where to write the figures as JSON
    #[arg(long)]
    json: Option<PathBuf>,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Batches of 100 events
    Batch,
    /// One event a request, over 64 connections
    Single,
    /// Latency at 100 events a second
    Latency,
    /// Memory of a server that does nothing
    Idle,
    /// Each event goes to 1,000 webhooks
    FanOut,
    /// 30 % of the webhooks are dead or hang
    Dead,
    /// A million deliveries wait; the server is killed and started
    Backlog,
    /// A receiver comes back after an outage
    Outage,
    /// Reports of use
    Usage,
}

/// What the scenarios share.
pub(crate) struct Bench {
    all: All,
    folder: PathBuf,
    receiver: Receiver,
    postgres: Option<Postgres>,
    /// The bare limit: requests a second, and CPU µs of each.
    bare: (f64, f64),
}

impl All {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let machine = Machine::here();
        let folder = self.folder.clone().unwrap_or_else(std::env::temp_dir);
        let folder = folder.join(format!("bellwire-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let measured = self.measure(&folder).await;
        std::fs::remove_dir_all(&folder)?;
        let (all, figures) = measured?;
        let engine = if all.database_url.is_some() { "postgres" } else { "sqlite" };
        let report = Report { engine, machine, figures };
        report.print();
        if let Some(path) = &all.json {
            std::fs::write(path, serde_json::to_vec_pretty(&report)?)?;
        }
        Ok(())
    }

    async fn measure(self, folder: &Path) -> Result<(Self, Vec<Figure>), Failure> {
        let receiver = Receiver::start().await?;
        let postgres = self.postgres.as_deref().map(Postgres::find).transpose()?;
        let mut bench = Bench { all: self, folder: folder.to_owned(), receiver, postgres, bare: (0.0, 0.0) };
        let mut figures = bench.take_bare().await?;
        let chosen = bench.all.only.clone();
        let chosen = if chosen.is_empty() { Scenario::value_variants() } else { &chosen };
        for scenario in chosen {
            eprintln!("{scenario:?} …");
            figures.extend(match scenario {
                Scenario::Batch => bench.batch().await?,
                Scenario::Single => bench.single().await?,
                Scenario::Latency => bench.latency().await?,
                Scenario::Idle => bench.idle().await?,
                Scenario::FanOut => bench.fan_out().await?,
                Scenario::Dead => bench.dead().await?,
                Scenario::Backlog => bench.backlog().await?,
                Scenario::Outage => bench.outage().await?,
                Scenario::Usage => bench.usage().await?,
            });
        }
        Ok((bench.all, figures))
    }
}

/// What a publisher is asked to do.
struct Load {
    events: u64,
    batch: u64,
    rate: Option<u64>,
    types: usize,
}

/// What some work cost.
struct Cost {
    seconds: f64,
    /// Of the server alone, all nodes together.
    cpu: Duration,
    /// Of the database, when it is another process on this machine.
    database: Option<Duration>,
}

impl Bench {
    /// A server on an empty database.
    async fn server(&self, name: &str) -> Result<Server, Failure> {
        let folder = self.folder.join(name);
        std::fs::create_dir_all(&folder)?;
        Server::start(&folder, self.all.database_url.as_deref(), usize::try_from(self.all.nodes)?).await
    }

    /// A webhook that wants everything.
    async fn webhook(&self, server: &Server) -> Result<String, Failure> {
        let webhook = json!({"url": self.receiver.url("0"), "event_types": ["*"]});
        let webhook = server.request("POST", "/api/v1/webhooks", webhook).await?;
        Ok(webhook["id"].as_str().ok_or("no webhook id")?.to_owned())
    }

    /// Lets a process for each node publish its share, and waits until all of it is answered.
    async fn publish(&self, server: &Server, load: &Load) -> Result<(), Failure> {
        let connections = if load.batch > 1 { BATCHERS } else { CONNECTIONS };
        let authorities: Vec<&str> = server.authorities().collect();
        let nodes = authorities.len() as u64;
        let publishers = (0..).zip(authorities).map(|(index, authority)| {
            let mut arguments = vec!["publish".to_owned(), "--to".to_owned(), authority.to_owned()];
            let mut add = |name: &str, value: u64| arguments.extend([name.to_owned(), value.to_string()]);
            add("--count", load.events / nodes + u64::from(index < load.events % nodes));
            add("--batch", load.batch);
            add("--connections", (connections as u64 / nodes).max(1));
            add("--types", load.types as u64);
            if let Some(rate) = load.rate {
                add("--rate", (rate / nodes).max(1));
            }
            async move {
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                process::child(&arguments, &server.key).await.map(drop)
            }
        });
        futures_util::future::try_join_all(publishers).await.map(drop)
    }

    /// Publishes, and waits until `deliveries` have come and everything is recorded.
    async fn deliver(&self, server: &Server, load: &Load, deliveries: u64) -> Result<Cost, Failure> {
        let before = self.receiver.count();
        let database = || self.postgres.as_ref().map(Postgres::cpu).transpose();
        let (cpu, database_before, start) = (server.cpu()?, database()?, micros_now());
        self.publish(server, load).await?;
        self.receiver.wait_for(before + deliveries).await?;
        server.recorded().await?;
        let seconds = Duration::from_micros(micros_now() - start).as_secs_f64();
        let database = database()?.zip(database_before).map(|(after, before)| after.saturating_sub(before));
        Ok(Cost { seconds, cpu: server.cpu()?.saturating_sub(cpu), database })
    }

    /// Makes webhooks, over several connections; the `n`-th has `url(n)` and the `n`-th of the types that take turns.
    async fn webhooks(
        &self,
        server: &Server,
        count: usize,
        types: usize,
        url: impl Fn(usize) -> String,
    ) -> Result<(), Failure> {
        let types = publish::types(types);
        let bodies = (0..count).map(|n| json!({"url": url(n), "event_types": [types[n % types.len()]]}).to_string());
        server.post_all("/api/v1/webhooks", bodies.collect()).await
    }
}

/// As a number that can be divided.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn number(count: u64) -> f64 {
    count as f64
}
