//! What the machines around Bellwire ask: is it alive, and can it do its work.

use axum::extract::State;
use http::StatusCode;

use super::ApiResult;
use crate::{app::App, error::Error};

/// `GET /healthz`: the process answers.
pub(super) async fn healthz() -> &'static str {
    "ok"
}

/// `GET /readyz`: the database answers, can be read and written, and the process is not about to end.
pub(super) async fn readyz(State(app): State<App>) -> ApiResult<(StatusCode, &'static str)> {
    if !app.is_serving() {
        // No failure: nothing is logged.
        return Ok((StatusCode::SERVICE_UNAVAILABLE, "stopping"));
    }
    if !app.database_clock.is_confirmed() {
        return Ok((StatusCode::SERVICE_UNAVAILABLE, "the database does not answer"));
    }
    app.db.read(|conn| Box::pin(async move { Ok::<_, Error>(conn.query_one("SELECT 1 AS one", &[]).await?) })).await?;
    // Takes the place of a writer and changes no row.
    let nothing = "UPDATE workspaces SET sequence = sequence WHERE id = ''";
    app.db.write(move |conn| Box::pin(async move { Ok::<_, Error>(conn.execute(nothing, &[]).await?) })).await?;
    Ok((StatusCode::OK, "ok"))
}
