//! Each event goes to 1,000 webhooks.

use super::{Bench, Load, number};
use crate::{Failure, process, report::Figure, report::Unit};

const WEBHOOKS: u64 = 1_000;

impl Bench {
    pub(super) async fn fan_out(&self) -> Result<Vec<Figure>, Failure> {
        const NAME: &str = "1 event to 1,000 webhooks";
        let server = self.server("fan-out").await?;
        self.webhooks(&server, usize::try_from(WEBHOOKS)?, 1, |n| self.receiver.url(&n.to_string())).await?;
        let load = |events| Load { events, batch: 1, rate: None, types: 1 };
        self.deliver(&server, &load(2), 2 * WEBHOOKS).await?;
        let events = (self.all.count / WEBHOOKS).max(5);
        let cost = self.deliver(&server, &load(events), events * WEBHOOKS).await?;
        let mut figures = self.speed(NAME, events * WEBHOOKS, &cost, 0.4);
        let memory = process::memory(&server.pid()?)?;
        figures.push(Figure::new(NAME, "time for one event", cost.seconds / number(events), Unit::Seconds));
        figures.push(Figure::new(NAME, "peak memory", memory.peak, Unit::Mebibytes));
        Ok(figures)
    }
}
