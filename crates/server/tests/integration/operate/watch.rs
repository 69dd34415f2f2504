//! What the program tells of itself, and what is written against it: the dashboard, the alerts, the documentation.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde_json::{Value, json};

use super::{Machine, until};
use crate::support::{client::Client, postgres::fresh_database, receiver::Receiver};

/// What was read from `/metrics`: for each name, its type, the labels that it has, and the values by their labels.
#[derive(Default)]
struct Exported {
    kinds: BTreeMap<String, String>,
    labels: BTreeMap<String, BTreeSet<String>>,
    values: BTreeMap<String, f64>,
}

impl Exported {
    /// # Panics
    /// When a line is not as the format says.
    fn parse(text: &str) -> Self {
        let mut exported = Self::default();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a name and a type");
                assert!(exported.kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} twice");
            } else if !line.starts_with("# HELP ") {
                exported.sample(line);
            }
        }
        exported
    }

    fn sample(&mut self, line: &str) {
        let (what, value) = line.rsplit_once(' ').expect("a value");
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
        let (name, labels) = what.split_once('{').map_or((what, ""), |(name, rest)| (name, rest.trim_end_matches('}')));
        let family = self.family(name).unwrap_or_else(|| panic!("{name} has no type before it"));
        let names = labels
            .split(',')
            .filter(|label| !label.is_empty())
            .map(|label| label.split('=').next().unwrap().to_owned());
        self.labels.entry(family).or_default().extend(names);
        assert!(self.values.insert(what.to_owned(), value).is_none(), "{what} twice");
    }

    /// The name without what a histogram hangs on it.
    fn family(&self, name: &str) -> Option<String> {
        let is_histogram = |family: &&str| self.kinds.get(*family).is_some_and(|kind| kind == "histogram");
        let base =
            ["_bucket", "_sum", "_count"].into_iter().find_map(|end| name.strip_suffix(end).filter(is_histogram));
        base.or_else(|| self.kinds.contains_key(name).then_some(name)).map(str::to_owned)
    }

    fn value(&self, what: &str) -> f64 {
        *self.values.get(what).unwrap_or_else(|| panic!("{what} is not told: {:?}", self.values.keys()))
    }
}

async fn read(client: &Client) -> Exported {
    Exported::parse(&client.text("/metrics").await)
}

/// A server that has delivered, failed and been asked a few things, and what it tells.
async fn busy(machine: Machine) -> Exported {
    let client = machine.bootstrap().await;
    let (good, bad) = (Receiver::start().await, Receiver::start().await);
    bad.answer(503);
    let _server = machine.serve().await;
    for receiver in [&good, &bad] {
        let webhook = json!({"url": receiver.url(), "event_types": ["user.blocked"]});
        assert_eq!(client.request("POST", "/api/v1/webhooks", &webhook).await.unwrap().0, 201);
    }
    let event = json!({"type": "user.blocked", "data": {}});
    assert_eq!(client.request("POST", "/api/v1/events", &event).await.unwrap().0, 202);
    assert_eq!(client.request("GET", "/api/v1/nothing", &Value::Null).await.unwrap().0, 404);
    let settled = async || {
        let exported = read(&client).await;
        exported.value("bellwire_deliveries_delivered_total") == 1.0
            && exported.value("bellwire_deliveries_failed_total{cause=\"5xx\"}") == 1.0
    };
    until("both deliveries were counted", settled).await;
    read(&client).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_is_counted() {
    let machine = || Machine::new().with("BELLWIRE_RETRY_SCHEDULE", "0s,10ms");
    let mut told = vec![busy(machine()).await];
    if let Some(database) = fresh_database().await {
        told.push(busy(machine().with("BELLWIRE_DATABASE_URL", database.url())).await);
    }
    for exported in told {
        for (what, value) in [
            ("bellwire_ready", 1.0),
            ("bellwire_events_accepted_total", 1.0),
            ("bellwire_attempts_total{cause=\"2xx\"}", 1.0),
            ("bellwire_attempts_total{cause=\"5xx\"}", 2.0),
            ("bellwire_deliveries_retried_total{cause=\"5xx\"}", 1.0),
            ("bellwire_first_attempt_delay_seconds_count", 2.0),
            ("bellwire_attempt_duration_seconds_count", 3.0),
            ("bellwire_group_requests_count", 1.0),
            ("bellwire_http_requests_total{part=\"api\",status=\"4xx\"}", 1.0),
            ("bellwire_webhooks_turned_off_total", 0.0),
            ("bellwire_commits_failed_total", 0.0),
        ] {
            assert_eq!(exported.value(what), value, "{what}");
        }
        for what in
            ["bellwire_commit_duration_seconds_count", "bellwire_database_bytes", "process_resident_memory_bytes"]
        {
            assert!(exported.value(what) > 0.0, "{what}");
        }
        for (name, _) in exported.kinds.iter().filter(|(_, kind)| *kind == "histogram") {
            let buckets: Vec<(&String, &f64)> =
                exported.values.iter().filter(|(what, _)| what.starts_with(&format!("{name}_bucket"))).collect();
            assert!(buckets.len() > 8, "{name}: {buckets:?}");
        }
    }
}

/// The folder of the project.
fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().parent().unwrap()
}

