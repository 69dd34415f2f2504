//! Handing over the ownership of a workspace.
//!
//! Ownership is offered and accepted: nobody becomes an owner unasked, and nobody gives a workspace away with one wrong click. An
//! owner has one open offer at the most. It ends when it is accepted, declined or withdrawn, after 7 days, and when either side is
//! blocked or goes, or the offering one is no longer an owner.
//!
//! What must always hold: the one becomes an owner and the other stops being one in the same transaction, so there is no moment
//! without an owner; and what is accepted is what was offered, at that time, by somebody who could still offer it.

use std::time::Duration;

use bellwire_core::{
    catalogue::EventType,
    event::PrincipalId,
    id::{self, OwnershipOfferId, UserId},
    permission::{BuiltInRole, Permission},
};
use serde_json::json;

use super::{Actor, Tx, authority, change, users};
use crate::{
    app::App,
    db::{
        self,
        ownership_offers::{ByCreated, NewOffer, OwnershipOffer, Wanted},
        page::{Page, PageRequest},
        principals::PrincipalStatus,
        users::User,
    },
    error::Error,
};

/// How long an offer can be accepted.
pub const AGE: Duration = Duration::from_hours(7 * 24);

/// One page of the open offers of the workspace.
///
/// # Errors
/// [`Error::Forbidden`]
pub async fn list(app: &App, actor: &Actor, request: PageRequest<ByCreated>) -> Result<Page<OwnershipOffer>, Error> {
    actor.require(Permission::WorkspaceOwn)?;
    let (workspace, now) = (actor.workspace, app.clock.now());
    app.db
        .read(move |conn| {
            Box::pin(async move { Ok(db::ownership_offers::list(conn, workspace, Wanted::All, now, &request).await?) })
        })
        .await
}

/// One open offer, for owners and for whom it was made to.
///
/// # Errors
/// [`Error::NotFound`], also for everybody else.
pub async fn get(app: &App, actor: &Actor, id: OwnershipOfferId) -> Result<OwnershipOffer, Error> {
    let found = first(app, actor, Wanted::One(id)).await?;
    let theirs = |offer: &OwnershipOffer| offer.to.id.as_deref() == Some(actor.principal.to_string().as_str());
    let found = found.filter(|offer| actor.permissions.allow(Permission::WorkspaceOwn) || theirs(offer));
    found.ok_or_else(Error::not_found::<id::OwnershipOffer>)
}

/// What is offered to whoever asks: the oldest open offer.
///
/// # Errors
/// When the database fails.
pub async fn offered_to(app: &App, actor: &Actor) -> Result<Option<OwnershipOffer>, Error> {
    let PrincipalId::User(user) = actor.principal else { return Ok(None) };
    first(app, actor, Wanted::To(user)).await
}

/// What whoever asks offers.
///
/// # Errors
/// When the database fails.
pub async fn offered_by(app: &App, actor: &Actor) -> Result<Option<OwnershipOffer>, Error> {
    let PrincipalId::User(user) = actor.principal else { return Ok(None) };
    first(app, actor, Wanted::From(user)).await
}

async fn first(app: &App, actor: &Actor, wanted: Wanted) -> Result<Option<OwnershipOffer>, Error> {
    let (workspace, now) = (actor.workspace, app.clock.now());
    app.db
        .read(move |conn| Box::pin(async move { Ok(db::ownership_offers::first(conn, workspace, wanted, now).await?) }))
        .await
}

/// Offers the ownership of `from` to another active user. People offer their own; an API key that may do what owners may says whose.
/// Offering it to the same user again changes nothing.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]; the conflicts `not_yours`, `self`, `not_an_owner`, `blocked`, and `offer_pending` when it is offered to somebody else already.
pub async fn offer(app: &App, actor: &Actor, from: UserId, to: UserId) -> Result<OwnershipOffer, Error> {
    let asking = actor.principal;
    let offer = change(app, actor, Some(Permission::WorkspaceOwn), move |tx| {
        Box::pin(async move {
            let (giver, taker) = (users::find(tx, from).await?, users::find(tx, to).await?);
            if asking != PrincipalId::User(from) && matches!(asking, PrincipalId::User(_)) {
                return Err(Error::conflict("not_yours", "owners offer their own ownership only"));
            }
            if from == to {
                return Err(Error::conflict("self", "the ownership can't be offered to the one who has it"));
            }
            if !giver.is_owner() || giver.status == PrincipalStatus::Blocked {
                return Err(Error::conflict("not_an_owner", "only an active owner can hand the workspace over"));
            }
            if taker.status == PrincipalStatus::Blocked {
                return Err(Error::conflict("blocked", "a blocked user can't own the workspace: unblock them first"));
            }
            if let Some(open) = open(tx, Wanted::From(from)).await? {
                if open.to.id.as_deref() == Some(to.to_string().as_str()) {
                    tx.unchanged();
                    return Ok(open);
                }
                let message =
                    format!("the ownership is offered to {} already: withdraw that offer first", open.to.name);
                return Err(Error::conflict("offer_pending", message));
            }
            let new = NewOffer {
                id: tx.app.random.id(tx.now),
                from,
                to,
                created_at: tx.now,
                expires_at: tx.now.saturating_add(AGE),
            };
            db::ownership_offers::insert(tx.conn, tx.workspace, &new).await?;
            let offer = open(tx, Wanted::One(new.id)).await?;
            let offer = offer.ok_or_else(|| Error::Internal("an offer is not open".to_owned()))?;
            tx.record(EventType::OWNERSHIP_OFFER_CREATED, &json!({"object": offer}))?;
            Ok(offer)
        })
    })
    .await?;
    changed(app, actor);
    Ok(offer)
}

