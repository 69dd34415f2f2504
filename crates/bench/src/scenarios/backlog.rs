//! A million deliveries wait in the database. The server is killed, started, and drains them.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Bench, Load, number};
use crate::{
    Failure,
    process::{self, Server},
    receiver::micros_now,
    report::{Figure, Unit},
};

/// Webhooks that share the backlog, and events of a request.
const WEBHOOKS: u64 = 100;
const BATCH: u64 = 500;

impl Bench {
    pub(super) async fn backlog(&self) -> Result<Vec<Figure>, Failure> {
        const NAME: &str = "backlog";
        let mut server = self.server("backlog").await?;
        self.webhooks(&server, usize::try_from(WEBHOOKS)?, 1, |n| self.receiver.url(&n.to_string())).await?;
        let list = server.request("GET", "/api/v1/webhooks?limit=200", Value::Null).await?;
        let ids: Vec<&str> = list["data"].as_array().into_iter().flatten().filter_map(|it| it["id"].as_str()).collect();
        // Held while they are made, so that nothing is sent before all are there.
        let switch = async |server: &Server, to: &str| -> Result<(), Failure> {
            for id in &ids {
                server.request("POST", &format!("/api/v1/webhooks/{id}/{to}"), json!({})).await?;
            }
            Ok(())
        };
        switch(&server, "deactivate").await?;
        let total = self.all.backlog / WEBHOOKS * WEBHOOKS;
        self.publish(&server, &Load { events: total / WEBHOOKS, batch: BATCH, rate: None, types: 1 }).await?;
        let before = self.receiver.count();
        let held = server.restart().await?;
        let waiting = process::memory(&server.pid()?)?;
        let start = micros_now();
        switch(&server, "activate").await?;
        self.receiver.wait_for(before + total / 3).await?;
        let again = server.restart().await?;
        self.receiver.wait_for(before + total).await?;
        server.recorded().await?;
        let seconds = Duration::from_micros(micros_now() - start).as_secs_f64();
        let drained = process::memory(&server.pid()?)?;
        let size = std::fs::metadata(self.folder.join("backlog/bellwire.db")).map_or(0, |file| file.len());
        let per_second = number(total) / seconds;
        Ok(vec![
            Figure::new(NAME, "deliveries that wait", number(total), Unit::Count),
            Figure::new(NAME, "start", held.as_secs_f64(), Unit::Seconds).at_most(5.0),
            Figure::new(NAME, "start after a kill while draining", again.as_secs_f64(), Unit::Seconds).at_most(5.0),
            Figure::new(NAME, "memory with all waiting", waiting.peak, Unit::Mebibytes).at_most(150.0),
            Figure::new(NAME, "peak memory while draining", drained.peak, Unit::Mebibytes).at_most(150.0),
            Figure::new(NAME, "drained", per_second, Unit::PerSecond),
            Figure::new(NAME, "of the bare limit", per_second / self.bare.0, Unit::Share).at_least(0.25),
            Figure::new(NAME, "bytes on disk for each", number(size) / number(total), Unit::Count),
        ])
    }
}
