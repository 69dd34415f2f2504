//! `/api-keys`: identities of machines.

use axum::{Json as Answer, extract::State, response::IntoResponse};
use bellwire_core::{
    id::{ApiKeyId, RoleId},
    text::Name,
};
use http::{StatusCode, header::LOCATION};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{
    ApiResult,
    body::{Json, OptionalJson},
    parameters::{Caller, Order, PathId, Query},
    webhooks::Because,
};
use crate::{
    app::App,
    db::{
        api_keys::{ApiKey, ApiKeyFilter, ApiKeySort},
        page::{Page, PageRequest},
        principals::PrincipalStatus,
    },
    ops::{
        self,
        api_keys::{ApiKeyPatch, NewApiKey},
    },
};

pub(super) fn routes() -> Vec<UtoipaMethodRouter<App>> {
    vec![routes!(list, create), routes!(get, update, delete), routes!(rotate), routes!(block), routes!(unblock)]
}

/// Which API keys to list, and how.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListApiKeys {
    /// How many at the most: 1 to 200; 50 when not given.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// By what; `created_at` when not given.
    #[param(inline)]
    sort: Option<ApiKeySort>,
    /// Which way; `desc` when neither this nor `sort` is given, else `asc`.
    #[param(inline)]
    order: Option<Order>,
    /// Text in the name, or a whole id.
    search: Option<String>,
    /// Only those of this status.
    #[param(inline)]
    status: Option<PrincipalStatus>,
}

/// List API keys
#[utoipa::path(get, path = "/api-keys", operation_id = "list_api_keys", tag = "API keys", params(ListApiKeys),
    responses((status = 200, description = "A page of the list", body = Page<ApiKey>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(query): Query<ListApiKeys>,
) -> ApiResult<Answer<Page<ApiKey>>> {
    let descending = Order::is_descending(query.order, if query.sort.is_none() { Order::Desc } else { Order::Asc });
    let sort = query.sort.unwrap_or(ApiKeySort::CreatedAt);
    let request = PageRequest::new(query.limit, query.cursor.as_deref(), sort, descending)?;
    let wanted = ApiKeyFilter { search: query.search, status: query.status };
    Ok(Answer(ops::api_keys::list(&app, &actor, wanted, request).await?))
}

/// An API key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateApiKey {
    /// What it is called.
    name: Name,
    /// The roles that it holds; Member when not given.
    #[serde(default)]
    role_ids: Option<Vec<RoleId>>,
}

/// An API key with its secret, which is never shown again.
#[derive(Debug, Serialize, ToSchema)]
struct ApiKeyWithSecret {
    #[serde(flatten)]
    api_key: ApiKey,
    /// `bw_…`: what requests show.
    secret: String,
}

/// Make an API key
///
/// Nobody can give roles that allow more than their own.
#[utoipa::path(post, path = "/api-keys", operation_id = "create_api_key", tag = "API keys", request_body = CreateApiKey,
    responses((status = 201, description = "The new API key, with its secret", body = ApiKeyWithSecret)))]
async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(new): Json<CreateApiKey>,
) -> ApiResult<impl IntoResponse> {
    let new = NewApiKey { name: new.name, role_ids: new.role_ids };
    let (api_key, secret) = ops::api_keys::create(&app, &actor, new).await?;
    let location = [(LOCATION, format!("/api/v1/api-keys/{}", api_key.id))];
    Ok((StatusCode::CREATED, location, Answer(ApiKeyWithSecret { api_key, secret })))
}

/// Get an API key
#[utoipa::path(get, path = "/api-keys/{id}", operation_id = "get_api_key", tag = "API keys",
    params(("id" = ApiKeyId, Path, description = "The API key's id")),
    responses((status = 200, description = "The API key", body = ApiKey)))]
async fn get(State(app): State<App>, Caller(actor): Caller, PathId(id): PathId<ApiKeyId>) -> ApiResult<Answer<ApiKey>> {
    Ok(Answer(ops::api_keys::get(&app, &actor, id).await?))
}

/// What to change of an API key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UpdateApiKey {
    /// What it is called.
    name: Name,
}

/// Rename an API key
#[utoipa::path(patch, path = "/api-keys/{id}", operation_id = "update_api_key", tag = "API keys", request_body = UpdateApiKey,
    params(("id" = ApiKeyId, Path, description = "The API key's id")),
    responses((status = 200, description = "The API key as it is now", body = ApiKey)))]
async fn update(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(id): PathId<ApiKeyId>,
    Json(patch): Json<UpdateApiKey>,
) -> ApiResult<Answer<ApiKey>> {
    let patch = ApiKeyPatch { name: Some(patch.name), ..ApiKeyPatch::default() };
    Ok(Answer(ops::api_keys::update(&app, &actor, id, patch).await?))
}

/// Delete an API key
#[utoipa::path(delete, path = "/api-keys/{id}", operation_id = "delete_api_key", tag = "API keys",
    params(("id" = ApiKeyId, Path, description = "The API key's id")),
    responses((status = 204, description = "It is gone")))]
async fn delete(State(app): State<App>, Caller(actor): Caller, PathId(id): PathId<ApiKeyId>) -> ApiResult<StatusCode> {
    ops::api_keys::delete(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Make a new secret for an API key
///
/// The old one stops working at once.
#[utoipa::path(post, path = "/api-keys/{id}/rotate", operation_id = "rotate_api_key", tag = "API keys",
    params(("id" = ApiKeyId, Path, description = "The API key's id")),
    responses((status = 200, description = "The API key, with its new secret", body = ApiKeyWithSecret)))]
async fn rotate(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(id): PathId<ApiKeyId>,
) -> ApiResult<Answer<ApiKeyWithSecret>> {
    let (api_key, secret) = ops::api_keys::rotate(&app, &actor, id).await?;
    Ok(Answer(ApiKeyWithSecret { api_key, secret }))
}

/// Block an API key
#[utoipa::path(post, path = "/api-keys/{id}/block", operation_id = "block_api_key", tag = "API keys",
    request_body(content = Option<Because>), params(("id" = ApiKeyId, Path, description = "The API key's id")),
    responses((status = 200, description = "The API key as it is now", body = ApiKey)))]
async fn block(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(id): PathId<ApiKeyId>,
    OptionalJson(because): OptionalJson<Because>,
) -> ApiResult<Answer<ApiKey>> {
    Ok(Answer(ops::api_keys::block(&app, &actor, id, because.given()).await?))
}

/// Unblock an API key
#[utoipa::path(post, path = "/api-keys/{id}/unblock", operation_id = "unblock_api_key", tag = "API keys",
    params(("id" = ApiKeyId, Path, description = "The API key's id")),
    responses((status = 200, description = "The API key as it is now", body = ApiKey)))]
async fn unblock(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(id): PathId<ApiKeyId>,
) -> ApiResult<Answer<ApiKey>> {
    Ok(Answer(ops::api_keys::unblock(&app, &actor, id).await?))
}
