//! `/deliveries`: events owed to webhooks, and the attempts to deliver them.

use axum::{Json as Answer, extract::State};
use bellwire_core::{
    catalogue::EventType,
    delivery::State as DeliveryState,
    id::{DeliveryId, WebhookId},
    time::Timestamp,
};
use http::StatusCode;
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
        deliveries::{ByTime, Delivery, Wanted},
        page::{Page, PageRequest},
    },
    ops::{self, deliveries::DeliveryDetails},
};

pub(super) fn routes() -> Vec<UtoipaMethodRouter<App>> {
    vec![routes!(list), routes!(get), routes!(resend)]
}

/// How deliveries are sorted.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum DeliverySort {
    /// Chronologically.
    CreatedAt,
}

/// Which deliveries to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListDeliveries {
    /// How many at the most: 1 to 200; 50 when not given.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// By what: there is one way.
    #[serde(rename = "sort")]
    #[param(inline)]
    _sort: Option<DeliverySort>,
    /// Which way; `desc` when not given.
    #[param(inline)]
    order: Option<Order>,
    /// Only those of this state.
    #[param(inline)]
    state: Option<DeliveryState>,
    /// Only those of events of this type.
    #[serde(rename = "type")]
    #[param(inline)]
    event_type: Option<EventType>,
    /// Only those made at this time or later.
    since: Option<Timestamp>,
    /// Only those made before this time.
    until: Option<Timestamp>,
}

/// List a webhook's deliveries
///
/// By `created_at`, the newest first when nothing else is asked for; those of one moment in the order of their events' `sequence`.
/// Filters by state and type look at 20,000 deliveries for a page: it may have few rows, or none, and still a `next`.
#[utoipa::path(get, path = "/webhooks/{id}/deliveries", operation_id = "list_deliveries", tag = "Deliveries",
    params(("id" = WebhookId, Path, description = "The webhook's id"), ListDeliveries),
    responses((status = 200, description = "A page of the list", body = Page<Delivery>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(webhook): PathId<WebhookId>,
    Query(query): Query<ListDeliveries>,
) -> ApiResult<Answer<Page<Delivery>>> {
    let descending = Order::is_descending(query.order, Order::Desc);
    let request = PageRequest::new(query.limit, query.cursor.as_deref(), ByTime, descending)?;
    let event_type = query.event_type.map(|event_type| event_type.to_string());
    let wanted = Wanted { state: query.state, event_type, since: query.since, until: query.until, ..Wanted::default() };
    Ok(Answer(ops::deliveries::list(&app, &actor, webhook, wanted, request).await?))
}

/// Get a delivery
///
/// With its event and every attempt.
#[utoipa::path(get, path = "/deliveries/{id}", operation_id = "get_delivery", tag = "Deliveries",
    params(("id" = DeliveryId, Path, description = "The delivery's id")),
    responses((status = 200, description = "The delivery", body = DeliveryDetails)))]
async fn get(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(id): PathId<DeliveryId>,
) -> ApiResult<Answer<DeliveryDetails>> {
    Ok(Answer(ops::deliveries::get(&app, &actor, id).await?))
}

/// Send a delivery again
///
/// At once. Automatic retries go on if this fails.
#[utoipa::path(post, path = "/deliveries/{id}/resend", operation_id = "resend_delivery", tag = "Deliveries",
    params(("id" = DeliveryId, Path, description = "The delivery's id")),
    responses((status = 202, description = "It is on its way", body = Delivery)))]
async fn resend(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(id): PathId<DeliveryId>,
) -> ApiResult<(StatusCode, Answer<Delivery>)> {
    Ok((StatusCode::ACCEPTED, Answer(ops::deliveries::resend(&app, &actor, id).await?)))
}
