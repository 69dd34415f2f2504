//! The text format of Prometheus, version 0.0.4.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>

use std::fmt::{Display, Write};

use super::{Seconds, Sizes};

/// A page of numbers.
#[derive(Debug, Default)]
pub struct Text(String);

/// Names and values, as they stand behind a number's name.
type Labels<'a> = &'a [(&'a str, &'a str)];

impl Text {
    /// Numbers that only grow. Names end with `_total`.
    pub fn counters<'a>(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (Labels<'a>, u64)>) {
        self.family(name, "counter", help);
        for (labels, value) in values {
            self.sample(name, labels, value);
        }
    }

    /// One number that only grows.
    pub fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "counter", help);
        self.sample(name, &[], value);
    }

    /// Numbers that go up and down.
    pub fn gauges<'a>(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (Labels<'a>, i64)>) {
        self.family(name, "gauge", help);
        for (labels, value) in values {
            self.sample(name, labels, value);
        }
    }

    /// One number that goes up and down.
    pub fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "gauge", help);
        self.sample(name, &[], value);
    }

    /// Durations, told in seconds.
    pub fn seconds<'a>(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (Labels<'a>, &'a Seconds)>) {
        self.family(name, "histogram", help);
        for (labels, seconds) in values {
            self.histogram(name, labels, &seconds.0, micros);
        }
    }

    /// Sizes.
    pub fn sizes<'a>(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (Labels<'a>, &'a Sizes)>) {
        self.family(name, "histogram", help);
        for (labels, sizes) in values {
            self.histogram(name, labels, &sizes.0, |size| size.to_string());
        }
    }

    fn histogram(&mut self, name: &str, labels: Labels<'_>, histogram: &super::Histogram, say: fn(u64) -> String) {
        let (bounds, count, sum) = histogram.read();
        let bounds = bounds.into_iter().map(|(bound, up_to)| (say(bound), up_to));
        for (bound, up_to) in bounds.chain([("+Inf".to_owned(), count)]) {
            let labels: Vec<_> = labels.iter().copied().chain([("le", bound.as_str())]).collect();
            self.sample(&format!("{name}_bucket"), &labels, up_to);
        }
        self.sample(&format!("{name}_sum"), labels, say(sum));
        self.sample(&format!("{name}_count"), labels, count);
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string can't fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: Labels<'_>, value: impl Display) {
        self.0.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{}{label}=\"{text}\"", if index == 0 { "{" } else { "," });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    /// The whole text.
    pub fn finish(self) -> String {
        self.0
    }
}

/// Microseconds as seconds, exactly: "0.0005", "1", "2.5".
fn micros(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn is_the_format_of_prometheus() {
        let mut text = Text::default();
        text.counters("a_total", "Things.", [(&[("kind", "x\"\\\n")][..], 3)]);
        text.gauge("b", "One.", 7);
        let seconds = Seconds::default();
        seconds.note(Duration::from_micros(600));
        text.seconds("c_seconds", "Time.", [(&[("part", "api")][..], &seconds)]);
        let text = text.finish();
        let begin = "# HELP a_total Things.\n# TYPE a_total counter\na_total{kind=\"x\\\"\\\\\\n\"} 3\n\
                     # HELP b One.\n# TYPE b gauge\nb 7\n\
                     # HELP c_seconds Time.\n# TYPE c_seconds histogram\n\
                     c_seconds_bucket{part=\"api\",le=\"0.0005\"} 0\nc_seconds_bucket{part=\"api\",le=\"0.001\"} 1\n";
        assert!(text.starts_with(begin), "{text}");
        let end = "c_seconds_bucket{part=\"api\",le=\"60\"} 1\nc_seconds_bucket{part=\"api\",le=\"+Inf\"} 1\n\
                   c_seconds_sum{part=\"api\"} 0.0006\nc_seconds_count{part=\"api\"} 1\n";
        assert!(text.ends_with(end), "{text}");
    }
}
