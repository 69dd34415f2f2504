//! `/webhooks`: URLs that get events.

use std::collections::BTreeMap;

use axum::{Json as Answer, extract::State, response::IntoResponse};
use bellwire_core::{
    catalogue::{ActorType, EventType, EventTypes},
    delivery::State as DeliveryState,
    id::{DeliveryId, WebhookId},
    text::{Description, Reason},
    time::Timestamp,
    webhook_url::WebhookUrl,
};
use http::{StatusCode, header::LOCATION};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{
    ApiResult,
    body::{Json, OptionalJson},
    parameters::{Caller, Order, PathId, Query, given},
};
use crate::{
    app::App,
    db::{
        page::{Page, PageRequest},
        replays::Replay,
        status_changes::{self, StatusChange},
        webhooks::{Sort, StatusFilter, Wanted},
    },
    ops::{
        self,
        replays::NewReplay,
        webhooks::{Missed, NewTest, NewWebhook, SecretView, WebhookDetails, WebhookPatch},
    },
};

pub(super) fn routes() -> Vec<UtoipaMethodRouter<App>> {
    vec![
        routes!(list, create),
        routes!(get, update, delete),
        routes!(activate),
        routes!(deactivate),
        routes!(status_changes),
        routes!(secret),
        routes!(rotate_secret),
        routes!(test),
        routes!(replay),
    ]
}

/// Which webhooks to list, and how.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListWebhooks {
    /// How many at the most: 1 to 200; 50 when not given.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// By what; `created_at` when not given.
    #[param(inline)]
    sort: Option<Sort>,
    /// Which way; `desc` when neither this nor `sort` is given, else `asc`.
    #[param(inline)]
    order: Option<Order>,
    /// Text in the URL, the description or the owner's name, or a whole id.
    search: Option<String>,
    /// Only those of this status.
    #[param(inline)]
    status: Option<StatusFilter>,
    /// Only those that want some event of this actor type.
    #[param(inline)]
    actor_type: Option<ActorType>,
}

/// List webhooks
#[utoipa::path(get, path = "/webhooks", operation_id = "list_webhooks", tag = "Webhooks", params(ListWebhooks),
    responses((status = 200, description = "A page of the list", body = Page<WebhookDetails>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(query): Query<ListWebhooks>,
) -> ApiResult<Answer<Page<WebhookDetails>>> {
    let descending = Order::is_descending(query.order, if query.sort.is_none() { Order::Desc } else { Order::Asc });
    let sort = query.sort.unwrap_or(Sort::CreatedAt);
    let request = PageRequest::new(query.limit, query.cursor.as_deref(), sort, descending)?;
    let wanted = Wanted { search: query.search, status: query.status, actor_type: query.actor_type };
    Ok(Answer(ops::webhooks::list(&app, &actor, wanted, request).await?))
}

/// A webhook to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateWebhook {
    /// Where events are sent: http or https.
    #[schema(value_type = String, example = "https://hooks.example.com/bellwire")]
    url: WebhookUrl,
    /// Which: names such as `user.blocked`, and whole groups such as `user.*`.
    event_types: EventTypes,
    /// What it is for.
    #[serde(default = "no_description")]
    #[schema(required = false)]
    description: Description,
    /// Sent with every request: names and values. The values are never shown again.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Requests per second at the most; without a limit when not given.
    #[serde(default)]
    rate_limit: Option<u32>,
}

fn no_description() -> Description {
    Description::parse("").expect("an empty description is allowed")
}

/// A new webhook, with the secret that signs what it gets.
#[derive(Debug, Serialize, ToSchema)]
struct CreatedWebhook {
    #[serde(flatten)]
    webhook: WebhookDetails,
    /// `whsec_…`: what signatures are checked with.
    secret: String,
}

/// Create a webhook
///
/// It is active at once.
#[utoipa::path(post, path = "/webhooks", operation_id = "create_webhook", tag = "Webhooks", request_body = CreateWebhook,
    responses((status = 201, description = "The new webhook, with its secret", body = CreatedWebhook)))]
async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(new): Json<CreateWebhook>,
) -> ApiResult<impl IntoResponse> {
    let new = NewWebhook {
        url: new.url,
        event_types: new.event_types,
        description: new.description,
        headers: new.headers.into_iter().collect(),
        rate_limit: new.rate_limit,
    };
    let (webhook, secret) = ops::webhooks::create(&app, &actor, new).await?;
    let location = [(LOCATION, format!("/api/v1/webhooks/{}", webhook.id))];
    Ok((StatusCode::CREATED, location, Answer(CreatedWebhook { webhook, secret })))
}

/// Get a webhook
#[utoipa::path(get, path = "/webhooks/{id}", operation_id = "get_webhook", tag = "Webhooks",
    params(("id" = WebhookId, Path, description = "The webhook's id")),
    responses((status = 200, description = "The webhook", body = WebhookDetails)))]
