//! `/ownership-offers`: handing the workspace over.
//!
//! Programs can make, see and withdraw offers. Accepting and declining is for people, in the console: whoever becomes the owner has
//! to be there themselves.

use axum::{Json as Answer, extract::State, response::IntoResponse};
use bellwire_core::id::{OwnershipOfferId, UserId};
use http::{StatusCode, header::LOCATION};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{
    ApiResult,
    body::Json,
    parameters::{Caller, PathId, Query},
};
use crate::{
    app::App,
    db::{
        ownership_offers::{ByCreated, OwnershipOffer},
        page::{Page, PageRequest},
    },
    ops,
};

pub(super) fn routes() -> Vec<UtoipaMethodRouter<App>> {
    vec![routes!(list, create), routes!(get, withdraw)]
}

/// Which part of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListOffers {
    /// How many at the most: 1 to 200; 50 when not given.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// List open offers of ownership
///
/// The newest first. What was accepted, declined or withdrawn, or has run out, is not among them.
#[utoipa::path(get, path = "/ownership-offers", operation_id = "list_ownership_offers", tag = "Ownership offers", params(ListOffers),
    responses((status = 200, description = "A page of the list", body = Page<OwnershipOffer>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(query): Query<ListOffers>,
) -> ApiResult<Answer<Page<OwnershipOffer>>> {
    let request = PageRequest::new(query.limit, query.cursor.as_deref(), ByCreated, true)?;
    Ok(Answer(ops::ownership::list(&app, &actor, request).await?))
}

/// Who offers the ownership to whom.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateOffer {
    /// The owner who gives the workspace away, and becomes an admin.
    from: UserId,
    /// The user who may become the owner.
    to: UserId,
}

/// Offer the ownership of the workspace
///
/// The user accepts or declines in the console, within 7 days; there is no way to do it with an API key. An owner has one open offer
/// at the most. The offer ends when either of the two is blocked or goes, and when the one is no longer an owner. Needs `workspace.own`.
#[utoipa::path(post, path = "/ownership-offers", operation_id = "create_ownership_offer", tag = "Ownership offers",
    request_body = CreateOffer, responses((status = 201, description = "The open offer", body = OwnershipOffer)))]
async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Json(new): Json<CreateOffer>,
) -> ApiResult<impl IntoResponse> {
    let offer = ops::ownership::offer(&app, &actor, new.from, new.to).await?;
    Ok((StatusCode::CREATED, [(LOCATION, format!("/api/v1/ownership-offers/{}", offer.id))], Answer(offer)))
}

/// Get an open offer of ownership
#[utoipa::path(get, path = "/ownership-offers/{id}", operation_id = "get_ownership_offer", tag = "Ownership offers",
    params(("id" = OwnershipOfferId, Path, description = "The offer's id")),
    responses((status = 200, description = "The offer", body = OwnershipOffer)))]
async fn get(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(id): PathId<OwnershipOfferId>,
) -> ApiResult<Answer<OwnershipOffer>> {
    Ok(Answer(ops::ownership::get(&app, &actor, id).await?))
}

/// Withdraw an offer of ownership
#[utoipa::path(delete, path = "/ownership-offers/{id}", operation_id = "withdraw_ownership_offer", tag = "Ownership offers",
    params(("id" = OwnershipOfferId, Path, description = "The offer's id")),
    responses((status = 204, description = "It can't be accepted any more")))]
async fn withdraw(
    State(app): State<App>,
    Caller(actor): Caller,
    PathId(id): PathId<OwnershipOfferId>,
) -> ApiResult<StatusCode> {
    ops::ownership::withdraw(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
