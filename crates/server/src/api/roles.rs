//! `/roles`: named sets of permissions, and who holds them.

use axum::{Json as Answer, extract::State};
use bellwire_core::{event::PrincipalId, id::RoleId};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{
    ApiResult,
    parameters::{Caller, PathId, PathIds},
};
use crate::{app::App, db::roles::Role, ops};

pub(super) fn routes() -> Vec<UtoipaMethodRouter<App>> {
    vec![routes!(list), routes!(get), routes!(assign, unassign)]
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

/// Get a role
#[utoipa::path(get, path = "/roles/{id}", operation_id = "get_role", tag = "Roles",
    params(("id" = RoleId, Path, description = "The role's id")),
    responses((status = 200, description = "The role", body = Role)))]
async fn get(State(app): State<App>, Caller(actor): Caller, PathId(id): PathId<RoleId>) -> ApiResult<Answer<Role>> {
    Ok(Answer(ops::roles::get(&app, &actor, id).await?))
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
