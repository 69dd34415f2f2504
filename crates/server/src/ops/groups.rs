//! Groups: named sets of users and API keys, each with an owner.
//!
//! Groups are for knowing who belongs together. They give no permissions: neither being in one nor owning one lets anybody do
//! anything (docs/adr/0006). The owner is an active user or API key when chosen, and says whom to ask about the group; whoever goes
//! leaves their groups to the same heir as their webhooks.
//!
//! Deleting a group writes one event, `group.deleted`, whoever is in it: its members stay in the workspace, and receivers forget
//! who was in a group together with the group. A `group.member_removed` for each of 10,000 members would say nothing
//! more. A member that goes away is another matter: its `group.member_removed` come before the event that says that it is gone.
//!
//! What always holds: two groups of a workspace never have the same name, whatever the case; `member_count` is the number of members;
//! a group has at most [`MAX_MEMBERS`], a workspace at most [`MAX_GROUPS`], and nobody is in more than [`MAX_MEMBERSHIPS`], since the
//! groups of a user are part of what is told about them.

mod members;
#[cfg(test)]
mod tests;

use bellwire_core::{
    catalogue::EventType,
    event::{EventActor, PrincipalId},
    id::{self, GroupId, WorkspaceId},
    permission::Permission,
    text::Name,
};
use serde_json::{Map, Value, json};

pub(super) use self::members::leave_all;
pub use self::members::{
    AT_ONCE, Candidates, MAX_MEMBERS, MAX_MEMBERSHIPS, add_members, candidates, count_members, members, remove_member,
};
use super::{Actor, Tx, change};
use crate::{
    app::App,
    db::{
        self, Conn,
        groups::{Group, GroupFilter, GroupSort},
        page::{Page, PageRequest},
        principals::{PrincipalRef, PrincipalStatus},
    },
    error::Error,
};

/// The most groups of a workspace.
pub const MAX_GROUPS: u64 = 10_000;

/// What a new group is given.
#[derive(Clone, Debug)]
pub struct NewGroup {
    /// Its name.
    pub name: Name,
    /// Its owner; whoever creates it when nothing is said.
    pub owner: Option<PrincipalId>,
}

/// What to change of a group. What is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct GroupPatch {
    /// Its name.
    pub name: Option<Name>,
    /// Its owner.
    pub owner: Option<PrincipalId>,
}

/// One page of the groups.
///
/// # Errors
/// [`Error::Forbidden`]
pub async fn list(
    app: &App,
    actor: &Actor,
    wanted: GroupFilter,
    request: PageRequest<GroupSort>,
) -> Result<Page<Group>, Error> {
    actor.require(Permission::GroupsView)?;
    let workspace = actor.workspace;
    app.db
        .read(move |conn| Box::pin(async move { Ok(db::groups::list(conn, workspace, &wanted, &request).await?) }))
        .await
}

/// How many groups there are on all pages.
///
/// # Errors
/// [`Error::Forbidden`]
pub async fn count(app: &App, actor: &Actor, wanted: GroupFilter) -> Result<u64, Error> {
    actor.require(Permission::GroupsView)?;
    let workspace = actor.workspace;
    app.db.read(move |conn| Box::pin(async move { Ok(db::groups::count(conn, workspace, &wanted).await?) })).await
}

/// One group.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]
pub async fn get(app: &App, actor: &Actor, id: GroupId) -> Result<Group, Error> {
    actor.require(Permission::GroupsView)?;
    let workspace = actor.workspace;
    app.db.read(move |conn| Box::pin(async move { find(conn, workspace, id).await })).await
}

async fn find(conn: &mut Conn, workspace: WorkspaceId, id: GroupId) -> Result<Group, Error> {
    db::groups::get(conn, workspace, id).await?.ok_or_else(Error::not_found::<id::Group>)
}

/// Makes a group, in which nobody is yet.
///
/// # Errors
/// [`Error::Invalid`] for `owner_id`; [`Error::Forbidden`]; the conflicts `name_taken` and `too_many_groups`.
pub async fn create(app: &App, actor: &Actor, wanted: NewGroup) -> Result<Group, Error> {
    let asking = actor.clone();
    let group = change(app, actor, Some(Permission::GroupsManage), move |tx| {
        Box::pin(async move {
            let owner = wanted.owner.unwrap_or(asking.principal);
            let owner = chosen_owner(tx, owner).await?;
            free_name(tx, &wanted.name, None).await?;
            if db::groups::count(tx.conn, tx.workspace, &GroupFilter::default()).await? >= MAX_GROUPS {
                let message = format!("a workspace has at most {MAX_GROUPS} groups: delete one first");
                return Err(Error::conflict("too_many_groups", message));
            }
            let group = Group {
                id: tx.app.random.id(tx.now),
                name: wanted.name.to_string(),
                owner,
                member_count: 0,
                created_at: tx.now,
                updated_at: tx.now,
            };
            db::groups::insert(tx.conn, tx.workspace, &group).await?;
            tx.record(EventType::GROUP_CREATED, &json!({"object": group}))?;
            Ok(group)
        })
    })
    .await?;
    app.changed(actor.workspace, "groups");
    Ok(group)
}

