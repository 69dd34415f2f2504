//! The table and the JSON.

use std::time::Duration;

use serde::Serialize;

/// What design asks of a figure.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bar {
    AtMost(f64),
    AtLeast(f64),
}

/// How a figure is written.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    PerSecond,
    /// A part of the bare limit, or of another figure.
    Share,
    Times,
    Micros,
    Seconds,
    Mebibytes,
    Count,
}

/// One measured figure.
#[derive(Serialize)]
pub(crate) struct Figure {
    scenario: &'static str,
    what: String,
    value: f64,
    unit: Unit,
    bar: Option<Bar>,
}

impl Figure {
    pub(crate) fn new(scenario: &'static str, what: impl Into<String>, value: f64, unit: Unit) -> Self {
        Self { scenario, what: what.into(), value, unit, bar: None }
    }

    pub(crate) fn at_most(self, bar: f64) -> Self {
        Self { bar: Some(Bar::AtMost(bar)), ..self }
    }

    pub(crate) fn at_least(self, bar: f64) -> Self {
        Self { bar: Some(Bar::AtLeast(bar)), ..self }
    }

    /// Whether the bar is met; `None` without one.
    fn is_met(&self) -> Option<bool> {
        self.bar.map(|bar| match bar {
            Bar::AtMost(most) => self.value <= most,
            Bar::AtLeast(least) => self.value >= least,
        })
    }
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Self::PerSecond => format!("{value:.0}/s"),
            Self::Share if value < 0.75 && value > 0.0 => format!("1/{:.1}", 1.0 / value),
            Self::Share => format!("{:.0} %", value * 100.0),
            Self::Times => format!("{value:.1} ×"),
            Self::Micros if value >= 10_000.0 => format!("{:.1} ms", value / 1e3),
            Self::Micros if value >= 1_000.0 => format!("{:.2} ms", value / 1e3),
            Self::Micros => format!("{value:.1} µs"),
            Self::Seconds => format!("{value:.2} s"),
            Self::Mebibytes => format!("{value:.0} MiB"),
            Self::Count => format!("{value:.0}"),
        }
    }
}

/// Where it was measured.
#[derive(Serialize)]
pub(crate) struct Machine {
    cores: usize,
    kernel: String,
    processor: String,
    load_before: String,
}

impl Machine {
    pub(crate) fn here() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let processor = read("/proc/cpuinfo");
        let processor = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Self {
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            processor: processor.map_or_else(String::new, |(_, name)| name.to_owned()),
            load_before: read("/proc/loadavg").split(' ').take(1).collect(),
        }
    }
}

/// Everything that one run measured.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) engine: &'static str,
    pub(crate) machine: Machine,
    pub(crate) figures: Vec<Figure>,
}

impl Report {
    pub(crate) fn print(&self) {
        let Machine { cores, kernel, processor, load_before } = &self.machine;
        println!("{}, {cores} cores ({processor}), Linux {kernel}, load {load_before} before the run\n", self.engine);
        println!("| scenario | what | measured | bar | |");
        println!("|---|---|--:|--:|---|");
        for figure in &self.figures {
            let bar = figure.bar.map_or_else(String::new, |bar| match bar {
                Bar::AtMost(most) => format!("≤ {}", figure.unit.show(most)),
                Bar::AtLeast(least) => format!("≥ {}", figure.unit.show(least)),
            });
            let met = figure.is_met().map_or("", |met| if met { "met" } else { "**not met**" });
            println!("| {} | {} | {} | {bar} | {met} |", figure.scenario, figure.what, figure.unit.show(figure.value));
        }
    }
}

/// Of sorted times: the one that `percent` of them do not exceed, in microseconds.
pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e6)
}
