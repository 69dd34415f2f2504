//! Roles, and who holds them.
//!
//! What must always hold: whoever gives, takes, makes, changes or deletes a role may do everything that it allows, before and
//! after, so that roles are no way to become more than one is; the built-in roles are as they are; names are unique whatever their
//! case, so that nothing can pass for a built-in role; and a role that somebody holds, or that a pending invite names, stays.
//! What a role allows is looked up with every request, so a change is there with the next one of whoever holds it.

use std::collections::BTreeMap;

use bellwire_core::{
    catalogue::EventType,
    event::PrincipalId,
    id::{self, RoleId, WorkspaceId},
    permission::{BuiltInRole, Permission, Permissions},
    text::{Description, Name},
    time::Timestamp,
};
use serde_json::{Map, Value, json};

use super::{Actor, Tx, authority, change};
use crate::{
    app::App,
    db::{
        self, Conn,
        page::{Page, PageRequest},
        roles::{ByHolder, Holders, Role, RoleMember},
    },
    error::Error,
};

/// The most roles that are given in one go.
const AT_ONCE: usize = 50;
/// The most roles of a workspace, with the built-in ones.
pub const MAX_ROLES: usize = 200;

/// What a new role is given.
#[derive(Clone, Debug)]
pub struct NewRole {
    /// Its name, unique in the workspace whatever the case.
    pub name: Name,
    /// What it is for.
    pub description: Description,
    /// What it allows: at least one, and not to own the workspace.
    pub permissions: Permissions,
}

/// What is changed of a role; the rest stays.
#[derive(Clone, Debug, Default)]
pub struct RolePatch {
    /// Another name.
    pub name: Option<Name>,
    /// What it is for.
    pub description: Option<Description>,
    /// What it allows from now on.
    pub permissions: Option<Permissions>,
    /// `updated_at` of the role that whoever asks has seen: a role that was changed since is not changed again unseen.
    pub seen: Option<Timestamp>,
}

/// Why a role can't be deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Who holds it.
    pub holders: Holders,
    /// Pending invites that name it.
    pub invites: u64,
}

impl Usage {
    /// Whether there is nothing of it.
    pub const fn is_none(self) -> bool {
        self.holders.all() == 0 && self.invites == 0
    }
}

/// "2 users, 1 API key and 1 pending invite"
impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts =
            [(self.holders.users, "user"), (self.holders.api_keys, "API key"), (self.invites, "pending invite")];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, noun)| format!("{count} {noun}{}", if count == 1 { "" } else { "s" }))
            .collect();
        match parts.split_last() {
            Some((last, [])) => f.write_str(last),
            Some((last, rest)) => write!(f, "{} and {last}", rest.join(", ")),
            None => f.write_str("nobody"),
        }
    }
}

/// All roles: the built-in ones first, then by name.
///
/// # Errors
/// [`Error::Forbidden`]
pub async fn list(app: &App, actor: &Actor) -> Result<Vec<Role>, Error> {
    actor.require(Permission::RolesView)?;
    let workspace = actor.workspace;
    app.db.read(move |conn| Box::pin(async move { Ok(db::roles::list(conn, workspace).await?) })).await
}