async fn get(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(id): PathId<WebhookId>,
) -> ApiResult<Answer<WebhookDetails>> {
    Ok(Answer(ops::webhooks::get(&app, &actor, id).await?))
}

/// What to modify; what is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UpdateWebhook {
    /// Where events are sent.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    url: Option<WebhookUrl>,
    /// Which.
    #[serde(default, deserialize_with = "given")]
    event_types: Option<EventTypes>,
    /// What it is for.
    #[serde(default, deserialize_with = "given")]
    description: Option<Description>,
    /// All headers that are sent with every request, in place of those before.
    #[serde(default, deserialize_with = "given")]
    headers: Option<BTreeMap<String, String>>,
    /// Requests per second at the most; null takes the limit away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    rate_limit: Option<Option<u32>>,
    /// Whether requests are signed with a key pair (`v1a`) as well.
    #[serde(default, deserialize_with = "given")]
    key_pair: Option<bool>,
}

/// Modify a webhook
#[utoipa::path(patch, path = "/webhooks/{id}", operation_id = "update_webhook", tag = "Webhooks", request_body = UpdateWebhook,
    params(("id" = WebhookId, Path, description = "The webhook's id")),
    responses((status = 200, description = "The webhook as it is now", body = WebhookDetails)))]
async fn update(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(id): PathId<WebhookId>,
    Json(patch): Json<UpdateWebhook>,
) -> ApiResult<Answer<WebhookDetails>> {
    let patch = WebhookPatch {
        url: patch.url,
        event_types: patch.event_types,
        description: patch.description,
        headers: patch.headers.map(|headers| headers.into_iter().collect()),
        rate_limit: patch.rate_limit,
        key_pair: patch.key_pair,
    };
    Ok(Answer(ops::webhooks::update(&app, &actor, id, patch).await?))
}

/// Delete a webhook
///
/// What is owed to it is not sent any more.
#[utoipa::path(delete, path = "/webhooks/{id}", operation_id = "delete_webhook", tag = "Webhooks",
    params(("id" = WebhookId, Path, description = "The webhook's id")),
    responses((status = 204, description = "It is gone")))]
async fn delete(State(app): State<App>, Caller(actor): Caller, PathId(id): PathId<WebhookId>) -> ApiResult<StatusCode> {
    ops::webhooks::delete(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How to turn a webhook on.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ActivateWebhook {
    /// What becomes of the events that it missed; `send` when not given.
    #[serde(default)]
    missed: Missed,
}

/// Turn a webhook on
///
/// What it missed is sent or skipped, as asked.
#[utoipa::path(post, path = "/webhooks/{id}/activate", operation_id = "activate_webhook", tag = "Webhooks",
    request_body(content = Option<ActivateWebhook>), params(("id" = WebhookId, Path, description = "The webhook's id")),
    responses((status = 200, description = "The webhook as it is now", body = WebhookDetails)))]
async fn activate(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(id): PathId<WebhookId>,
    OptionalJson(how): OptionalJson<ActivateWebhook>,
) -> ApiResult<Answer<WebhookDetails>> {
    Ok(Answer(ops::webhooks::activate(&app, &actor, id, how.missed).await?))
}

/// Why something is done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Because {
    /// Why, in words; may be empty.
    reason: Reason,
}

impl Because {
    /// The reason, if one was given.
    pub(super) fn given(self) -> Option<Reason> {
        Some(self.reason).filter(|reason| !reason.as_str().is_empty())
    }
}

impl Default for Because {
    fn default() -> Self {
        Self { reason: Reason::parse("").expect("an empty reason is allowed") }
    }
}

/// Turn a webhook off
///
/// What happens meanwhile is held.
#[utoipa::path(post, path = "/webhooks/{id}/deactivate", operation_id = "deactivate_webhook", tag = "Webhooks",
    request_body(content = Option<Because>), params(("id" = WebhookId, Path, description = "The webhook's id")),
    responses((status = 200, description = "The webhook as it is now", body = WebhookDetails)))]
async fn deactivate(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(id): PathId<WebhookId>,
    OptionalJson(because): OptionalJson<Because>,
) -> ApiResult<Answer<WebhookDetails>> {
    Ok(Answer(ops::webhooks::deactivate(&app, &actor, id, because.reason).await?))
}

/// How the status history is sorted.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum StatusChangeSort {
    /// Chronologically.
    At,
}

/// Which part of the status history to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListStatusChanges {
    /// How many at the most: 1 to 200; 50 when not given.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// By what: there is one way.
    #[serde(rename = "sort")]
    #[param(inline)]
    _sort: Option<StatusChangeSort>,
    /// Which way; `desc` when not given.
    #[param(inline)]
    order: Option<Order>,
}

/// List a webhook's status changes
#[utoipa::path(get, path = "/webhooks/{id}/status-changes", operation_id = "list_status_changes", tag = "Webhooks",
    params(("id" = WebhookId, Path, description = "The webhook's id"), ListStatusChanges),
    responses((status = 200, description = "A page of the list", body = Page<StatusChange>)))]
