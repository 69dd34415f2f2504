//! `/users`: people in the workspace.

use axum::{Json as Answer, extract::State};
use bellwire_core::{
    id::{RoleId, UserId},
    text::{Name, Reason},
};
use http::StatusCode;
use serde::Deserialize;
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
        page::{Page, PageRequest},
        principals::PrincipalStatus,
        users::{User, UserFilter, UserSort},
    },
    ops,
};

pub(super) fn routes() -> Vec<UtoipaMethodRouter<App>> {
    vec![routes!(list), routes!(get, update, remove), routes!(block), routes!(unblock)]
}

/// Which users to list, and how.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListUsers {
    /// How many at the most: 1 to 200; 50 when not given.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// By what; `name` when not given.
    #[param(inline)]
    sort: Option<UserSort>,
    /// Which way; `asc` when not given.
    #[param(inline)]
    order: Option<Order>,
    /// Text in the name or the e-mail address, or a whole id.
    search: Option<String>,
    /// Only those of this status.
    #[param(inline)]
    status: Option<PrincipalStatus>,
    /// Only those who hold this role.
    #[param(inline)]
    role: Option<RoleId>,
}

/// List users
#[utoipa::path(get, path = "/users", operation_id = "list_users", tag = "Users", params(ListUsers),
    responses((status = 200, description = "A page of the list", body = Page<User>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(query): Query<ListUsers>,
) -> ApiResult<Answer<Page<User>>> {
    let descending = Order::is_descending(query.order, Order::Asc);
    let sort = query.sort.unwrap_or(UserSort::Name);
    let request = PageRequest::new(query.limit, query.cursor.as_deref(), sort, descending)?;
    let wanted = UserFilter { search: query.search, status: query.status, role: query.role };
    Ok(Answer(ops::users::list(&app, &actor, wanted, request).await?))
}

/// Get a user
#[utoipa::path(get, path = "/users/{id}", operation_id = "get_user", tag = "Users",
    params(("id" = UserId, Path, description = "The user's id")),
    responses((status = 200, description = "The user", body = User)))]
async fn get(State(app): State<App>, Caller(actor): Caller, PathId(id): PathId<UserId>) -> ApiResult<Answer<User>> {
    Ok(Answer(ops::users::get(&app, &actor, id).await?))
}

/// What to change of a user.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UpdateUser {
    /// The name in this workspace.
    name: Name,
}

/// Rename a user
#[utoipa::path(patch, path = "/users/{id}", operation_id = "update_user", tag = "Users", request_body = UpdateUser,
    params(("id" = UserId, Path, description = "The user's id")),
    responses((status = 200, description = "The user as they are now", body = User)))]
async fn update(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(id): PathId<UserId>,
    Json(patch): Json<UpdateUser>,
) -> ApiResult<Answer<User>> {
    Ok(Answer(ops::users::update(&app, &actor, id, patch.name).await?))
}

/// Why a user is removed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RemoveUser {
    /// Why, in words: up to 500 characters.
    #[param(value_type = Option<String>)]
    reason: Option<Reason>,
}

/// Remove a user from the workspace
///
/// Their webhooks and groups stay and go to whoever removes them.
#[utoipa::path(delete, path = "/users/{id}", operation_id = "remove_user", tag = "Users",
    params(("id" = UserId, Path, description = "The user's id"), RemoveUser),
    responses((status = 204, description = "They are no longer in the workspace")))]
async fn remove(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(id): PathId<UserId>,
    Query(query): Query<RemoveUser>,
) -> ApiResult<StatusCode> {
    let reason = query.reason.filter(|reason| !reason.as_str().is_empty());
    ops::users::remove(&app, &actor, id, reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Block a user
///
/// From their next request on, everything is refused.
#[utoipa::path(post, path = "/users/{id}/block", operation_id = "block_user", tag = "Users",
    request_body(content = Option<Because>), params(("id" = UserId, Path, description = "The user's id")),
    responses((status = 200, description = "The user as they are now", body = User)))]
async fn block(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(id): PathId<UserId>,
    OptionalJson(because): OptionalJson<Because>,
) -> ApiResult<Answer<User>> {
    Ok(Answer(ops::users::block(&app, &actor, id, because.given()).await?))
}

/// Unblock a user
#[utoipa::path(post, path = "/users/{id}/unblock", operation_id = "unblock_user", tag = "Users",
    params(("id" = UserId, Path, description = "The user's id")),
    responses((status = 200, description = "The user as they are now", body = User)))]
async fn unblock(State(app): State<App>, Caller(actor): Caller, PathId(id): PathId<UserId>) -> ApiResult<Answer<User>> {
    Ok(Answer(ops::users::unblock(&app, &actor, id).await?))
}
