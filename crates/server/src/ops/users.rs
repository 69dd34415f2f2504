//! The users of a workspace.
//!
//! Who goes leaves nothing without an owner: webhooks and groups stay, with a new owner, and the workspace keeps an active user with the role
//! Owner, whatever is done at the same moment.

use bellwire_core::{
    catalogue::EventType,
    event::{EventActor, PrincipalId},
    id::{self, UserId},
    permission::Permission,
    text::{Name, Reason},
};
use serde_json::json;

use super::{Actor, Tx, authority, change, groups};
use crate::{
    app::App,
    db::{
        self,
        page::{Page, PageRequest},
        principals::PrincipalStatus,
        roles::Role,
        users::{User, UserFilter, UserSort},
    },
    error::Error,
};

/// One page of the users.
///
/// # Errors
/// [`Error::Forbidden`]
pub async fn list(
    app: &App,
    actor: &Actor,
    wanted: UserFilter,
    request: PageRequest<UserSort>,
) -> Result<Page<User>, Error> {
    actor.require(Permission::UsersView)?;
    let workspace = actor.workspace;
    app.db
        .read(move |conn| Box::pin(async move { Ok(db::users::list(conn, workspace, &wanted, &request).await?) }))
        .await
}

/// How many users there are on all pages.
///
/// # Errors
/// [`Error::Forbidden`]
pub async fn count(app: &App, actor: &Actor, wanted: UserFilter) -> Result<u64, Error> {
    actor.require(Permission::UsersView)?;
    let workspace = actor.workspace;
    app.db.read(move |conn| Box::pin(async move { Ok(db::users::count(conn, workspace, &wanted).await?) })).await
}

/// One user. Everybody may see themselves.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]
pub async fn get(app: &App, actor: &Actor, id: UserId) -> Result<User, Error> {
    if actor.principal != PrincipalId::User(id) {
        actor.require(Permission::UsersView)?;
    }
    let workspace = actor.workspace;
    let found = app.db.read(move |conn| Box::pin(async move { db::users::get(conn, workspace, id).await })).await?;
    found.ok_or_else(Error::not_found::<id::User>)
}

pub(super) async fn find(tx: &mut Tx<'_>, id: UserId) -> Result<User, Error> {
    db::users::get(tx.conn, tx.workspace, id).await?.ok_or_else(Error::not_found::<id::User>)
}

/// Gives a user another name in this workspace. Everybody may rename themselves.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]
pub async fn update(app: &App, actor: &Actor, id: UserId, name: Name) -> Result<User, Error> {
    let principal = PrincipalId::User(id);
    let needed = (actor.principal != principal).then_some(Permission::UsersManage);
    let user = change(app, actor, needed, move |tx| {
        Box::pin(async move {
            let before = find(tx, id).await?;
            if before.name == name.as_str() {
                tx.unchanged();
                return Ok(before);
            }
            db::users::rename(tx.conn, tx.workspace, id, name.as_str(), tx.now).await?;
            db::principals::rename_owned(tx.conn, tx.workspace, principal, name.as_str()).await?;
            let user = find(tx, id).await?;
            tx.record(EventType::USER_UPDATED, &json!({"object": user, "previous": {"name": before.name}}))?;
            Ok(user)
        })
    })
    .await?;
    for topic in ["users", "groups"] {
        app.changed(actor.workspace, topic);
    }
    Ok(user)
}

/// Blocks a user: they are out of the workspace with their next click. Blocking somebody who is blocked changes nothing.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Forbidden`], also for an owner unless whoever asks is one; the conflicts `self` and `last_owner`.
pub async fn block(app: &App, actor: &Actor, id: UserId, reason: Option<Reason>) -> Result<User, Error> {
    let asking = actor.clone();
    let user = change(app, actor, Some(Permission::UsersManage), move |tx| {
        Box::pin(async move {
            let before = find(tx, id).await?;
            let principal = PrincipalId::User(id);
            authority::not_oneself(&asking, principal, "block yourself")?;
            authority::protect_owner(tx, &asking, principal).await?;
            if before.status == PrincipalStatus::Blocked {
                tx.unchanged();
                return Ok(before);
            }
            authority::keep_an_owner(tx, id).await?;
            let reason = said(reason.as_ref());
            db::users::set_status(tx.conn, tx.workspace, id, PrincipalStatus::Blocked, reason, tx.now).await?;
            db::ownership_offers::end_of(tx.conn, tx.workspace, id).await?;
            let user = find(tx, id).await?;
            let data = json!({"object": user, "previous": {"status": before.status}, "reason": reason});
            tx.record(EventType::USER_BLOCKED, &data)?;
            Ok(user)
        })
    })
    .await?;
    app.changed(actor.workspace, "users");
    Ok(user)
}

