//! `GET /metrics`: everything that is counted, in the text format of Prometheus. The names are a contract: dashboards and alerts
//! are written against them (`packaging/`, and a test that holds the two together).
//!
//! What must be asked of the database is asked no more often than every [`FRESH`], however many ask.

use std::{sync::Arc, time::Duration};

use axum::{extract::State, response::IntoResponse};
use bellwire_core::time::Timestamp;
use http::header::CONTENT_TYPE;
use tokio::{sync::Mutex, time::timeout};

use crate::{
    app::{App, ROOM},
    db::{
        Connections,
        backlog::{self, Backlog},
    },
    error::Error,
    metrics::{Process, Text},
};

/// How old an answer of the database may be.
const FRESH: Duration = Duration::from_secs(10);
/// How long to wait for an answer: whoever scrapes waits for 10 s mostly.
const PATIENCE: Duration = Duration::from_secs(3);
/// Deliveries that are counted at the most: some milliseconds in an index.
const COUNTED: u32 = 100_000;

/// What the database said, and when.
pub(super) type Measured = Arc<Mutex<Option<(Timestamp, Backlog)>>>;

/// `GET /metrics`
pub(super) async fn metrics(State((app, measured)): State<(App, Measured)>) -> impl IntoResponse {
    let backlog = measure(&app, &measured).await;
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], write(&app, backlog))
}

/// Nothing when the database can't be asked: the rest is told all the same.
async fn measure(app: &App, measured: &Measured) -> Option<Backlog> {
    let mut measured = measured.lock().await;
    let now = app.clock.now();
    if let Some((at, backlog)) = *measured
        && now.since(at) < FRESH
    {
        return Some(backlog);
    }
    let asked = app.db.read(|conn| Box::pin(async move { Ok::<_, Error>(backlog::measure(conn, COUNTED).await?) }));
    match timeout(PATIENCE, asked).await {
        Ok(Ok(backlog)) => {
            *measured = Some((now, backlog));
            Some(backlog)
        }
        Ok(Err(error)) => {
            error.log();
            None
        }
        Err(_) => None,
    }
}

