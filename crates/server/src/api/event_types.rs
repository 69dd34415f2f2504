//! `/event-types`: the catalogue.

use axum::Json as Answer;
use bellwire_core::catalogue::{ActorType, EventType};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{ApiResult, parameters::Caller};
use crate::app::App;

pub(super) fn routes() -> Vec<UtoipaMethodRouter<App>> {
    vec![routes!(list)]
}

/// A type of event.
#[derive(Debug, Serialize, ToSchema)]
struct EventTypeDescription {
    /// The stable name.
    name: EventType,
    /// The actor type that it belongs to; null for what happens to webhooks.
    actor_type: Option<ActorType>,
    /// What people call it.
    title: &'static str,
    /// What happened, in one sentence.
    description: &'static str,
    /// Whether a webhook can want it.
    subscribable: bool,
    /// The JSON Schema (2020-12) of the event's `data`.
    #[schema(value_type = Object)]
    data_schema: serde_json::Value,
    /// An example of the whole body.
    #[schema(value_type = Object)]
    example: serde_json::Value,
}

/// The whole catalogue, in its order.
#[derive(Debug, Serialize, ToSchema)]
struct EventTypeList {
    /// All types.
    data: Vec<EventTypeDescription>,
    /// Always null: there are no more.
    next: Option<String>,
}

/// List event types
#[utoipa::path(get, path = "/event-types", operation_id = "list_event_types", tag = "Event types",
    responses((status = 200, description = "All event types", body = EventTypeList)))]
async fn list(_: Caller) -> ApiResult<Answer<EventTypeList>> {
    let describe = |name: EventType| {
        let entry = name.entry();
        EventTypeDescription {
            name,
            actor_type: entry.actor_type,
            title: entry.title,
            description: entry.description,
            subscribable: entry.subscribable,
            data_schema: entry.data_schema(),
            example: entry.example_body(),
        }
    };
    Ok(Answer(EventTypeList { data: EventType::all().map(describe).collect(), next: None }))
}