/// Lets a blocked user act again. Unblocking somebody who is active changes nothing.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Forbidden`], also for an owner unless whoever asks is one.
pub async fn unblock(app: &App, actor: &Actor, id: UserId) -> Result<User, Error> {
    let asking = actor.clone();
    let user = change(app, actor, Some(Permission::UsersManage), move |tx| {
        Box::pin(async move {
            let before = find(tx, id).await?;
            authority::protect_owner(tx, &asking, PrincipalId::User(id)).await?;
            if before.status == PrincipalStatus::Active {
                tx.unchanged();
                return Ok(before);
            }
            db::users::set_status(tx.conn, tx.workspace, id, PrincipalStatus::Active, None, tx.now).await?;
            let user = find(tx, id).await?;
            let previous = json!({"status": before.status, "status_reason": before.status_reason});
            tx.record(EventType::USER_UNBLOCKED, &json!({"object": user, "previous": previous}))?;
            Ok(user)
        })
    })
    .await?;
    app.changed(actor.workspace, "users");
    Ok(user)
}

/// Removes a user from the workspace. Their roles and groups are taken first, their sessions lose the workspace, and the webhooks
/// and groups that they own stay and go to whoever removed them. All events share one `correlation_id`.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Forbidden`], also for an owner unless whoever asks is one; the conflicts `self` and `last_owner`.
pub async fn remove(app: &App, actor: &Actor, id: UserId, reason: Option<Reason>) -> Result<(), Error> {
    let asking = actor.clone();
    change(app, actor, Some(Permission::UsersManage), move |tx| {
        Box::pin(async move {
            let user = find(tx, id).await?;
            let principal = PrincipalId::User(id);
            authority::not_oneself(&asking, principal, "remove yourself: leave the workspace instead")?;
            authority::protect_owner(tx, &asking, principal).await?;
            authority::keep_an_owner(tx, id).await?;
            let heir = tx.actor().clone();
            go(tx, &user, &heir).await?;
            tx.record(EventType::USER_REMOVED, &json!({"object": user, "reason": said(reason.as_ref())}))
        })
    })
    .await?;
    gone(app, actor);
    Ok(())
}

/// Takes whoever asks out of the workspace. The webhooks and groups that they own stay and go to the owner who joined first.
///
/// # Errors
/// The conflict `last_owner`; the conflict `not_a_user` for API keys.
pub async fn leave(app: &App, actor: &Actor) -> Result<(), Error> {
    let PrincipalId::User(id) = actor.principal else {
        return Err(Error::conflict("not_a_user", "an API key can't leave: delete it instead"));
    };
    change(app, actor, None, move |tx| {
        Box::pin(async move {
            let user = find(tx, id).await?;
            authority::keep_an_owner(tx, id).await?;
            let owners = db::users::active_owners(tx.conn, tx.workspace).await?;
            let heir = owners.into_iter().find(|owner| owner.id != id);
            let heir = heir.ok_or_else(|| Error::Internal("a workspace has no active owner".to_owned()))?;
            go(tx, &user, &as_principal(heir.id, heir.name)).await?;
            tx.record(EventType::USER_LEFT, &json!({"object": user}))
        })
    })
    .await?;
    gone(app, actor);
    Ok(())
}

/// Ends a membership and everything that hangs on it.
async fn go(tx: &mut Tx<'_>, user: &User, heir: &EventActor) -> Result<(), Error> {
    let principal = PrincipalId::User(user.id);
    tx.correlate();
    authority::take_all_roles(tx, principal, &user.name).await?;
    groups::leave_all(tx, principal, &user.name).await?;
    groups::hand_over(tx, principal, heir).await?;
    db::principals::hand_over_owned(tx.conn, tx.workspace, principal, &user.name, heir, tx.now).await?;
    db::ownership_offers::end_of(tx.conn, tx.workspace, user.id).await?;
    db::sessions::close(tx.conn, user.id, tx.workspace).await?;
    Ok(db::users::delete_membership(tx.conn, tx.workspace, user.id).await?)
}

fn gone(app: &App, actor: &Actor) {
    for topic in ["users", "groups", "webhooks"] {
        app.changed(actor.workspace, topic);
    }
}

/// Makes a person a member of the transaction's workspace, with roles. The caller correlates.
pub(super) async fn join(tx: &mut Tx<'_>, id: UserId, name: &str, roles: &[Role]) -> Result<(), Error> {
    db::users::insert_membership(tx.conn, tx.workspace, id, name, tx.now).await?;
    let mut user = find(tx, id).await?;
    user.roles = roles.iter().map(Role::as_ref).collect();
    tx.record(EventType::USER_JOINED, &json!({"object": user}))?;
    for role in roles {
        authority::give_role(tx, PrincipalId::User(id), name, role).await?;
    }
    Ok(())
}

pub(super) fn as_principal(id: UserId, name: String) -> EventActor {
    let id = PrincipalId::User(id);
    EventActor { kind: id.kind(), id: Some(id.to_string()), name }
}

/// A reason as it is stored and told: nothing when nothing was said.
pub(super) fn said(reason: Option<&Reason>) -> Option<&str> {
    reason.map(Reason::as_str).filter(|reason| !reason.is_empty())
}

#[cfg(test)]
mod tests;
