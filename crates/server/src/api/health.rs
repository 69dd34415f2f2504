//! What the machines around Bellwire ask: is it alive, can it do its work, and how much of it does it do.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::{extract::State, response::IntoResponse};
use http::{StatusCode, header::CONTENT_TYPE};

use super::ApiResult;
use crate::{
    app::{App, ROOM},
    error::Error,
};

/// `GET /healthz`: the process answers.
pub(super) async fn healthz() -> &'static str {
    "ok"
}

/// `GET /readyz`: the database can be read and written.
pub(super) async fn readyz(State(app): State<App>) -> ApiResult<&'static str> {
    app.db.read(|conn| Box::pin(async move { Ok::<_, Error>(conn.query_one("SELECT 1 AS one", &[]).await?) })).await?;
    // Takes the place of a writer and changes no row.
    let nothing = "UPDATE workspaces SET sequence = sequence WHERE id = ''";
    app.db.write(move |conn| Box::pin(async move { Ok::<_, Error>(conn.execute(nothing, &[]).await?) })).await?;
    Ok("ok")
}

/// Requests answered since the start, by the first digit of the status.
#[derive(Debug, Default)]
pub(super) struct Requests([AtomicU64; 5]);

impl Requests {
    /// Counts a request that was answered with this status.
    pub(super) fn count(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(counter) = self.0.get(class) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// `GET /metrics`: a few numbers in the text format of Prometheus.
pub(super) async fn metrics(State((app, requests)): State<(App, Arc<Requests>)>) -> impl IntoResponse {
    let classes = requests.0.iter().enumerate().map(|(index, count)| {
        format!("bellwire_http_requests_total{{status=\"{}xx\"}} {}\n", index + 1, count.load(Ordering::Relaxed))
    });
    let text = format!(
        "# HELP bellwire_info The version and the database's engine.\n\
         # TYPE bellwire_info gauge\n\
         bellwire_info{{version=\"{version}\",database=\"{engine}\"}} 1\n\
         # HELP bellwire_deliveries_in_memory Deliveries that wait in memory or are being sent.\n\
         # TYPE bellwire_deliveries_in_memory gauge\n\
         bellwire_deliveries_in_memory {in_memory}\n\
         # HELP bellwire_http_requests_total Requests to the API answered since the start.\n\
         # TYPE bellwire_http_requests_total counter\n{classes}",
        version = env!("CARGO_PKG_VERSION"),
        engine = app.db.engine(),
        in_memory = ROOM.saturating_sub(app.wake.room()),
        classes = classes.collect::<String>(),
    );
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}