/// Gives a group another name or owner. Giving what it has changes nothing.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]; [`Error::Invalid`] for `owner_id`; the conflict `name_taken`.
pub async fn update(app: &App, actor: &Actor, id: GroupId, patch: GroupPatch) -> Result<Group, Error> {
    let group = change(app, actor, Some(Permission::GroupsManage), move |tx| {
        Box::pin(async move {
            let before = find(tx.conn, tx.workspace, id).await?;
            let mut previous = Map::new();
            let mut group = before.clone();
            if let Some(name) = patch.name.filter(|name| name.as_str() != before.name) {
                free_name(tx, &name, Some(id)).await?;
                previous.insert("name".to_owned(), before.name.into());
                group.name = name.to_string();
            }
            // Whoever owns it already may be blocked meanwhile: that is no reason to refuse another name.
            if let Some(owner) = patch.owner.filter(|owner| owner.to_string() != before.owner.id) {
                previous.insert("owner".to_owned(), json!(before.owner));
                group.owner = chosen_owner(tx, owner).await?;
            }
            if previous.is_empty() {
                tx.unchanged();
                return Ok(group);
            }
            group.updated_at = tx.now;
            db::groups::update(tx.conn, tx.workspace, id, &group.name, &group.owner, tx.now).await?;
            record_update(tx, &group, &previous)?;
            Ok(group)
        })
    })
    .await?;
    for topic in ["groups", "users"] {
        app.changed(actor.workspace, topic);
    }
    Ok(group)
}

fn record_update(tx: &mut Tx<'_>, group: &Group, previous: &Map<String, Value>) -> Result<(), Error> {
    tx.record(EventType::GROUP_UPDATED, &json!({"object": group, "previous": previous}))
}

/// Deletes a group. Its members stay in the workspace; how many there are makes no difference. See the module's words on events.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]
pub async fn delete(app: &App, actor: &Actor, id: GroupId) -> Result<Group, Error> {
    let group = change(app, actor, Some(Permission::GroupsManage), move |tx| {
        Box::pin(async move {
            let group = find(tx.conn, tx.workspace, id).await?;
            db::groups::delete(tx.conn, tx.workspace, id, tx.now).await?;
            tx.record(EventType::GROUP_DELETED, &json!({"object": group}))?;
            Ok(group)
        })
    })
    .await?;
    for topic in ["groups", "users"] {
        app.changed(actor.workspace, topic);
    }
    Ok(group)
}

/// Gives the groups of a principal that goes away to `heir`, and records each. The caller correlates.
pub(super) async fn hand_over(tx: &mut Tx<'_>, principal: PrincipalId, heir: &EventActor) -> Result<(), Error> {
    let owned = db::groups::owned_by(tx.conn, tx.workspace, principal).await?;
    if owned.is_empty() {
        return Ok(());
    }
    db::groups::hand_over(tx.conn, tx.workspace, principal, heir, tx.now).await?;
    for before in owned {
        let owner = PrincipalRef { kind: heir.kind, id: heir.id.clone().unwrap_or_default(), name: heir.name.clone() };
        let previous = Map::from_iter([("owner".to_owned(), json!(before.owner))]);
        record_update(tx, &Group { owner, updated_at: tx.now, ..before }, &previous)?;
    }
    Ok(())
}

/// Refuses a name that another group has.
async fn free_name(tx: &mut Tx<'_>, name: &Name, own: Option<GroupId>) -> Result<(), Error> {
    match db::groups::named(tx.conn, tx.workspace, name.as_str()).await? {
        Some(other) if Some(other.id) != own => {
            Err(Error::conflict("name_taken", format!("there is a group called {} already", other.name)))
        }
        _ => Ok(()),
    }
}

/// Somebody of the workspace who can own a group: whoever is active.
async fn chosen_owner(tx: &mut Tx<'_>, id: PrincipalId) -> Result<PrincipalRef, Error> {
    let found = db::group_candidates::of(tx.conn, tx.workspace, &[id]).await?.into_iter().next();
    let found = found.ok_or_else(|| Error::invalid("owner_id", format!("there is no user or API key {id}")))?;
    if found.status == PrincipalStatus::Blocked {
        let message = format!("{} is blocked: choose somebody who is active", found.name);
        return Err(Error::invalid("owner_id", message));
    }
    Ok(PrincipalRef::new(id, found.name))
}
