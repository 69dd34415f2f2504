//! `/roles`: named sets of permissions, and who holds them.

use axum::{Json as Answer, extract::State, response::IntoResponse};
use bellwire_core::{
    event::PrincipalId,
    id::RoleId,
    permission::{Permission, Permissions},
    text::{Description, Name},
};
use http::{StatusCode, header::LOCATION};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{
    ApiResult,
    body::Json,
    parameters::{Caller, PathId, PathIds, Query, given},
};
use crate::{
    app::App,
    db::{
        page::{Page, PageRequest},
        roles::{ByHolder, Role, RoleMember},
    },
    ops::{
        self,
        roles::{NewRole, RolePatch},
    },
};

pub(super) fn routes() -> Vec<UtoipaMethodRouter<App>> {
    vec![routes!(list, create), routes!(get, update, delete), routes!(members), routes!(assign, unassign)]
}

/// All roles of the workspace.
#[derive(Debug, Serialize, ToSchema)]
struct RoleList {
    /// All of them.
    data: Vec<Role>,
    /// Always null: there are no more.
    next: Option<String>,
}

/// List roles
#[utoipa::path(get, path = "/roles", operation_id = "list_roles", tag = "Roles",
    responses((status = 200, description = "All roles", body = RoleList)))]
async fn list(State(app): State<App>, Caller(actor): Caller) -> ApiResult<Answer<RoleList>> {
    Ok(Answer(RoleList { data: ops::roles::list(&app, &actor).await?, next: None }))
}

/// A role to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateRole {
    /// What it is called: unique in the workspace, whatever the case.
    name: Name,
    /// What it is for.
    #[serde(default = "no_description")]
    description: Description,
    /// What it allows: at least one, and not `workspace.own`.
    #[schema(value_type = Vec<Permission>)]
    permissions: Permissions,
}

fn no_description() -> Description {
    Description::parse("").expect("an empty description is allowed")
}

/// Create a role
///
/// Nobody can make roles that allow more than their own.
#[utoipa::path(post, path = "/roles", operation_id = "create_role", tag = "Roles", request_body = CreateRole,
    responses((status = 201, description = "The new role", body = Role)))]
async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(new): Json<CreateRole>,
) -> ApiResult<impl IntoResponse> {
    let new = NewRole { name: new.name, description: new.description, permissions: new.permissions };
    let role = ops::roles::create(&app, &actor, new).await?;
    Ok((StatusCode::CREATED, [(LOCATION, format!("/api/v1/roles/{}", role.id))], Answer(role)))
}

/// Get a role
#[utoipa::path(get, path = "/roles/{id}", operation_id = "get_role", tag = "Roles",
    params(("id" = RoleId, Path, description = "The role's id")),
    responses((status = 200, description = "The role", body = Role)))]
async fn get(State(app): State<App>, Caller(actor): Caller, PathId(id): PathId<RoleId>) -> ApiResult<Answer<Role>> {
    Ok(Answer(ops::roles::get(&app, &actor, id).await?))
}

/// What to change of a role. What is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UpdateRole {
    /// What it is called.
    #[serde(default, deserialize_with = "given")]
    name: Option<Name>,
    /// What it is for.
    #[serde(default, deserialize_with = "given")]
    description: Option<Description>,
    /// What it allows, all of it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<Permission>>)]
    permissions: Option<Permissions>,
}

/// Modify a role
///
/// What it allows then is what its holders may do from their next request on. Whoever changes a role must hold everything that it
/// allows, before and after. Built-in roles stay as they are.
#[utoipa::path(patch, path = "/roles/{id}", operation_id = "update_role", tag = "Roles", request_body = UpdateRole,
    params(("id" = RoleId, Path, description = "The role's id")),
    responses((status = 200, description = "The role as it is now", body = Role)))]
async fn update(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(id): PathId<RoleId>,
    Json(patch): Json<UpdateRole>,
) -> ApiResult<Answer<Role>> {
    let UpdateRole { name, description, permissions } = patch;
    let patch = RolePatch { name, description, permissions, seen: None };
    Ok(Answer(ops::roles::update(&app, &actor, id, patch).await?))
}

/// Delete a role
///
/// Refused with `role_in_use` while anybody holds it or a pending invite names it.
#[utoipa::path(delete, path = "/roles/{id}", operation_id = "delete_role", tag = "Roles",
    params(("id" = RoleId, Path, description = "The role's id")),
    responses((status = 204, description = "It is gone")))]
async fn delete(State(app): State<App>, Caller(actor): Caller, PathId(id): PathId<RoleId>) -> ApiResult<StatusCode> {
    ops::roles::delete(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which part of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListMembers {
    /// How many at the most: 1 to 200; 50 when not given.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// List who holds a role
///
/// API keys first, then users, each in the order in which they were made.
#[utoipa::path(get, path = "/roles/{id}/members", operation_id = "list_role_members", tag = "Roles",
    params(("id" = RoleId, Path, description = "The role's id"), ListMembers),
    responses((status = 200, description = "A page of the list", body = Page<RoleMember>)))]
async fn members(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(id): PathId<RoleId>,
    Query(query): Query<ListMembers>,
) -> ApiResult<Answer<Page<RoleMember>>> {
    let request = PageRequest::new(query.limit, query.cursor.as_deref(), ByHolder, false)?;
    Ok(Answer(ops::roles::members(&app, &actor, id, request).await?))
}

/// Give a role to a user or API key
///
/// Nobody can give roles that allow more than their own. Giving one that is held already changes nothing.
#[utoipa::path(put, path = "/roles/{id}/members/{principal_id}", operation_id = "assign_role", tag = "Roles",
    params(
        ("id" = RoleId, Path, description = "The role's id"),
        ("principal_id" = String, Path, description = "The user's or the API key's id"),
    ),
    responses((status = 204, description = "They hold it")))]
async fn assign(
    State(app): State<App>,
    Caller(actor): Caller,
    PathIds(role, principal): PathIds<RoleId, PrincipalId>,
) -> ApiResult<StatusCode> {
    ops::roles::assign(&app, &actor, role, principal).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take a role from a user or API key
#[utoipa::path(delete, path = "/roles/{id}/members/{principal_id}", operation_id = "unassign_role", tag = "Roles",
    params(
        ("id" = RoleId, Path, description = "The role's id"),
        ("principal_id" = String, Path, description = "The user's or the API key's id"),
    ),
    responses((status = 204, description = "They don't hold it")))]
async fn unassign(
    State(app): State<App>,
    Caller(actor): Caller,
    PathIds(role, principal): PathIds<RoleId, PrincipalId>,
) -> ApiResult<StatusCode> {
    ops::roles::unassign(&app, &actor, role, principal).await?;
    Ok(StatusCode::NO_CONTENT)
}
