//! One webhook: how fast, at what cost, how soon, and how much memory, beside a client that does nothing but sign and post.

use super::{Bench, CONNECTIONS, Cost, Load, number};
use crate::{
    Failure, disk, process,
    receiver::micros_now,
    report::{Figure, Unit, percentile},
};

/// Events of the warm-up: connections, caches, the allocator.
const WARM_UP: Load = Load { events: 2_000, batch: 100, rate: None, types: 1 };
/// Requests a second when latency is measured.
const RATE: u64 = 100;
/// Events of the latency scenario.
const LATENCIES: u64 = 1_500;
/// Commits of which the bare cost is taken.
const COMMITS: usize = 500;

impl Bench {
    /// Takes the bare limit.
    pub(super) async fn take_bare(&mut self) -> Result<Vec<Figure>, Failure> {
        let (start, before) = (micros_now(), self.receiver.count());
        let (count, connections, to) = (self.all.count.to_string(), CONNECTIONS.to_string(), self.receiver.authority());
        let arguments = ["bare", "--to", &to, "--count", &count, "--connections", &connections];
        let cpu = process::child(&arguments, "").await?;
        self.receiver.wait_for(before + self.all.count).await?;
        let count = number(self.all.count);
        let per_second = count / std::time::Duration::from_micros(micros_now() - start).as_secs_f64();
        self.bare = (per_second, cpu.as_secs_f64() * 1e6 / count);
        Ok(vec![
            Figure::new("bare client", "requests", self.bare.0, Unit::PerSecond),
            Figure::new("bare client", "CPU of each", self.bare.1, Unit::Micros),
        ])
    }

    /// Batches of 100 events.
    pub(super) async fn batch(&self) -> Result<Vec<Figure>, Failure> {
        self.one_webhook("batch of 100", 100, 0.4, 2.5).await
    }

    /// One event a request.
    pub(super) async fn single(&self) -> Result<Vec<Figure>, Failure> {
        self.one_webhook("one event a request", 1, 0.25, 4.0).await
    }

    async fn one_webhook(
        &self,
        name: &'static str,
        batch: u64,
        share: f64,
        times: f64,
    ) -> Result<Vec<Figure>, Failure> {
        let server = self.server(name).await?;
        self.webhook(&server).await?;
        self.deliver(&server, &WARM_UP, WARM_UP.events).await?;
        let load = Load { events: self.all.count, batch, rate: None, types: 1 };
        let cost = self.deliver(&server, &load, load.events).await?;
        let (share, times) = if self.all.database_url.is_some() { (0.1, None) } else { (share, Some(times)) };
        let mut figures = self.speed(name, load.events, &cost, share);
        if let Some(times) = times
            && let Some(last) = figures.pop()
        {
            figures.push(last.at_most(times));
        }
        if let Some(database) = cost.database {
            let each = |cpu: std::time::Duration| cpu.as_secs_f64() * 1e6 / number(load.events);
            let both = each(database + cost.cpu) / self.bare.1;
            figures.push(Figure::new(name, "PostgreSQL's CPU for each delivery", each(database), Unit::Micros));
            figures.push(Figure::new(name, "the bare client's CPU, both together", both, Unit::Times));
        }
        Ok(figures)
    }

    /// Throughput and CPU, beside the bare limit.
    pub(super) fn speed(&self, name: &'static str, deliveries: u64, cost: &Cost, share: f64) -> Vec<Figure> {
        let per_second = number(deliveries) / cost.seconds;
        let cpu = cost.cpu.as_secs_f64() * 1e6 / number(deliveries);
        vec![
            Figure::new(name, "deliveries recorded", per_second, Unit::PerSecond),
            Figure::new(name, "of the bare limit", per_second / self.bare.0, Unit::Share).at_least(share),
            Figure::new(name, "server CPU for each delivery", cpu, Unit::Micros),
            Figure::new(name, "the bare client's CPU", cpu / self.bare.1, Unit::Times),
        ]
    }

    /// From the time when a request should be sent to its arrival at the webhook.
    pub(super) async fn latency(&self) -> Result<Vec<Figure>, Failure> {
        const NAME: &str = "latency at 100/s";
        let server = self.server("latency").await?;
        self.webhook(&server).await?;
        self.deliver(&server, &WARM_UP, WARM_UP.events).await?;
        let (count, rate, before) = (LATENCIES.to_string(), RATE.to_string(), self.receiver.count());
        let to = self.receiver.authority();
        self.receiver.take_latencies();
        let arguments = ["bare", "--to", &to, "--count", &count, "--connections", "8", "--rate", &rate];
        process::child(&arguments, "").await?;
        self.receiver.wait_for(before + LATENCIES).await?;
        let bare = self.receiver.take_latencies();
        let load = Load { events: LATENCIES, batch: 1, rate: Some(RATE), types: 1 };
        self.deliver(&server, &load, LATENCIES).await?;
        let all = self.receiver.take_latencies();
        let commits = disk::commits(&self.folder, COMMITS)?;
        Ok(vec![
            Figure::new(NAME, "published to received, p50", percentile(&all, 50), Unit::Micros).at_most(1_000.0),
            Figure::new(NAME, "published to received, p99", percentile(&all, 99), Unit::Micros).at_most(3_000.0),
            Figure::new(NAME, "bare client to receiver, p50", percentile(&bare, 50), Unit::Micros),
            Figure::new(NAME, "bare client to receiver, p99", percentile(&bare, 99), Unit::Micros),
            Figure::new(NAME, "bare commit on this disk, p50", percentile(&commits, 50), Unit::Micros),
            Figure::new(NAME, "bare commit on this disk, p99", percentile(&commits, 99), Unit::Micros),
        ])
    }

    /// A server that was just started and does nothing.
    pub(super) async fn idle(&self) -> Result<Vec<Figure>, Failure> {
        let server = self.server("idle").await?;
        let memory = process::memory(&server.pid()?)?;
        Ok(vec![
            Figure::new("idle", "resident memory", memory.resident, Unit::Mebibytes).at_most(30.0),
            Figure::new("idle", "of it not the program's file", memory.anonymous, Unit::Mebibytes),
        ])
    }
}
