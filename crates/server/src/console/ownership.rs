//! Offering the ownership of the workspace, withdrawing the offer, and answering one.

use axum::{extract::Path, response::Response};
use bellwire_core::{id::OwnershipOfferId, permission::Permission};
use http::StatusCode;

use super::{
    reply::{self, Answer, see_other_with},
    request::{Fields, Signed},
    users,
    view::{
        Toast,
        account::PageError,
        ownership::{OfferDialog, ShowPage},
    },
};
use crate::{
    app::App,
    db::ownership_offers::OwnershipOffer,
    error::Error,
    ops::{ownership, users::get as user},
    routes::{Routes, get, post},
};

const USERS: &str = "/users";

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .route("/users/{id}/ownership-offer", get(offer_dialog).post(offer))
        .route("/ownership-offers/{id}", get(show))
        .route("/ownership-offers/{id}/withdraw", post(withdraw))
        .route("/ownership-offers/{id}/accept", post(accept))
        .route("/ownership-offers/{id}/decline", post(decline))
}

async fn offer_dialog(signed: Signed, Path(id): Path<String>) -> Answer {
    signed.actor.require(Permission::WorkspaceOwn)?;
    let name = user(&signed.app, &signed.actor, users::user_id(&id)?).await?.name;
    let return_to = signed.query.return_to(USERS);
    let workspace = signed.workspace_name().to_owned();
    let dialog = OfferDialog { id, name, workspace, return_to: return_to.clone() };
    signed.dialog(StatusCode::OK, &dialog, &return_to, users::page).await
}

async fn offer(signed: Signed, Path(id): Path<String>, form: Fields) -> Answer {
    let (from, to) = (signed.session.user_id, users::user_id(&id)?);
    let done = ownership::offer(&signed.app, &signed.actor, from, to).await;
    reply::back(&form.return_to(USERS), done, |offer| {
        Toast::success(format!("The ownership is offered to {}, who has 7 days to answer.", offer.to.name))
    })
}

async fn withdraw(signed: Signed, Path(id): Path<String>, form: Fields) -> Answer {
    let done = ownership::withdraw(&signed.app, &signed.actor, offer_id(&id)?).await;
    if let Err(Error::NotFound(_)) = done {
        return Ok(ended(&form.return_to(USERS)));
    }
    reply::back(&form.return_to(USERS), done, |offer| {
        Toast::success(format!("The offer to {} was withdrawn.", offer.to.name))
    })
}

fn offer_id(text: &str) -> Result<OwnershipOfferId, PageError> {
    text.parse().map_err(|_| PageError::NotFound)
}

/// Whoever comes too late is told so. For offers to others, and those that never were, it is the same.
fn ended(path: &str) -> Response {
    see_other_with(path, Toast::error("This offer has ended: it was answered or withdrawn, or its time has run out."))
}

/// Whether the offer was made to the reader.
fn is_theirs(signed: &Signed, offer: &OwnershipOffer) -> bool {
    offer.to.id.as_deref() == Some(signed.session.user_id.to_string().as_str())
}

async fn show(signed: Signed, Path(id): Path<String>) -> Answer {
    let offer = match ownership::get(&signed.app, &signed.actor, offer_id(&id)?).await {
        Ok(offer) if is_theirs(&signed, &offer) => offer,
        Ok(_) | Err(Error::NotFound(_)) => return Ok(ended("/")),
        Err(error) => return Err(error.into()),
    };
    reply::render(&ShowPage {
        page: signed.page("Ownership"),
        chrome: signed.chrome(None, "ownership", None),
        offer: reply::offered_by(&offer),
        workspace: signed.workspace_name().to_owned(),
    })
}

async fn accept(signed: Signed, Path(id): Path<String>) -> Answer {
    let workspace = signed.workspace_name().to_owned();
    match ownership::accept(&signed.app, &signed.actor, offer_id(&id)?).await {
        Err(Error::NotFound(_)) => Ok(ended("/")),
        done => reply::back("/", done, |_| Toast::success(format!("You own {workspace} now."))),
    }
}

async fn decline(signed: Signed, Path(id): Path<String>) -> Answer {
    let workspace = signed.workspace_name().to_owned();
    match ownership::decline(&signed.app, &signed.actor, offer_id(&id)?).await {
        Err(Error::NotFound(_)) => Ok(ended("/")),
        done => reply::back("/", done, |_| Toast::success(format!("You declined the ownership of {workspace}."))),
    }
}