/// Every `expr` of the dashboard and of the alerts, and the queries of the dashboard's variables.
fn expressions() -> Vec<String> {
    let dashboard = fs::read_to_string(project().join("packaging/grafana/bellwire.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let variables = dashboard["templating"]["list"].as_array().unwrap().iter();
    let variables = variables.filter(|variable| variable["type"] == "query").map(|variable| &variable["query"]);
    let mut all: Vec<String> =
        panels.map(|target| &target["expr"]).chain(variables).map(|expr| expr.as_str().unwrap().to_owned()).collect();
    assert!(all.len() > 30, "the dashboard was read: {all:?}");
    let alerts = fs::read_to_string(project().join("packaging/prometheus/alerts.yml")).unwrap();
    let exprs: Vec<_> =
        alerts.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).map(str::to_owned).collect();
    assert_eq!(exprs.len(), alerts.matches("- alert: ").count(), "every alert has its expression in one line");
    all.extend(exprs);
    all
}

/// The metrics that an expression names, with the labels that it expects them to have.
fn named(expression: &str) -> Vec<(String, BTreeSet<String>)> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let label = |text: &str| text.trim().chars().take_while(|c| is_word(*c)).collect::<String>();
    let mut grouped = BTreeSet::new();
    for rest in expression.split("by (").skip(1) {
        grouped.extend(rest.split(')').next().unwrap().split(',').map(label));
    }
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(start) = rest.find(is_word) {
        let end = rest[start..].find(|c| !is_word(c)).map_or(rest.len(), |length| start + length);
        let word = &rest[start..end];
        rest = &rest[end..];
        if !word.starts_with("bellwire_") && !word.starts_with("process_") {
            continue;
        }
        let matchers = rest.strip_prefix('{').and_then(|matchers| matchers.split_once('}'));
        let mut labels: BTreeSet<String> = grouped.clone();
        if let Some((matchers, _)) = matchers {
            labels.extend(matchers.split(',').map(label).filter(|label| !label.is_empty()));
        }
        found.push((word.to_owned(), labels));
    }
    found
}

#[test]
fn expressions_are_taken_apart() {
    let labels = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(
        named(
            r#"histogram_quantile(0.9, sum by (le, part) (rate(bellwire_a_bucket{job=~"$job", status="5xx"}[5m]))) / bellwire_b"#
        ),
        [
            ("bellwire_a_bucket".to_owned(), labels(&["le", "part", "job", "status"])),
            ("bellwire_b".to_owned(), labels(&["le", "part"])),
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dashboard_alerts_and_documentation_name_what_is_told() {
    let machine = Machine::new().with("BELLWIRE_RETRY_SCHEDULE", "0s,10ms");
    let exported = busy(machine).await;
    // Prometheus itself puts these on everything.
    let of_prometheus = ["job", "instance"];
    let mut used = BTreeSet::new();
    for expression in expressions() {
        for (name, labels) in named(&expression) {
            let family = exported.family(&name).unwrap_or_else(|| panic!("{name} is not told: {expression}"));
            for label in labels.iter().filter(|label| !of_prometheus.contains(&label.as_str())) {
                let known = &exported.labels[&family];
                assert!(known.contains(label), "{name} has no label {label} but {known:?}: {expression}");
            }
            used.insert(family);
        }
    }
    let documentation = fs::read_to_string(project().join("docs/operations.md")).unwrap();
    for name in exported.kinds.keys() {
        assert!(documentation.contains(&format!("`{name}`")), "docs/operations.md does not explain {name}");
        assert!(used.contains(name), "{name} is in no panel and no alert");
    }
    for name in documentation.split('`').filter(|word| word.starts_with("bellwire_") && !word.contains(' ')) {
        assert!(exported.kinds.contains_key(name), "docs/operations.md explains {name}, which is not told");
    }
}
