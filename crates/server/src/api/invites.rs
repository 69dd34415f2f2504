//! `/invites`: offers to join the workspace.

use axum::{Json as Answer, extract::State, response::IntoResponse};
use bellwire_core::{
    id::{InviteId, RoleId},
    text::Email,
};
use http::{StatusCode, header::LOCATION};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{
    ApiResult,
    body::Json,
    parameters::{Caller, Order, PathId, Query},
};
use crate::{
    app::App,
    db::{
        invites::{Invite, InviteFilter, InviteSort, InviteStatus},
        page::{Page, PageRequest},
    },
    ops::{
        self,
        invites::{NewInvite, SentInvite},
    },
};

pub(super) fn routes() -> Vec<UtoipaMethodRouter<App>> {
    vec![routes!(list, create), routes!(get, delete), routes!(resend)]
}

/// Which invites to list, and how.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListInvites {
    /// How many at the most: 1 to 200; 50 when not given.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// By what; `created_at` when not given.
    #[param(inline)]
    sort: Option<InviteSort>,
    /// Which way; `desc` when neither this nor `sort` is given, else `asc`.
    #[param(inline)]
    order: Option<Order>,
    /// Text in the e-mail address, or a whole id.
    search: Option<String>,
    /// Only those of this status.
    #[param(inline)]
    status: Option<InviteStatus>,
}

/// List invites
#[utoipa::path(get, path = "/invites", operation_id = "list_invites", tag = "Invites", params(ListInvites),
    responses((status = 200, description = "A page of the list", body = Page<Invite>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(query): Query<ListInvites>,
) -> ApiResult<Answer<Page<Invite>>> {
    let descending = Order::is_descending(query.order, if query.sort.is_none() { Order::Desc } else { Order::Asc });
    let sort = query.sort.unwrap_or(InviteSort::CreatedAt);
    let request = PageRequest::new(query.limit, query.cursor.as_deref(), sort, descending)?;
    let wanted = InviteFilter { search: query.search, status: query.status };
    Ok(Answer(ops::invites::list(&app, &actor, wanted, request).await?))
}

/// Whom to invite.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateInvite {
    /// Where the invite goes.
    email: Email,
    /// The roles that they will hold; Member when not given.
    #[serde(default)]
    role_ids: Option<Vec<RoleId>>,
}

/// Invite somebody
///
/// Nobody can give roles that allow more than their own. Bellwire sends no mail: pass `url` on.
#[utoipa::path(post, path = "/invites", operation_id = "create_invite", tag = "Invites", request_body = CreateInvite,
    responses((status = 201, description = "The new invite, with its link", body = SentInvite)))]
async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(new): Json<CreateInvite>,
) -> ApiResult<impl IntoResponse> {
    let new = NewInvite { email: new.email, role_ids: new.role_ids };
    let sent = ops::invites::create(&app, &actor, new).await?;
    Ok((StatusCode::CREATED, [(LOCATION, format!("/api/v1/invites/{}", sent.invite.id))], Answer(sent)))
}

/// Get an invite
#[utoipa::path(get, path = "/invites/{id}", operation_id = "get_invite", tag = "Invites",
    params(("id" = InviteId, Path, description = "The invite's id")),
    responses((status = 200, description = "The invite", body = Invite)))]
async fn get(State(app): State<App>, Caller(actor): Caller, PathId(id): PathId<InviteId>) -> ApiResult<Answer<Invite>> {
    Ok(Answer(ops::invites::get(&app, &actor, id).await?))
}

/// Delete an invite
///
/// Its link stops working.
#[utoipa::path(delete, path = "/invites/{id}", operation_id = "delete_invite", tag = "Invites",
    params(("id" = InviteId, Path, description = "The invite's id")),
    responses((status = 204, description = "It can't be accepted any more")))]
async fn delete(State(app): State<App>, Caller(actor): Caller, PathId(id): PathId<InviteId>) -> ApiResult<StatusCode> {
    ops::invites::delete(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Make a new link for an invite
///
/// The old link stops working; the new one is good for 7 days.
#[utoipa::path(post, path = "/invites/{id}/resend", operation_id = "resend_invite", tag = "Invites",
    params(("id" = InviteId, Path, description = "The invite's id")),
    responses((status = 202, description = "The invite, with its new link", body = SentInvite)))]
async fn resend(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(id): PathId<InviteId>,
) -> ApiResult<(StatusCode, Answer<SentInvite>)> {
    Ok((StatusCode::ACCEPTED, Answer(ops::invites::resend(&app, &actor, id).await?)))
}
