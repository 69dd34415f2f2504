//! Some of the webhooks are dead (nobody listens) or hang (nobody answers): what do the others notice?
//!
//! Two runs with the same healthy webhooks: without the dead ones, and with them. In both, events come at a steady rate and
//! each goes to one in forty of the webhooks.

use std::time::Duration;

use super::{Bench, Load, number};
use crate::{
    Failure, process,
    receiver::{Hanging, micros_now, nobody},
    report::{Figure, Unit, percentile},
};

/// Types of events that take turns; each webhook wants one of them.
const TYPES: usize = 40;
/// Requests a second.
const RATE: u64 = 20;
/// How long the load lasts: longer than a receiver may hang.
const SECONDS: u64 = 20;

/// What the healthy webhooks saw.
struct Seen {
    per_second: f64,
    p99: f64,
    peak: f64,
}

impl Bench {
    pub(super) async fn dead(&self) -> Result<Vec<Figure>, Failure> {
        const NAME: &str = "30 % dead or hanging";
        let healthy = self.all.webhooks * 7 / 10 / TYPES * TYPES;
        let without = self.with_dead("all-healthy", healthy, 0).await?;
        let with = self.with_dead("some-dead", healthy, self.all.webhooks - healthy).await?;
        Ok(vec![
            Figure::new(NAME, "deliveries to healthy ones, all healthy", without.per_second, Unit::PerSecond),
            Figure::new(NAME, "deliveries to healthy ones, with the dead", with.per_second, Unit::PerSecond),
            Figure::new(NAME, "of the throughput without", with.per_second / without.per_second, Unit::Share)
                .at_least(0.9),
            Figure::new(NAME, "p99, all healthy", without.p99, Unit::Micros),
            Figure::new(NAME, "p99, with the dead", with.p99, Unit::Micros),
            Figure::new(NAME, "the p99 without", with.p99 / without.p99, Unit::Times).at_most(2.0),
            Figure::new(NAME, "peak memory", with.peak, Unit::Mebibytes),
        ])
    }

    async fn with_dead(&self, name: &str, healthy: usize, dead: usize) -> Result<Seen, Failure> {
        let server = self.server(name).await?;
        let (hanging, nobody) = (Hanging::start().await?, nobody()?);
        self.webhooks(&server, healthy, TYPES, |n| self.receiver.url(&n.to_string())).await?;
        let url =
            |n: usize| if n.is_multiple_of(2) { hanging.url(&n.to_string()) } else { format!("http://{nobody}/{n}") };
        self.webhooks(&server, dead, TYPES, url).await?;
        let each = u64::try_from(healthy / TYPES)?;
        // A round first, so that every lane has connected once or met its fate.
        let load = |events, rate| Load { events, batch: 1, rate: Some(rate), types: TYPES };
        let before = self.receiver.count();
        self.publish(&server, &load(TYPES as u64, RATE)).await?;
        self.receiver.wait_for(before + each * TYPES as u64).await?;
        self.receiver.take_latencies();
        let (before, start) = (self.receiver.count(), micros_now());
        let events = RATE * SECONDS;
        self.publish(&server, &load(events, RATE)).await?;
        self.receiver.wait_for(before + each * events).await?;
        let seconds = Duration::from_micros(micros_now() - start).as_secs_f64();
        let latencies = self.receiver.take_latencies();
        let peak = process::memory(&server.pid()?)?.peak;
        Ok(Seen { per_second: number(each * events) / seconds, p99: percentile(&latencies, 99), peak })
    }
}
