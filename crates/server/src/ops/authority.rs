//! Who may do what to whom: the rules about other principals that a permission alone can't say.
//!
//! * Nobody gives, takes or lays hands on more than they hold themselves, so that managing people is no way to become more than one is.
//! * What an owner is, only an owner ends.
//! * A workspace always has an active user who owns it. API keys can hold the role Owner but don't count.
//!
//! All of them are asked inside the transaction, with the workspace locked ([`db::workspaces::lock`]).

use bellwire_core::{
    catalogue::EventType,
    event::{EventActor, PrincipalId},
    id::UserId,
    permission::{BuiltInRole, Permission, Permissions},
};
use serde_json::json;

use super::{Actor, Tx};
use crate::{
    db::{self, roles::Role},
    error::Error,
};

/// What whoever asks may do now.
pub(super) async fn permissions(tx: &mut Tx<'_>, actor: &Actor) -> Result<Permissions, Error> {
    let permissions = db::principals::permissions(tx.conn, tx.workspace, actor.principal).await?;
    permissions.ok_or(Error::Unauthenticated)
}

/// Refuses whoever lacks one of `wanted`, and names the first that they lack.
pub(super) fn require_all(held: Permissions, wanted: Permissions) -> Result<(), Error> {
    match wanted.iter().find(|permission| !held.allow(*permission)) {
        Some(missing) => Err(Error::Forbidden(missing.as_str())),
        None => Ok(()),
    }
}

/// Refuses to lay hands on an owner unless whoever asks is one too.
pub(super) async fn protect_owner(tx: &mut Tx<'_>, actor: &Actor, target: PrincipalId) -> Result<(), Error> {
    let owned = db::principals::granted(tx.conn, tx.workspace, target).await?.allow(Permission::WorkspaceOwn);
    if owned && !permissions(tx, actor).await?.allow(Permission::WorkspaceOwn) {
        return Err(Error::Forbidden(Permission::WorkspaceOwn.as_str()));
    }
    Ok(())
}

/// Refuses to let the last active owner go.
pub(super) async fn keep_an_owner(tx: &mut Tx<'_>, going: UserId) -> Result<(), Error> {
    let owners = db::users::active_owners(tx.conn, tx.workspace).await?;
    if owners.len() == 1 && owners.iter().any(|owner| owner.id == going) {
        return Err(Error::conflict(
            "last_owner",
            "a workspace needs an active owner: make somebody else an owner first",
        ));
    }
    Ok(())
}

/// Refuses what somebody does to themselves.
pub(super) fn not_oneself(actor: &Actor, target: PrincipalId, what: &str) -> Result<(), Error> {
    if actor.principal == target { Err(Error::conflict("self", format!("you can't {what}"))) } else { Ok(()) }
}

/// Gives a role to a principal and records it. Returns whether it is new.
pub(super) async fn give_role(tx: &mut Tx<'_>, principal: PrincipalId, name: &str, role: &Role) -> Result<bool, Error> {
    let new = db::roles::assign(tx.conn, tx.workspace, role.id, principal).await?;
    if new {
        record(tx, EventType::ROLE_ASSIGNED, role, principal, name)?;
    }
    Ok(new)
}

/// Takes all roles from a principal and records each.
pub(super) async fn take_all_roles(tx: &mut Tx<'_>, principal: PrincipalId, name: &str) -> Result<(), Error> {
    for role in db::roles::of_principal(tx.conn, tx.workspace, principal).await? {
        take_role(tx, principal, name, &role).await?;
    }
    Ok(())
}

/// Takes one role and records it. Returns whether it was held.
pub(super) async fn take_role(tx: &mut Tx<'_>, principal: PrincipalId, name: &str, role: &Role) -> Result<bool, Error> {
    let held = db::roles::unassign(tx.conn, tx.workspace, role.id, principal).await?;
    if held {
        if let (PrincipalId::User(user), true) = (principal, role.is(BuiltInRole::Owner)) {
            // Nobody can give away what they no longer have.
            db::ownership_offers::end_from(tx.conn, tx.workspace, user).await?;
        }
        record(tx, EventType::ROLE_UNASSIGNED, role, principal, name)?;
    }
    Ok(held)
}

fn record(tx: &mut Tx<'_>, event: EventType, role: &Role, principal: PrincipalId, name: &str) -> Result<(), Error> {
    let principal = EventActor { kind: principal.kind(), id: Some(principal.to_string()), name: name.to_owned() };
    tx.record(event, &json!({"object": role, "principal": principal}))
}