async fn status_changes(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(id): PathId<WebhookId>,
    Query(query): Query<ListStatusChanges>,
) -> ApiResult<Answer<Page<StatusChange>>> {
    let descending = Order::is_descending(query.order, Order::Desc);
    let request = PageRequest::new(query.limit, query.cursor.as_deref(), status_changes::ByTime, descending)?;
    Ok(Answer(ops::webhooks::status_changes(&app, &actor, id, request).await?))
}

/// Get a webhook's secret
///
/// That somebody looked at it is in the workspace's feed.
#[utoipa::path(get, path = "/webhooks/{id}/secret", operation_id = "get_webhook_secret", tag = "Webhooks",
    params(("id" = WebhookId, Path, description = "The webhook's id")),
    responses((status = 200, description = "The secret", body = SecretView)))]
async fn secret(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(id): PathId<WebhookId>,
) -> ApiResult<Answer<SecretView>> {
    Ok(Answer(ops::webhooks::reveal_secret(&app, &actor, id).await?))
}

/// How to change the secret.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct RotateSecret {
    /// For how long the old secret signs too: up to 7 days; one day when not given.
    overlap_seconds: u64,
}

impl Default for RotateSecret {
    fn default() -> Self {
        Self { overlap_seconds: 86_400 }
    }
}

/// Make a new secret for a webhook
///
/// For a while both secrets sign, so that receivers can change over.
#[utoipa::path(post, path = "/webhooks/{id}/secret/rotate", operation_id = "rotate_webhook_secret", tag = "Webhooks",
    request_body(content = Option<RotateSecret>), params(("id" = WebhookId, Path, description = "The webhook's id")),
    responses((status = 200, description = "The new secret", body = SecretView)))]
async fn rotate_secret(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(id): PathId<WebhookId>,
    OptionalJson(how): OptionalJson<RotateSecret>,
) -> ApiResult<Answer<SecretView>> {
    Ok(Answer(ops::webhooks::rotate_secret(&app, &actor, id, how.overlap_seconds).await?))
}

/// What to test with.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct TestWebhook {
    /// The type of the event; `webhook.test` when not given.
    #[serde(rename = "type")]
    event_type: Option<EventType>,
    /// The event's data, a JSON object of up to 256 KiB; the example of the catalogue when not given.
    #[schema(value_type = Option<Object>)]
    data: Option<Box<RawValue>>,
}

/// A delivery that was begun.
#[derive(Debug, Serialize, ToSchema)]
struct Begun {
    /// The delivery: ask for it to see how it goes.
    delivery_id: DeliveryId,
}

/// Send a test to a webhook
///
/// One event, to this webhook only, marked as a test.
#[utoipa::path(post, path = "/webhooks/{id}/test", operation_id = "test_webhook", tag = "Webhooks",
    request_body(content = Option<TestWebhook>), params(("id" = WebhookId, Path, description = "The webhook's id")),
    responses((status = 202, description = "The test is on its way", body = Begun)))]
async fn test(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(id): PathId<WebhookId>,
    OptionalJson(what): OptionalJson<TestWebhook>,
) -> ApiResult<(StatusCode, Answer<Begun>)> {
    let new = NewTest { event_type: what.event_type, data: what.data };
    let delivery_id = ops::webhooks::test(&app, &actor, id, new).await?;
    Ok((StatusCode::ACCEPTED, Answer(Begun { delivery_id })))
}

/// What to send again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReplayDeliveries {
    /// Deliveries made at this time or later.
    since: Timestamp,
    /// Deliveries made before this time; now when not given.
    #[serde(default)]
    until: Option<Timestamp>,
    /// Those that are `failed`, `cancelled` (what was held, and then skipped) or `delivered`; `failed` when not given.
    #[serde(default)]
    state: Option<DeliveryState>,
    /// Only those of this type of event.
    #[serde(default, rename = "type")]
    event_type: Option<EventType>,
}

/// Send many deliveries of a webhook again
///
/// Oldest first, in the background: look at the replay to see how far it is.
#[utoipa::path(post, path = "/webhooks/{id}/replay", operation_id = "replay_webhook", tag = "Webhooks",
    request_body = ReplayDeliveries, params(("id" = WebhookId, Path, description = "The webhook's id")),
    responses((status = 202, description = "They are on their way", body = Replay)))]
async fn replay(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(id): PathId<WebhookId>,
    Json(what): Json<ReplayDeliveries>,
) -> ApiResult<(StatusCode, Answer<Replay>)> {
    let state = what.state.unwrap_or(DeliveryState::Failed);
    let new = NewReplay { since: what.since, until: what.until, state, event_type: what.event_type };
    Ok((StatusCode::ACCEPTED, Answer(ops::replays::create(&app, &actor, id, new).await?)))
}
