//! Roles, and who holds them. Whoever gives or takes a role needs every permission that it holds.

use bellwire_core::{
    event::PrincipalId,
    id::{self, RoleId, WorkspaceId},
    permission::{BuiltInRole, Permission, Permissions},
};

use super::{Actor, Tx, authority, change};
use crate::{
    app::App,
    db::{self, Conn, roles::Role},
    error::Error,
};

/// The most roles that are given in one go.
const AT_ONCE: usize = 50;

/// All roles: the built-in ones first, then by name.
///
/// # Errors
/// [`Error::Forbidden`]
pub async fn list(app: &App, actor: &Actor) -> Result<Vec<Role>, Error> {
    actor.require(Permission::RolesView)?;
    let workspace = actor.workspace;
    app.db.read(move |conn| Box::pin(async move { Ok(db::roles::list(conn, workspace).await?) })).await
}

/// One role.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]
pub async fn get(app: &App, actor: &Actor, id: RoleId) -> Result<Role, Error> {
    actor.require(Permission::RolesView)?;
    let workspace = actor.workspace;
    app.db.read(move |conn| Box::pin(async move { find(conn, workspace, id).await })).await
}

async fn find(conn: &mut Conn, workspace: WorkspaceId, id: RoleId) -> Result<Role, Error> {
    db::roles::get(conn, workspace, id).await?.ok_or_else(Error::not_found::<id::Role>)
}

/// The role and the name of the principal, for whoever may give or take the role.
async fn given(tx: &mut Tx<'_>, actor: &Actor, role: RoleId, principal: PrincipalId) -> Result<(Role, String), Error> {
    db::workspaces::lock(tx.conn, tx.workspace).await?;
    let role = find(tx.conn, tx.workspace, role).await?;
    let named = db::principals::named(tx.conn, tx.workspace, principal).await?;
    let named = named.ok_or_else(|| match principal {
        PrincipalId::User(_) => Error::not_found::<id::User>(),
        PrincipalId::ApiKey(_) => Error::not_found::<id::ApiKey>(),
    })?;
    authority::require_all(authority::permissions(tx, actor).await?, role.permissions)?;
    Ok((role, named.name))
}

/// Gives a role to a user or API key. Giving one that is held changes nothing.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Forbidden`], also when the role allows what whoever asks may not do.
pub async fn assign(app: &App, actor: &Actor, role: RoleId, principal: PrincipalId) -> Result<Role, Error> {
    let asking = actor.clone();
    let role = change(app, actor, Some(Permission::RolesManage), move |tx| {
        Box::pin(async move {
            let (role, name) = given(tx, &asking, role, principal).await?;
            if authority::give_role(tx, principal, &name, &role).await? {
                db::roles::touch(tx.conn, tx.workspace, principal, tx.now).await?;
            } else {
                tx.unchanged();
            }
            Ok(role)
        })
    })
    .await?;
    changed(app, actor);
    Ok(role)
}

/// Takes a role from a user or API key. Taking one that isn't held changes nothing.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Forbidden`], also when the role allows what whoever asks may not do; the conflict `last_owner`.
pub async fn unassign(app: &App, actor: &Actor, role: RoleId, principal: PrincipalId) -> Result<Role, Error> {
    let asking = actor.clone();
    let role = change(app, actor, Some(Permission::RolesManage), move |tx| {
        Box::pin(async move {
            let (role, name) = given(tx, &asking, role, principal).await?;
            if let (PrincipalId::User(user), true) = (principal, role.is(BuiltInRole::Owner)) {
                authority::keep_an_owner(tx, user).await?;
            }
            if authority::take_role(tx, principal, &name, &role).await? {
                db::roles::touch(tx.conn, tx.workspace, principal, tx.now).await?;
            } else {
                tx.unchanged();
            }
            Ok(role)
        })
    })
    .await?;
    changed(app, actor);
    Ok(role)
}

fn changed(app: &App, actor: &Actor) {
    for topic in ["roles", "users", "api_keys"] {
        app.changed(actor.workspace, topic);
    }
}

/// The roles that somebody new shall hold: those that are named, or Member when nobody says.
pub(super) async fn chosen(
    conn: &mut Conn,
    workspace: WorkspaceId,
    ids: Option<&[RoleId]>,
    held: Permissions,
) -> Result<Vec<Role>, Error> {
    let all = db::roles::list(conn, workspace).await?;
    let roles: Vec<Role> = match ids {
        None => all.into_iter().filter(|role| role.is(BuiltInRole::Member)).collect(),
        Some([]) => return Err(Error::invalid("role_ids", "choose at least one role")),
        Some(ids) if ids.len() > AT_ONCE => {
            return Err(Error::invalid("role_ids", format!("must be at most {AT_ONCE} roles")));
        }
        Some(ids) => {
            if let Some(unknown) = ids.iter().find(|id| all.iter().all(|role| role.id != **id)) {
                return Err(Error::invalid("role_ids", format!("there is no role {unknown}")));
            }
            all.into_iter().filter(|role| ids.contains(&role.id)).collect()
        }
    };
    let wanted = roles.iter().fold(Permissions::default(), |all, role| all.union(role.permissions));
    authority::require_all(held, wanted)?;
    Ok(roles)
}

#[cfg(test)]
mod tests;
