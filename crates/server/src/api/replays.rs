//! `/replays`: many deliveries of a webhook that are sent again, and how far that is.

use axum::{Json as Answer, extract::State};
use bellwire_core::id::{ReplayId, WebhookId};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{
    ApiResult,
    parameters::{Caller, Order, PathId, Query},
};
use crate::{
    app::App,
    db::{
        page::{Page, PageRequest},
        replays::{ByTime, Replay},
    },
    ops,
};

pub(super) fn routes() -> Vec<UtoipaMethodRouter<App>> {
    vec![routes!(list), routes!(get), routes!(cancel)]
}

/// How replays are sorted.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ReplaySort {
    /// Chronologically.
    CreatedAt,
}

/// Which replays to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListReplays {
    /// How many at the most: 1 to 200; 50 when not given.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// By what: there is one way.
    #[serde(rename = "sort")]
    #[param(inline)]
    _sort: Option<ReplaySort>,
    /// Which way; `desc` when not given.
    #[param(inline)]
    order: Option<Order>,
}

/// List a webhook's replays
#[utoipa::path(get, path = "/webhooks/{id}/replays", operation_id = "list_replays", tag = "Deliveries",
    params(("id" = WebhookId, Path, description = "The webhook's id"), ListReplays),
    responses((status = 200, description = "A page of the list", body = Page<Replay>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(webhook): PathId<WebhookId>,
    Query(query): Query<ListReplays>,
) -> ApiResult<Answer<Page<Replay>>> {
    let descending = Order::is_descending(query.order, Order::Desc);
    let request = PageRequest::new(query.limit, query.cursor.as_deref(), ByTime, descending)?;
    Ok(Answer(ops::replays::list(&app, &actor, webhook, request).await?))
}

/// Get a replay
///
/// With how far it is.
#[utoipa::path(get, path = "/replays/{id}", operation_id = "get_replay", tag = "Deliveries",
    params(("id" = ReplayId, Path, description = "The replay's id")),
    responses((status = 200, description = "The replay", body = Replay)))]
async fn get(State(app): State<App>, Caller(actor): Caller, PathId(id): PathId<ReplayId>) -> ApiResult<Answer<Replay>> {
    Ok(Answer(ops::replays::get(&app, &actor, id).await?))
}

/// End a replay
///
/// What it has made due until then is sent all the same.
#[utoipa::path(post, path = "/replays/{id}/cancel", operation_id = "cancel_replay", tag = "Deliveries",
    params(("id" = ReplayId, Path, description = "The replay's id")),
    responses((status = 200, description = "The replay as it is now", body = Replay)))]
async fn cancel(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(id): PathId<ReplayId>,
) -> ApiResult<Answer<Replay>> {
    Ok(Answer(ops::replays::cancel(&app, &actor, id).await?))
}
