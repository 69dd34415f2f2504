//! `/groups`: named sets of users and API keys.

use axum::{Json as Answer, extract::State, response::IntoResponse};
use bellwire_core::{event::PrincipalId, id::GroupId, text::Name};
use http::{StatusCode, header::LOCATION};
use serde::{Deserialize, Deserializer, de};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{
    ApiResult,
    body::Json,
    parameters::{Caller, Order, PathId, PathIds, Query, given},
};
use crate::{
    app::App,
    db::{
        group_members::{GroupMember, GroupMemberSort},
        groups::{Group, GroupFilter, GroupSort},
        page::{Page, PageRequest},
    },
    ops::{
        self,
        groups::{GroupPatch, NewGroup},
    },
};

pub(super) fn routes() -> Vec<UtoipaMethodRouter<App>> {
    vec![routes!(list, create), routes!(get, update, delete), routes!(members), routes!(add_member, remove_member)]
}

/// Which groups to list, and how.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListGroups {
    /// How many at the most: 1 to 200; 50 when not given.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// By what; `name` when not given.
    #[param(inline)]
    sort: Option<GroupSort>,
    /// Which way; `asc` when not given.
    #[param(inline)]
    order: Option<Order>,
    /// Text in the name or the owner's name, or a whole id.
    search: Option<String>,
}

/// List groups
#[utoipa::path(get, path = "/groups", operation_id = "list_groups", tag = "Groups", params(ListGroups),
    responses((status = 200, description = "A page of the list", body = Page<Group>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(query): Query<ListGroups>,
) -> ApiResult<Answer<Page<Group>>> {
    let descending = Order::is_descending(query.order, Order::Asc);
    let sort = query.sort.unwrap_or(GroupSort::Name);
    let request = PageRequest::new(query.limit, query.cursor.as_deref(), sort, descending)?;
    Ok(Answer(ops::groups::list(&app, &actor, GroupFilter { search: query.search }, request).await?))
}

/// The id of a user or API key, in a body.
#[derive(Clone, Copy, Debug)]
struct OwnerId(PrincipalId);

impl<'de> Deserialize<'de> for OwnerId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse();
        id.map(Self).map_err(|_| de::Error::custom("must be the id of a user (usr_…) or an API key (key_…)"))
    }
}

/// A group to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateGroup {
    /// What it is called. No two groups have the same name, whatever the case.
    name: Name,
    /// The active user or API key that owns it; whoever makes it when not given.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    owner_id: Option<OwnerId>,
}

/// Make a group
///
/// Nobody is in it yet. Groups give no permissions: those come with roles.
#[utoipa::path(post, path = "/groups", operation_id = "create_group", tag = "Groups", request_body = CreateGroup,
    responses((status = 201, description = "The new group", body = Group)))]
async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(new): Json<CreateGroup>,
) -> ApiResult<impl IntoResponse> {
    let new = NewGroup { name: new.name, owner: new.owner_id.map(|id| id.0) };
    let group = ops::groups::create(&app, &actor, new).await?;
    Ok((StatusCode::CREATED, [(LOCATION, format!("/api/v1/groups/{}", group.id))], Answer(group)))
}

/// Get a group
#[utoipa::path(get, path = "/groups/{id}", operation_id = "get_group", tag = "Groups",
    params(("id" = GroupId, Path, description = "The group's id")),
    responses((status = 200, description = "The group", body = Group)))]
async fn get(State(app): State<App>, Caller(actor): Caller, PathId(id): PathId<GroupId>) -> ApiResult<Answer<Group>> {
    Ok(Answer(ops::groups::get(&app, &actor, id).await?))
}

/// What to change of a group. What is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UpdateGroup {
    /// What it is called.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, required = false)]
    name: Option<Name>,
    /// The active user or API key that owns it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, required = false)]
    owner_id: Option<OwnerId>,
}

/// Rename a group, or give it another owner
#[utoipa::path(patch, path = "/groups/{id}", operation_id = "update_group", tag = "Groups", request_body = UpdateGroup,
    params(("id" = GroupId, Path, description = "The group's id")),
    responses((status = 200, description = "The group as it is now", body = Group)))]
async fn update(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(id): PathId<GroupId>,
    Json(patch): Json<UpdateGroup>,
) -> ApiResult<Answer<Group>> {
    let patch = GroupPatch { name: patch.name, owner: patch.owner_id.map(|id| id.0) };
    Ok(Answer(ops::groups::update(&app, &actor, id, patch).await?))
}

/// Delete a group
///
/// Its members stay in the workspace. There is one event, `group.deleted`, however many members it had.
#[utoipa::path(delete, path = "/groups/{id}", operation_id = "delete_group", tag = "Groups",
    params(("id" = GroupId, Path, description = "The group's id")),
    responses((status = 204, description = "It is gone")))]
async fn delete(State(app): State<App>, Caller(actor): Caller, PathId(id): PathId<GroupId>) -> ApiResult<StatusCode> {
    ops::groups::delete(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which members to list, and how.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListMembers {
    /// How many at the most: 1 to 200; 50 when not given.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// By what; `name` when not given.
    #[param(inline)]
    sort: Option<GroupMemberSort>,
    /// Which way; `asc` when not given.
    #[param(inline)]
    order: Option<Order>,
    /// Text in the name or the e-mail address, or a whole id.
    search: Option<String>,
}

/// List the members of a group
#[utoipa::path(get, path = "/groups/{id}/members", operation_id = "list_group_members", tag = "Groups",
    params(("id" = GroupId, Path, description = "The group's id"), ListMembers),
    responses((status = 200, description = "A page of the list", body = Page<GroupMember>)))]
async fn members(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(id): PathId<GroupId>,
    Query(query): Query<ListMembers>,
) -> ApiResult<Answer<Page<GroupMember>>> {
    let descending = Order::is_descending(query.order, Order::Asc);
    let sort = query.sort.unwrap_or(GroupMemberSort::Name);
    let request = PageRequest::new(query.limit, query.cursor.as_deref(), sort, descending)?;
    Ok(Answer(ops::groups::members(&app, &actor, id, query.search, request).await?))
}

/// Add a user or API key to a group
///
/// Adding one that is in it already changes nothing.
#[utoipa::path(put, path = "/groups/{id}/members/{principal_id}", operation_id = "add_group_member", tag = "Groups",
    params(
        ("id" = GroupId, Path, description = "The group's id"),
        ("principal_id" = String, Path, description = "The user's or the API key's id"),
    ),
    responses((status = 204, description = "They are in it")))]
async fn add_member(
    State(app): State<App>,
    Caller(actor): Caller,
    PathIds(group, principal): PathIds<GroupId, PrincipalId>,
) -> ApiResult<StatusCode> {
    ops::groups::add_members(&app, &actor, group, vec![principal]).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove a user or API key from a group
#[utoipa::path(delete, path = "/groups/{id}/members/{principal_id}", operation_id = "remove_group_member", tag = "Groups",
    params(
        ("id" = GroupId, Path, description = "The group's id"),
        ("principal_id" = String, Path, description = "The user's or the API key's id"),
    ),
    responses((status = 204, description = "They are not in it")))]
async fn remove_member(
    State(app): State<App>,
    Caller(actor): Caller,
    PathIds(group, principal): PathIds<GroupId, PrincipalId>,
) -> ApiResult<StatusCode> {
    ops::groups::remove_member(&app, &actor, group, principal).await?;
    Ok(StatusCode::NO_CONTENT)
}