/// The roles that a form offers to whoever gives them with an invite or a new API key: all of them to those who see roles, to the
/// others those that allow no more than they may do themselves.
///
/// # Errors
/// [`Error::Forbidden`]
pub async fn offered(app: &App, actor: &Actor) -> Result<Vec<Role>, Error> {
    let held = actor.permissions;
    if held.allow(Permission::RolesView) {
        return list(app, actor).await;
    }
    if !held.allow(Permission::ApiKeysManage) {
        actor.require(Permission::InvitesManage)?;
    }
    let workspace = actor.workspace;
    let all = app.db.read(move |conn| Box::pin(async move { db::roles::list(conn, workspace).await })).await?;
    Ok(all.into_iter().filter(|role| held.covers(role.permissions)).collect())
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

/// How many hold each role; those that nobody holds are left out.
///
/// # Errors
/// [`Error::Forbidden`]
pub async fn holders(app: &App, actor: &Actor) -> Result<BTreeMap<RoleId, Holders>, Error> {
    actor.require(Permission::RolesView)?;
    let workspace = actor.workspace;
    app.db.read(move |conn| Box::pin(async move { Ok(db::roles::holders(conn, workspace).await?) })).await
}

/// One page of those who hold a role.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]
pub async fn members(
    app: &App,
    actor: &Actor,
    id: RoleId,
    request: PageRequest<ByHolder>,
) -> Result<Page<RoleMember>, Error> {
    actor.require(Permission::RolesView)?;
    let workspace = actor.workspace;
    app.db
        .read(move |conn| {
            Box::pin(async move {
                find(conn, workspace, id).await?;
                Ok(db::roles::members(conn, workspace, id, &request).await?)
            })
        })
        .await
}

/// Who holds a role, and which invites name it, in numbers.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]
pub async fn usage(app: &App, actor: &Actor, id: RoleId) -> Result<Usage, Error> {
    actor.require(Permission::RolesView)?;
    let workspace = actor.workspace;
    app.db
        .read(move |conn| {
            Box::pin(async move {
                find(conn, workspace, id).await?;
                used(conn, workspace, id).await
            })
        })
        .await
}

async fn used(conn: &mut Conn, workspace: WorkspaceId, id: RoleId) -> Result<Usage, Error> {
    let holders = db::roles::holders_of(conn, workspace, id).await?;
    Ok(Usage { holders, invites: db::roles::pending_invites(conn, workspace, id).await? })
}

async fn find(conn: &mut Conn, workspace: WorkspaceId, id: RoleId) -> Result<Role, Error> {
    db::roles::get(conn, workspace, id).await?.ok_or_else(Error::not_found::<id::Role>)
}

/// Makes a role.
///
/// # Errors
/// [`Error::Invalid`] for `name` (taken) and `permissions` (none, or to own the workspace); [`Error::Forbidden`], also when it would
/// allow what whoever asks may not do; the conflict `too_many_roles`.
pub async fn create(app: &App, actor: &Actor, wanted: NewRole) -> Result<Role, Error> {
    let asking = actor.clone();
    let role = change(app, actor, Some(Permission::RolesManage), move |tx| {
        Box::pin(async move {
            can_be_custom(wanted.permissions)?;
            authority::require_all(authority::permissions(tx, &asking).await?, wanted.permissions)?;
            let others = db::roles::list(tx.conn, tx.workspace).await?;
            if others.len() >= MAX_ROLES {
                let message = format!("a workspace has at most {MAX_ROLES} roles: delete one first");
                return Err(Error::conflict("too_many_roles", message));
            }
            let role = Role {
                id: tx.app.random.id(tx.now),
                name: wanted.name.as_str().to_owned(),
                description: wanted.description.as_str().to_owned(),
                built_in: false,
                permissions: wanted.permissions,
                created_at: tx.now,
                updated_at: tx.now,
            };
            name_is_free(&others, &role)?;
            db::roles::insert(tx.conn, tx.workspace, &role).await?;
            tx.record(EventType::ROLE_CREATED, &json!({"object": role}))?;
            Ok(role)
        })
    })
    .await?;
    app.changed(actor.workspace, "roles");
    Ok(role)
}

fn can_be_custom(permissions: Permissions) -> Result<(), Error> {
    if permissions.is_empty() {
        return Err(Error::invalid("permissions", "choose at least one permission"));
    }
    if permissions.allow(Permission::WorkspaceOwn) {
        return Err(Error::invalid("permissions", "workspace.own belongs to the role Owner alone"));
    }
    Ok(())
}

fn name_is_free(others: &[Role], role: &Role) -> Result<(), Error> {
    let key = db::roles::name_key(&role.name);
    let same = others.iter().find(|other| other.id != role.id && db::roles::name_key(&other.name) == key);
    same.map_or(Ok(()), |other| Err(Error::invalid("name", format!("there is a role called {} already", other.name))))
}

/// The role, for whoever may change it from what it is now.
async fn custom(tx: &mut Tx<'_>, held: Permissions, id: RoleId) -> Result<Role, Error> {
    let role = find(tx.conn, tx.workspace, id).await?;
    if role.built_in {
        return Err(Error::conflict("built_in", format!("{} is built in: it stays as it is", role.name)));
    }
    authority::require_all(held, role.permissions)?;
    Ok(role)
}

/// Changes a role. What it allows then is what its holders may do from their next request on.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] as [`create`]; [`Error::Forbidden`], also when the role allows, before or after, what
/// whoever asks may not do; the conflicts `built_in` and `changed_meanwhile`.
pub async fn update(app: &App, actor: &Actor, id: RoleId, patch: RolePatch) -> Result<Role, Error> {
    let asking = actor.clone();
    let role = change(app, actor, Some(Permission::RolesManage), move |tx| {
        Box::pin(async move {
            let held = authority::permissions(tx, &asking).await?;
            let before = custom(tx, held, id).await?;
            if patch.seen.is_some_and(|seen| seen != before.updated_at) {
                let message = "somebody changed this role meanwhile: look at it again before you change it";
                return Err(Error::conflict("changed_meanwhile", message));
            }
            let mut role = before.clone();
            if let Some(name) = patch.name {
                name.as_str().clone_into(&mut role.name);
                name_is_free(&db::roles::list(tx.conn, tx.workspace).await?, &role)?;
            }
            if let Some(description) = patch.description {
                description.as_str().clone_into(&mut role.description);
            }
            if let Some(permissions) = patch.permissions {
                can_be_custom(permissions)?;
                authority::require_all(held, permissions)?;
                role.permissions = permissions;
            }
            let previous = previous(&before, &role);
            if previous.is_empty() {
                tx.unchanged();
                return Ok(before);
            }
            role.updated_at = tx.now;
            db::roles::update(tx.conn, tx.workspace, &role).await?;
            tx.record(EventType::ROLE_UPDATED, &json!({"object": role, "previous": previous}))?;
            Ok(role)
        })
    })
    .await?;
    changed(app, actor);
    Ok(role)
}

/// What a change is about to replace.
fn previous(before: &Role, after: &Role) -> Map<String, Value> {
    let fields = [
        ("name", json!(before.name), before.name != after.name),
        ("description", json!(before.description), before.description != after.description),
        ("permissions", json!(before.permissions), before.permissions != after.permissions),
    ];
    fields.into_iter().filter(|(.., changed)| *changed).map(|(field, value, _)| (field.to_owned(), value)).collect()
}

/// Deletes a role that nobody holds and no pending invite names.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Forbidden`], also when it allows what whoever asks may not do; the conflicts `built_in` and
/// `role_in_use`, which says how many use it.
pub async fn delete(app: &App, actor: &Actor, id: RoleId) -> Result<Role, Error> {
    let asking = actor.clone();
    let role = change(app, actor, Some(Permission::RolesManage), move |tx| {
        Box::pin(async move {
            let held = authority::permissions(tx, &asking).await?;
            let role = custom(tx, held, id).await?;
            let usage = used(tx.conn, tx.workspace, id).await?;
            if !usage.is_none() {
                let message = format!("{} is in use by {usage}: take it from them first", role.name);
                return Err(Error::conflict("role_in_use", message));
            }
            db::roles::delete(tx.conn, tx.workspace, id).await?;
            tx.record(EventType::ROLE_DELETED, &json!({"object": role}))?;
            Ok(role)
        })
    })
    .await?;
    changed(app, actor);
    Ok(role)
}

/// The role and the name of the principal, for whoever may give or take the role.
async fn given(tx: &mut Tx<'_>, actor: &Actor, role: RoleId, principal: PrincipalId) -> Result<(Role, String), Error> {
    let role = find(tx.conn, tx.workspace, role).await?;
    let name = name_of(tx, principal).await?;
    authority::require_all(authority::permissions(tx, actor).await?, role.permissions)?;
    Ok((role, name))
}

async fn name_of(tx: &mut Tx<'_>, principal: PrincipalId) -> Result<String, Error> {
    let named = db::principals::named(tx.conn, tx.workspace, principal).await?;
    let named = named.ok_or_else(|| match principal {
        PrincipalId::User(_) => Error::not_found::<id::User>(),
        PrincipalId::ApiKey(_) => Error::not_found::<id::ApiKey>(),
    })?;
    Ok(named.name)
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
            let (role, held) = taken(tx, &asking, role, principal).await?;
            if held {
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

/// Gives some roles to a user or API key and takes others, all or none. Giving one that is held, and taking one that isn't, changes
/// nothing, so whoever saw an older state than the present changes what they meant to and no more. All events share one
/// `correlation_id`.
///
/// # Errors
/// As [`assign`] and [`unassign`]; [`Error::Invalid`] for `role_ids` when they are too many.
pub async fn exchange(
    app: &App,
    actor: &Actor,
    principal: PrincipalId,
    give: Vec<RoleId>,
    take: Vec<RoleId>,
) -> Result<String, Error> {
    let asking = actor.clone();
    let name = change(app, actor, Some(Permission::RolesManage), move |tx| {
        Box::pin(async move {
            tx.correlate();
            let name = name_of(tx, principal).await?;
            if !swap(tx, &asking, principal, &give, &take).await? {
                tx.unchanged();
            }
            Ok(name)
        })
    })
    .await?;
    changed(app, actor);
    Ok(name)
}

/// Gives and takes roles inside a transaction with the workspace locked. Returns whether anything changed.
pub(super) async fn swap(
    tx: &mut Tx<'_>,
    actor: &Actor,
    principal: PrincipalId,
    give: &[RoleId],
    take: &[RoleId],
) -> Result<bool, Error> {
    if give.len().max(take.len()) > AT_ONCE {
        return Err(Error::invalid("role_ids", format!("at most {AT_ONCE} roles can be given or taken at once")));
    }
    let mut touched = false;
    for role in give {
        let (role, name) = given(tx, actor, *role, principal).await?;
        touched |= authority::give_role(tx, principal, &name, &role).await?;
    }
    for role in take {
        touched |= taken(tx, actor, *role, principal).await?.1;
    }
    if touched {
        db::roles::touch(tx.conn, tx.workspace, principal, tx.now).await?;
    }
    Ok(touched)
}

/// Takes a role and tells whether it was held. A workspace keeps an owner.
async fn taken(tx: &mut Tx<'_>, actor: &Actor, role: RoleId, principal: PrincipalId) -> Result<(Role, bool), Error> {
    let (role, name) = given(tx, actor, role, principal).await?;
    if let (PrincipalId::User(user), true) = (principal, role.is(BuiltInRole::Owner)) {
        authority::keep_an_owner(tx, user).await?;
    }
    let held = authority::take_role(tx, principal, &name, &role).await?;
    Ok((role, held))
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
