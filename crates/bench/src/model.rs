//! What a rate of deliveries takes, computed from what one delivery was measured to cost. Prints the table of docs/scale.md.
//!
//! It is arithmetic, not a simulation: CPU, write-ahead log and disk grow with the rate, and nothing is known here of locks
//! that many nodes wait for, nor of networks. What is measured is in [`Costs`]; everything else follows.

use std::fmt::Write;

use clap::Args;

use crate::Failure;

/// Prints what rates of deliveries take, computed from measured costs
#[derive(Args)]
pub(crate) struct Model {
    /// Deliveries a second
    #[arg(long, value_delimiter = ',', default_values_t = RATES)]
    rates: Vec<f64>,
    #[command(flatten)]
    costs: Costs,
}

/// What was measured (docs/scale.md says how), and what is allowed.
#[derive(Args, Clone, Copy)]
struct Costs {
    /// CPU of a node for each delivery, in µs
    #[arg(long, default_value_t = 47.0)]
    node_cpu: f64,
    /// CPU of PostgreSQL for each delivery, in µs
    #[arg(long, default_value_t = 51.0)]
    database_cpu: f64,
    /// Bytes of write-ahead log for each delivery
    #[arg(long, default_value_t = 2_800.0)]
    wal: f64,
    /// Bytes on disk for each delivery that is kept, its event and its attempt with it
    #[arg(long, default_value_t = 2_100.0)]
    disk: f64,
    /// Days for which they are kept
    #[arg(long, default_value_t = 30.0)]
    days: f64,
    /// The part of a processor that is to be used: the rest is for peaks, vacuum and backups
    #[arg(long, default_value_t = 0.5)]
    use_of_cpu: f64,
    /// Cores of the largest PostgreSQL that one wants to run
    #[arg(long, default_value_t = 32.0)]
    largest: f64,
    /// Bytes of write-ahead log that one writes in a second
    #[arg(long, default_value_t = 100e6)]
    largest_wal: f64,
    /// Bytes on its disk
    #[arg(long, default_value_t = 16e12)]
    largest_disk: f64,
}

const RATES: [f64; 6] = [1.0, 10.0, 100.0, 1_000.0, 10_000.0, 100_000.0];
/// Cores of the sizes in which PostgreSQL can be had.
const SIZES: [f64; 5] = [2.0, 4.0, 8.0, 16.0, 32.0];

impl Model {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        print!("{}\n{}", self.costs.sizes()?, self.costs.rates(&self.rates)?);
        Ok(())
    }
}

impl Costs {
    /// Cores that do this for `rate` deliveries a second.
    fn cores(&self, micros: f64, rate: f64) -> f64 {
        rate * micros / 1e6 / self.use_of_cpu
    }

    /// What one PostgreSQL carries.
    fn sizes(&self) -> Result<String, Failure> {
        let mut table =
            "| cores of PostgreSQL | deliveries a second | a day | write-ahead log | disk for the history |\n"
                .to_owned();
        table.push_str("|--:|--:|--:|--:|--:|\n");
        for cores in SIZES {
            let rate = cores / self.cores(self.database_cpu, 1.0);
            writeln!(
                table,
                "| {cores} | {} | {} | {}/s | {} |",
                count(rate),
                count(rate * DAY),
                bytes(rate * self.wal),
                bytes(rate * DAY * self.days * self.disk)
            )?;
        }
        Ok(table)
    }

    /// What rates take.
    fn rates(&self, rates: &[f64]) -> Result<String, Failure> {
        let mut table =
            "| deliveries a second | cores of nodes | cores of PostgreSQL | databases | write-ahead log | disk for the history |\n".to_owned();
        table.push_str("|--:|--:|--:|--:|--:|--:|\n");
        for rate in rates {
            let (nodes, database) = (self.cores(self.node_cpu, *rate), self.cores(self.database_cpu, *rate));
            let (wal, disk) = (rate * self.wal, rate * DAY * self.days * self.disk);
            let parts = [database / self.largest, wal / self.largest_wal, disk / self.largest_disk];
            writeln!(
                table,
                "| {} | {} | {} | {} | {}/s | {} |",
                count(*rate),
                tenths(nodes),
                tenths(database),
                parts.into_iter().fold(1.0, f64::max).ceil(),
                bytes(wal),
                bytes(disk)
            )?;
        }
        Ok(table)
    }
}

/// Seconds.
const DAY: f64 = 86_400.0;

/// With two digits that mean something.
fn count(value: f64) -> String {
    let (value, unit) = match value {
        1e9.. => (value / 1e9, " billion"),
        1e6.. => (value / 1e6, " million"),
        _ => (value, ""),
    };
    let step = 10_f64.powf((value.log10().floor() - 1.0).max(0.0));
    let rounded =
        if value < 10.0 && !unit.is_empty() { (value * 10.0).round() / 10.0 } else { (value / step).round() * step };
    let text = rounded.to_string();
    match text.len() {
        4.. if unit.is_empty() => format!("{},{}", &text[..text.len() - 3], &text[text.len() - 3..]),
        _ => format!("{text}{unit}"),
    }
}

fn tenths(value: f64) -> String {
    if value < 0.1 {
        "< 0.1".to_owned()
    } else if value < 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

fn bytes(value: f64) -> String {
    let (value, unit) = match value {
        1e15.. => (value / 1e15, "PB"),
        1e12.. => (value / 1e12, "TB"),
        1e9.. => (value / 1e9, "GB"),
        1e6.. => (value / 1e6, "MB"),
        _ => (value / 1e3, "kB"),
    };
    if value < 10.0 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        model: Model,
    }

    /// The document shows what the model computes.
    #[test]
    fn the_document_has_these_tables() {
        let Alone { model } = Alone::parse_from(["model"]);
        let document = include_str!("../../../docs/scale.md");
        for table in [model.costs.sizes().unwrap(), model.costs.rates(&model.rates).unwrap()] {
            assert!(document.contains(&table), "docs/scale.md has not this table of `bellwire-bench model`:\n{table}");
        }
    }

    #[test]
    fn numbers_read_well() {
        let all = [1.0, 12.0, 123.0, 8_333.0, 83_333.0, 43_200_000.0, 1_440_000_000.0].map(count);
        assert_eq!(all, ["1", "12", "120", "8,300", "83,000", "43 million", "1.4 billion"]);
        assert_eq!([2_700.0, 270_000_000.0, 11e12].map(bytes), ["2.7 kB", "270 MB", "11 TB"]);
        assert_eq!([0.01, 1.26, 126.4].map(tenths), ["< 0.1", "1.3", "126"]);
    }
}