async fn open(tx: &mut Tx<'_>, wanted: Wanted) -> Result<Option<OwnershipOffer>, Error> {
    Ok(db::ownership_offers::first(tx.conn, tx.workspace, wanted, tx.now).await?)
}

fn changed(app: &App, actor: &Actor) {
    for topic in ["ownership", "users"] {
        app.changed(actor.workspace, topic);
    }
}

/// Takes an open offer back.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]
pub async fn withdraw(app: &App, actor: &Actor, id: OwnershipOfferId) -> Result<OwnershipOffer, Error> {
    let offer = change(app, actor, Some(Permission::WorkspaceOwn), move |tx| {
        Box::pin(async move {
            let found = open(tx, Wanted::One(id)).await?.ok_or_else(Error::not_found::<id::OwnershipOffer>)?;
            db::ownership_offers::delete(tx.conn, tx.workspace, id).await?;
            tx.record(EventType::OWNERSHIP_OFFER_WITHDRAWN, &json!({"object": found}))?;
            Ok(found)
        })
    })
    .await?;
    changed(app, actor);
    Ok(offer)
}

/// The open offer of this id, if it was made to whoever asks. Nobody else can tell it from one that doesn't exist.
async fn made_to(
    tx: &mut Tx<'_>,
    id: OwnershipOfferId,
    asking: PrincipalId,
) -> Result<(OwnershipOffer, UserId), Error> {
    let found = open(tx, Wanted::One(id)).await?;
    match (found, asking) {
        (Some(offer), PrincipalId::User(to)) if offer.to.id.as_deref() == Some(to.to_string().as_str()) => {
            Ok((offer, to))
        }
        _ => Err(Error::not_found::<id::OwnershipOffer>()),
    }
}

/// Says no to an offer.
///
/// # Errors
/// [`Error::NotFound`], also for what is offered to somebody else.
pub async fn decline(app: &App, actor: &Actor, id: OwnershipOfferId) -> Result<OwnershipOffer, Error> {
    let asking = actor.principal;
    let offer = change(app, actor, None, move |tx| {
        Box::pin(async move {
            let (offer, _) = made_to(tx, id, asking).await?;
            db::ownership_offers::delete(tx.conn, tx.workspace, id).await?;
            tx.record(EventType::OWNERSHIP_OFFER_DECLINED, &json!({"object": offer}))?;
            Ok(offer)
        })
    })
    .await?;
    changed(app, actor);
    Ok(offer)
}

/// Says yes: whoever asks becomes an owner, and whoever offered becomes an admin. All events share one `correlation_id`.
///
/// # Errors
/// [`Error::NotFound`], also for what is offered to somebody else, and for what has ended.
pub async fn accept(app: &App, actor: &Actor, id: OwnershipOfferId) -> Result<User, Error> {
    let asking = actor.principal;
    let user = change(app, actor, None, move |tx| {
        Box::pin(async move {
            let (offer, to) = made_to(tx, id, asking).await?;
            let from = offer.from.id.as_deref().and_then(|id| id.parse().ok());
            let from = from.ok_or_else(|| Error::Internal("an offer comes from nobody".to_owned()))?;
            hand_over(tx, from, to).await
        })
    })
    .await?;
    changed(app, actor);
    app.changed(actor.workspace, "roles");
    Ok(user)
}

/// Makes one an owner and the other an admin. Taking the role ends the offer.
async fn hand_over(tx: &mut Tx<'_>, from: UserId, to: UserId) -> Result<User, Error> {
    let roles = db::roles::list(tx.conn, tx.workspace).await?;
    let built_in = |wanted| {
        let role = roles.iter().find(|role| role.is(wanted));
        role.ok_or_else(|| Error::Internal("a built-in role is missing".to_owned()))
    };
    let (owner, admin) = (built_in(BuiltInRole::Owner)?, built_in(BuiltInRole::Admin)?);
    let (giver, before) = (users::find(tx, from).await?, users::find(tx, to).await?);
    tx.correlate();
    authority::give_role(tx, PrincipalId::User(to), &before.name, owner).await?;
    authority::give_role(tx, PrincipalId::User(from), &giver.name, admin).await?;
    authority::take_role(tx, PrincipalId::User(from), &giver.name, owner).await?;
    for principal in [to, from].map(PrincipalId::User) {
        db::roles::touch(tx.conn, tx.workspace, principal, tx.now).await?;
    }
    let user = users::find(tx, to).await?;
    let mut data = json!({"object": user, "previous_owner": users::as_principal(giver.id, giver.name)});
    if user.roles != before.roles {
        data["previous"] = json!({"roles": before.roles});
    }
    tx.record(EventType::USER_OWNERSHIP_TRANSFERRED, &data)?;
    Ok(user)
}

#[cfg(test)]
mod tests;