fn write(app: &App, backlog: Option<Backlog>) -> String {
    let (mut text, metrics) = (Text::default(), &app.metrics);
    let info = [("version", env!("CARGO_PKG_VERSION")), ("database", app.db.engine())];
    text.gauges("bellwire_info", "The version and the database's engine.", [(&info[..], 1)]);
    text.gauge(
        "bellwire_ready",
        "Whether this process wants requests: 0 when it is about to end.",
        i32::from(app.is_serving()),
    );
    text.gauge("bellwire_nodes", "Nodes on this database that have been heard of a moment ago.", app.nodes.alive());
    text.gauge(
        "bellwire_nodes_heard",
        "Whether what other nodes tell is heard: if not, what they change is seen some seconds later.",
        i32::from(!app.db.is_shared() || app.nodes.hears()),
    );
    text.gauge(
        "bellwire_database_confirmed",
        "Whether the database answered a moment ago: if not, no attempt begins.",
        i32::from(app.database_clock.is_confirmed()),
    );

    text.counter("bellwire_events_accepted_total", "Events that are on disk.", metrics.events.get());
    text.counter("bellwire_deliveries_delivered_total", "Deliveries that were delivered.", metrics.delivered.get());
    let name = "bellwire_deliveries_failed_total";
    text.counters(
        name,
        "Deliveries whose retries are used up, by the last cause.",
        causes(&pairs(metrics.failed.read())),
    );
    let name = "bellwire_deliveries_retried_total";
    text.counters(name, "Deliveries that are tried again later, by cause.", causes(&pairs(metrics.retried.read())));
    let name = "bellwire_attempts_total";
    text.counters(name, "Attempts, by how they ended.", causes(&pairs(metrics.attempts.read())));
    let name = "bellwire_webhooks_turned_off_total";
    text.counter(name, "Webhooks that were turned off, not by a person.", metrics.turned_off.get());
    let name = "bellwire_first_attempt_delay_seconds";
    text.seconds(name, "From an event until its first attempt begins.", [(&[][..], &metrics.waits)]);
    let name = "bellwire_attempt_duration_seconds";
    text.seconds(name, "How long attempts take: the receiver, and the way to it.", [(&[][..], &metrics.exchanges)]);

    if let Some(Backlog { pending, held, bytes }) = backlog {
        let name = "bellwire_deliveries_pending";
        text.gauge(
            name,
            "Deliveries that wait: due, leased, tried later or held; 100000 means that many or more.",
            pending,
        );
        let name = "bellwire_deliveries_held";
        text.gauge(name, "Deliveries that wait for an inactive webhook; 100000 means that many or more.", held);
        text.gauge("bellwire_database_bytes", "What the database takes on disk.", bytes);
    }
    let walk = &metrics.walk;
    let name = "bellwire_oldest_due_seconds";
    let age = Duration::from_micros(u64::try_from(walk.oldest_due.get()).unwrap_or(0)).as_secs_f64();
    text.gauge(
        name,
        "For how long the longest due delivery of an active webhook has waited for a node to take it.",
        age,
    );
    let name = "bellwire_webhooks_waiting";
    let waiting = [(&[("status", "active")][..], walk.active.get()), (&[("status", "inactive")], walk.inactive.get())];
    text.gauges(name, "Webhooks with pending deliveries.", waiting);
    let name = "bellwire_deliveries_in_memory";
    text.gauge(
        name,
        "Deliveries that wait in memory, are being sent or written down.",
        ROOM.saturating_sub(app.wake.room()),
    );
    text.gauge("bellwire_deliveries_in_memory_max", "As many fit.", ROOM);
    text.gauge("bellwire_lanes", "Webhooks that are being sent to, or were a moment ago.", metrics.lanes.lanes.get());
    text.gauge("bellwire_lanes_queued", "Deliveries that wait in lanes.", metrics.lanes.queued.get());
    text.gauge("bellwire_exchanges", "Requests to receivers that are under way.", metrics.lanes.exchanges.get());

    let commits = app.db.commits();
    text.seconds("bellwire_commit_duration_seconds", "How long commits take.", [(&[][..], &commits.durations)]);
    text.sizes("bellwire_commit_transactions", "Transactions that share a commit.", [(&[][..], &commits.sizes)]);
    text.counter("bellwire_commits_failed_total", "Commits that failed.", commits.failed.get());
    let name = "bellwire_group_requests";
    text.sizes(name, "Publishes and reports of use that share a transaction.", [(&[][..], &metrics.request_groups)]);
    let name = "bellwire_group_outcomes";
    text.sizes(name, "Outcomes of attempts that share a transaction.", [(&[][..], &metrics.outcome_groups)]);
    let Connections { open, busy, max, waiting } = app.db.connections();
    let name = "bellwire_database_connections";
    let connections = [(&[("state", "open")][..], open), (&[("state", "busy")], busy), (&[("state", "max")], max)];
    text.gauges(name, "Connections to the database.", connections);
    text.gauge("bellwire_database_waiting", "Transactions that wait for a connection, or for the one writer.", waiting);

    let requests: Vec<_> = metrics.requests.read().collect();
    let labels: Vec<_> =
        requests.iter().map(|(part, class, count)| ([("part", part.as_str()), ("status", class)], *count)).collect();
    let name = "bellwire_http_requests_total";
    text.counters(
        name,
        "Requests, by part and class of status.",
        labels.iter().map(|(labels, count)| (&labels[..], *count)),
    );
    let durations = metrics.requests.durations().map(|(part, seconds)| ([("part", part.as_str())], seconds));
    let name = "bellwire_http_request_duration_seconds";
    let durations = durations.iter().map(|(labels, seconds)| (&labels[..], *seconds));
    text.seconds(name, "How long requests take until the answer begins.", durations);

    if let Some(process) = Process::look() {
        text.counter("process_cpu_seconds_total", "Time on processors.", process.cpu_seconds());
        text.gauge("process_resident_memory_bytes", "Memory in use.", process.memory);
        text.gauge("process_open_fds", "Open files and sockets.", process.files);
        text.gauge("process_max_fds", "As many may be open.", process.max_files);
    }
    text.finish()
}

type Pairs = Vec<([(&'static str, &'static str); 1], u64)>;

fn pairs(counts: impl Iterator<Item = (&'static str, u64)>) -> Pairs {
    counts.map(|(cause, count)| ([("cause", cause)], count)).collect()
}

fn causes(pairs: &Pairs) -> impl Iterator<Item = (&[(&str, &str)], u64)> {
    pairs.iter().map(|(labels, count)| (&labels[..], *count))
}
