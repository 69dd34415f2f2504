//! The table and the JSON.

use std::time::Duration;

use serde::Serialize;

/// Deliveries in a time, and what they cost.
#[derive(Serialize)]
pub(crate) struct Throughput {
    name: &'static str,
    deliveries: u64,
    seconds: f64,
    per_second: f64,
    /// Of the sending process alone, in microseconds.
    cpu_micros_per_delivery: f64,
}

impl Throughput {
    pub(crate) fn new(name: &'static str, deliveries: u64, micros: u64, cpu: Duration) -> Self {
        let seconds = Duration::from_micros(micros).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let count = deliveries as f64;
        Self {
            name,
            deliveries,
            seconds,
            per_second: count / seconds,
            cpu_micros_per_delivery: cpu.as_secs_f64() * 1e6 / count,
        }
    }
}

/// From the time when an event should have been published to its arrival, in microseconds.
#[derive(Serialize)]
pub(crate) struct Latency {
    p50: u128,
    p99: u128,
    worst: u128,
}

impl Latency {
    pub(crate) fn of(sorted: &[Duration]) -> Self {
        let at = |percent: usize| {
            sorted
                .get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)))
                .map_or(0, Duration::as_micros)
        };
        Self { p50: at(50), p99: at(99), worst: at(100) }
    }
}

/// Everything that one run measured.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) engine: &'static str,
    pub(crate) bare: Throughput,
    pub(crate) scenarios: Vec<Throughput>,
    pub(crate) latency: Latency,
    pub(crate) idle_memory: u64,
    pub(crate) busy_memory: u64,
}

impl Report {
    pub(crate) fn print(&self) {
        println!("| {} | deliveries/s | of the bare limit | CPU µs each | × the bare client's |", self.engine);
        println!("|---|--:|--:|--:|--:|");
        for row in std::iter::once(&self.bare).chain(&self.scenarios) {
            println!(
                "| {} | {:.0} | 1/{:.1} | {:.1} | {:.1} |",
                row.name,
                row.per_second,
                self.bare.per_second / row.per_second,
                row.cpu_micros_per_delivery,
                row.cpu_micros_per_delivery / self.bare.cpu_micros_per_delivery
            );
        }
        let Latency { p50, p99, worst } = self.latency;
        println!("\nLatency at 100/s, published to received: p50 {p50} µs, p99 {p99} µs, worst {worst} µs");
        println!("Resident memory: {} MiB idle, {} MiB after the run", self.idle_memory >> 20, self.busy_memory >> 20);
    }
}
