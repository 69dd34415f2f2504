//! A receiver is away for a while, and comes back: how soon is everything there, and what do the others notice?

use std::time::Duration;

use serde_json::json;

use super::{Bench, Load, number};
use crate::{
    Failure, process,
    receiver::{Receiver, micros_now},
    report::{Figure, Unit, percentile},
};

/// How long it is away.
const AWAY: Duration = Duration::from_secs(10);

impl Bench {
    pub(super) async fn outage(&self) -> Result<Vec<Figure>, Failure> {
        const NAME: &str = "outage of 10 s";
        let server = self.server("outage").await?;
        self.webhook(&server).await?;
        let away = Receiver::start().await?;
        let webhook = json!({"url": away.url("away"), "event_types": ["*"]});
        server.request("POST", "/api/v1/webhooks", webhook).await?;
        let events = self.all.count / 2;
        away.close();
        let start = micros_now();
        self.deliver_to_others(&server, events).await?;
        let left = AWAY.saturating_sub(Duration::from_micros(micros_now() - start));
        tokio::time::sleep(left).await;
        self.receiver.take_latencies();
        let back = micros_now();
        away.open();
        let load = Load { events: 1_000, batch: 1, rate: Some(100), types: 1 };
        let missed = async {
            away.wait_for_untimed(events).await?;
            Ok::<_, Failure>(Duration::from_micros(micros_now() - back).as_secs_f64())
        };
        let (published, missed) = tokio::join!(self.publish(&server, &load), missed);
        published?;
        let seconds = missed?;
        away.wait_for(events + load.events).await?;
        server.recorded().await?;
        let others = self.receiver.take_latencies();
        let memory = process::memory(&server.pid()?)?;
        Ok(vec![
            Figure::new(NAME, "deliveries that it missed", number(events), Unit::Count),
            Figure::new(NAME, "from its return until all that it missed is there", seconds, Unit::Seconds),
            Figure::new(NAME, "p99 of the other webhook meanwhile", percentile(&others, 99), Unit::Micros),
            // A receiver that is away is left alone between probes: far fewer than it missed.
            Figure::new(NAME, "requests that it refused", number(away.refused()), Unit::Count),
            Figure::new(NAME, "peak memory", memory.peak, Unit::Mebibytes),
        ])
    }

    async fn deliver_to_others(&self, server: &process::Server, events: u64) -> Result<(), Failure> {
        let before = self.receiver.count();
        self.publish(server, &Load { events, batch: 100, rate: None, types: 1 }).await?;
        self.receiver.wait_for(before + events).await
    }
}
