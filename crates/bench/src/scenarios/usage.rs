//! Reports of use: how many a second the server takes over HTTP, each durable before it is answered.
//!
//! Nothing is delivered, and only crossing a threshold is an event: this is the way of a report alone. At the end the license
//! must have used exactly what was reported.

use std::time::Duration;

use serde_json::Value;

use super::{Bench, CONNECTIONS, number};
use crate::{
    Failure,
    process::{self, Server},
    receiver::micros_now,
    report::{Figure, Unit},
};

/// Reports of the warm-up: connections, caches, the allocator.
const WARM_UP: u64 = 2_000;

impl Bench {
    pub(super) async fn usage(&self) -> Result<Vec<Figure>, Failure> {
        let server = self.server("usage").await?;
        report(&server, WARM_UP, false).await?;
        let mut figures = Vec::new();
        let count = self.all.count;
        for (name, keys) in [("reports of use", false), ("reports of use with idempotency keys", true)] {
            let (pid, start) = (server.pid()?, micros_now());
            let cpu = process::cpu(&pid)?;
            report(&server, count, keys).await?;
            let seconds = Duration::from_micros(micros_now() - start).as_secs_f64();
            let cpu = process::cpu(&pid)?.saturating_sub(cpu);
            figures.push(Figure::new(name, "each durable", number(count) / seconds, Unit::PerSecond));
            figures.push(Figure::new(
                name,
                "server CPU for each",
                cpu.as_secs_f64() * 1e6 / number(count),
                Unit::Micros,
            ));
        }
        let license = server.request("GET", "/api/v1/license", Value::Null).await?;
        let expected = WARM_UP + 2 * count;
        if license["used"].as_u64() != Some(expected) {
            return Err(format!("{expected} were reported, and the license says {}", license["used"]).into());
        }
        Ok(figures)
    }
}

/// Lets a client report.
async fn report(server: &Server, count: u64, keys: bool) -> Result<(), Failure> {
    let (count, connections) = (count.to_string(), CONNECTIONS.to_string());
    let mut arguments = vec!["report", "--to", &server.authority, "--count", &count, "--connections", &connections];
    if keys {
        arguments.push("--keys");
    }
    process::child(&arguments, &server.key).await.map(drop)
}
