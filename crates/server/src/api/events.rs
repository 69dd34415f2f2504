//! `/events`: what happened in the workspace; publishing events from other systems.

use axum::{Json as Answer, extract::State};
use bellwire_core::{
    catalogue::{ActorType, EventType, EventTypes},
    id::EventId,
    time::Timestamp,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{
    ApiResult,
    body::{BATCH_LIMIT, Json},
    parameters::{Caller, FrequentCaller, Idempotency, Order, PathId, Query},
};
use crate::{
    app::App,
    db::{
        event_views::{BySequence, EventView, Wanted},
        page::{Page, PageRequest},
    },
    ops::{
        self,
        events::EventDetails,
        publish::{NewPublish, Published},
    },
};

pub(super) fn routes() -> Vec<UtoipaMethodRouter<App>> {
    vec![routes!(list, publish), routes!(publish_batch), routes!(get)]
}

/// How events are sorted.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum EventSort {
    /// By their number in the workspace.
    Sequence,
}

/// Which events to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListEvents {
    /// How many at the most: 1 to 200; 50 when not given.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// By what: there is one way.
    #[serde(rename = "sort")]
    #[param(inline)]
    _sort: Option<EventSort>,
    /// Which way; `desc` when not given.
    #[param(inline)]
    order: Option<Order>,
    /// Only those of this type.
    #[serde(rename = "type")]
    #[param(inline)]
    event_type: Option<EventType>,
    /// Only those of types of this actor type.
    #[param(inline)]
    actor_type: Option<ActorType>,
    /// Only what this user or API key did.
    actor_id: Option<String>,
    /// Text in the ids, the name of the actor or the data.
    search: Option<String>,
    /// Only those about the thing with this id.
    object_id: Option<String>,
    /// Only those that were written at this time or later.
    since: Option<Timestamp>,
    /// Only those that were written before this time.
    until: Option<Timestamp>,
}

/// List events
///
/// Filters by type, actor, object and text look at 20,000 events for a page: it may have few rows, or none, and still a `next`.
#[utoipa::path(get, path = "/events", operation_id = "list_events", tag = "Events", params(ListEvents),
    responses((status = 200, description = "A page of the list", body = Page<EventView>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(query): Query<ListEvents>,
) -> ApiResult<Answer<Page<EventView>>> {
    let descending = Order::is_descending(query.order, Order::Desc);
    let request = PageRequest::new(query.limit, query.cursor.as_deref(), BySequence, descending)?;
    let types = [query.event_type.map(EventTypes::from), query.actor_type.map(|it| it.types().collect())];
    let wanted = Wanted {
        event_types: types.into_iter().flatten().reduce(EventTypes::intersection),
        actor_id: query.actor_id,
        object_id: query.object_id,
        search: query.search,
        since: query.since,
        until: query.until,
    };
    Ok(Answer(ops::events::list(&app, &actor, wanted, request).await?))
}

/// Publish an event
///
/// The answer means that it is on disk and will be delivered. With an `Idempotency-Key` it is safe to repeat for 24 hours.
#[utoipa::path(post, path = "/events", operation_id = "publish_event", tag = "Events", request_body = NewPublish,
    params(("Idempotency-Key" = Option<String>, Header, description = "What you call this publish: 1 to 255 visible ASCII characters")),
    responses((status = 202, description = "It is on disk", body = Published)))]
pub(super) async fn publish(
    State(app): State<App>,
    FrequentCaller(actor): FrequentCaller,
    Idempotency(key): Idempotency,
    Json(new): Json<NewPublish>,
) -> ApiResult<(StatusCode, Answer<Published>)> {
    Ok((StatusCode::ACCEPTED, Answer(ops::publish::publish(&app, &actor, new, key).await?)))
}

/// Events to publish together.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PublishBatch {
    /// 1 to 1,000 events.
    #[schema(min_items = 1, max_items = 1000)]
    events: Vec<NewPublish>,
}

/// Events that were published, in the order in which they were sent.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PublishedBatch {
    /// All of them.
    data: Vec<Published>,
}

/// Publish many events
///
/// All of them or none, with numbers that follow each other.
#[utoipa::path(post, path = "/events/batch", operation_id = "publish_events", tag = "Events", request_body = PublishBatch,
    params(("Idempotency-Key" = Option<String>, Header, description = "What you call this publish: 1 to 255 visible ASCII characters")),
    responses((status = 202, description = "They are on disk", body = PublishedBatch)))]
pub(super) async fn publish_batch(
    State(app): State<App>,
    FrequentCaller(actor): FrequentCaller,
    Idempotency(key): Idempotency,
    Json(batch): Json<PublishBatch, BATCH_LIMIT>,
) -> ApiResult<(StatusCode, Answer<PublishedBatch>)> {
    let data = ops::publish::publish_batch(&app, &actor, batch.events, key).await?;
    Ok((StatusCode::ACCEPTED, Answer(PublishedBatch { data })))
}

/// Get an event
///
/// With its deliveries, up to 1,000.
#[utoipa::path(get, path = "/events/{id}", operation_id = "get_event", tag = "Events",
    params(("id" = EventId, Path, description = "The event's id")),
    responses((status = 200, description = "The event", body = EventDetails)))]
async fn get(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(id): PathId<EventId>,
) -> ApiResult<Answer<EventDetails>> {
    Ok(Answer(ops::events::get(&app, &actor, id).await?))
}
