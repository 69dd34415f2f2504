//! Who is in a group.

use std::collections::BTreeMap;

use bellwire_core::{
    catalogue::EventType,
    event::{PrincipalId, PrincipalKind},
    id::{self, GroupId},
    permission::Permission,
};
use serde_json::json;

use super::find;
use crate::{
    app::App,
    db::{
        self,
        group_candidates::Candidate,
        group_members::{GroupMember, GroupMemberFilter, GroupMemberSort},
        groups::Group,
        page::{Page, PageRequest},
        principals::PrincipalRef,
    },
    error::Error,
    ops::{Actor, Tx, change},
};

/// The most members of a group.
pub const MAX_MEMBERS: usize = 10_000;
/// The most groups that one user or API key is in.
pub const MAX_MEMBERSHIPS: u32 = 500;
/// The most that are added in one go.
pub const AT_ONCE: usize = 200;
/// Candidates of a kind that are offered; the others are found by searching.
const OFFERED: u32 = 20;

/// One page of the members of a group. E-mail addresses are shown to, and searched for, those who may see users.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]
pub async fn members(
    app: &App,
    actor: &Actor,
    group: GroupId,
    search: Option<String>,
    request: PageRequest<GroupMemberSort>,
) -> Result<Page<GroupMember>, Error> {
    let wanted = seen_by(actor, search)?;
    let workspace = actor.workspace;
    app.db
        .read(move |conn| {
            Box::pin(async move {
                find(conn, workspace, group).await?;
                Ok(db::group_members::list(conn, workspace, group, &wanted, &request).await?)
            })
        })
        .await
}

/// How many members there are on all pages.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]
pub async fn count_members(app: &App, actor: &Actor, group: GroupId, search: Option<String>) -> Result<u64, Error> {
    let wanted = seen_by(actor, search)?;
    let workspace = actor.workspace;
    app.db
        .read(move |conn| {
            Box::pin(async move {
                find(conn, workspace, group).await?;
                Ok(db::group_members::count(conn, workspace, group, &wanted).await?)
            })
        })
        .await
}

fn seen_by(actor: &Actor, search: Option<String>) -> Result<GroupMemberFilter, Error> {
    actor.require(Permission::GroupsView)?;
    Ok(GroupMemberFilter { search, emails: actor.permissions.allow(Permission::UsersView) })
}

/// Adds users and API keys to a group, all of them or none, in the order of their names. Those who are in it already change
/// nothing. Returns the group as it is then.
///
/// # Errors
/// [`Error::NotFound`] for the group and for each of `ids`; [`Error::Forbidden`]; [`Error::Invalid`] for `members` when there are none
/// or more than [`AT_ONCE`]; the conflicts `group_full` and `in_too_many_groups`.
pub async fn add_members(app: &App, actor: &Actor, group: GroupId, ids: Vec<PrincipalId>) -> Result<Group, Error> {
    let ids = distinct(ids);
    if ids.is_empty() {
        return Err(Error::invalid("members", "choose at least one user or API key"));
    }
    if ids.len() > AT_ONCE {
        return Err(Error::invalid("members", format!("choose at most {AT_ONCE} at a time")));
    }
    let group = change(app, actor, Some(Permission::GroupsManage), move |tx| {
        Box::pin(async move {
            let group = find(tx.conn, tx.workspace, group).await?;
            let known = db::group_candidates::of(tx.conn, tx.workspace, &ids).await?;
            if let Some(unknown) = ids.iter().find(|id| known.iter().all(|it| it.id != **id)) {
                return Err(not_found(*unknown));
            }
            let inside = db::group_members::among(tx.conn, group.id, &ids).await?;
            let new: Vec<Candidate> = known.into_iter().filter(|it| !inside.contains(&it.id)).collect();
            if new.is_empty() {
                tx.unchanged();
                return Ok(group);
            }
            add(tx, group, new).await
        })
    })
    .await?;
    changed(app, actor);
    Ok(group)
}

async fn add(tx: &mut Tx<'_>, mut group: Group, new: Vec<Candidate>) -> Result<Group, Error> {
    if group.member_count as usize + new.len() > MAX_MEMBERS {
        let message = format!("a group has at most {MAX_MEMBERS} members: {} has {}", group.name, group.member_count);
        return Err(Error::conflict("group_full", message));
    }
    let ids: Vec<PrincipalId> = new.iter().map(|it| it.id).collect();
    if let Some(name) = db::group_members::in_too_many(tx.conn, tx.workspace, &ids, MAX_MEMBERSHIPS).await? {
        let message = format!("{name} is in {MAX_MEMBERSHIPS} groups already, which is the most that is possible");
        return Err(Error::conflict("in_too_many_groups", message));
    }
    let new: Vec<PrincipalRef> = new.into_iter().map(|it| PrincipalRef::new(it.id, it.name)).collect();
    db::group_members::add(tx.conn, tx.workspace, group.id, &new, tx.now).await?;
    if new.len() > 1 {
        tx.correlate();
    }
    group.updated_at = tx.now;
    for member in new {
        group.member_count += 1;
        tx.record(EventType::GROUP_MEMBER_ADDED, &json!({"object": group, "member": member}))?;
    }
    Ok(group)
}

/// Takes a user or API key out of a group. Taking out one that isn't in it changes nothing. Returns its name.
///
/// # Errors
/// [`Error::NotFound`] for either; [`Error::Forbidden`]
pub async fn remove_member(
    app: &App,
    actor: &Actor,
    group: GroupId,
    principal: PrincipalId,
) -> Result<(Group, String), Error> {
    let done = change(app, actor, Some(Permission::GroupsManage), move |tx| {
        Box::pin(async move {
            let mut group = find(tx.conn, tx.workspace, group).await?;
            let named = db::principals::named(tx.conn, tx.workspace, principal).await?;
            let member = PrincipalRef::new(principal, named.ok_or_else(|| not_found(principal))?.name);
            if db::group_members::remove(tx.conn, tx.workspace, group.id, principal, tx.now).await? {
                record_removal(tx, &mut group, &member)?;
            } else {
                tx.unchanged();
            }
            Ok((group, member.name))
        })
    })
    .await?;
    changed(app, actor);
    Ok(done)
}

/// Takes a principal that goes away out of all its groups, and records each. The caller correlates.
pub(in crate::ops) async fn leave_all(tx: &mut Tx<'_>, principal: PrincipalId, name: &str) -> Result<(), Error> {
    let groups = db::groups::of_member(tx.conn, tx.workspace, principal).await?;
    if groups.is_empty() {
        return Ok(());
    }
    db::group_members::remove_from_all(tx.conn, tx.workspace, principal, tx.now).await?;
    let member = PrincipalRef::new(principal, name);
    groups.into_iter().try_for_each(|mut group| record_removal(tx, &mut group, &member))
}

fn record_removal(tx: &mut Tx<'_>, group: &mut Group, member: &PrincipalRef) -> Result<(), Error> {
    group.member_count = group.member_count.saturating_sub(1);
    group.updated_at = tx.now;
    tx.record(EventType::GROUP_MEMBER_REMOVED, &json!({"object": group, "member": member}))
}

/// Who can be put into a group, or own one.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    /// Those who are chosen already, as far as they exist.
    pub chosen: Vec<Candidate>,
    /// Others that match, users before API keys.
    pub others: Vec<Candidate>,
    /// Whether more match than are offered.
    pub more: bool,
}

/// Whom a dialog offers: those who are `chosen`, and the first active ones that match, of the kinds that whoever asks may see.
/// With `outside`, those who are in that group are left out.
///
/// # Errors
/// [`Error::Forbidden`]
pub async fn candidates(
    app: &App,
    actor: &Actor,
    outside: Option<GroupId>,
    search: Option<String>,
    chosen: Vec<PrincipalId>,
) -> Result<Candidates, Error> {
    actor.require(Permission::GroupsManage)?;
    let (workspace, asking) = (actor.workspace, actor.principal);
    let users = actor.permissions.allow(Permission::UsersView);
    let api_keys = actor.permissions.allow(Permission::ApiKeysView);
    let mut chosen = distinct(chosen);
    chosen.truncate(AT_ONCE);
    chosen.retain(|id| *id == asking || if id.kind() == PrincipalKind::User { users } else { api_keys });
    app.db
        .read(move |conn| {
            Box::pin(async move {
                let search = search.as_deref();
                let mut offered = Candidates {
                    chosen: db::group_candidates::of(conn, workspace, &chosen).await?,
                    ..Candidates::default()
                };
                let mut pages = Vec::new();
                if users {
                    pages.push(db::group_candidates::users(conn, workspace, outside, search, OFFERED).await?);
                }
                if api_keys {
                    pages.push(db::group_candidates::api_keys(conn, workspace, outside, search, OFFERED).await?);
                }
                for page in pages {
                    offered.more |= page.next.is_some();
                    offered.others.extend(page.data.into_iter().filter(|it| !chosen.contains(&it.id)));
                }
                Ok::<_, Error>(offered)
            })
        })
        .await
}

/// Each once, in the order of their ids: whoever changes several rows at once does it in one order.
fn distinct(ids: Vec<PrincipalId>) -> Vec<PrincipalId> {
    ids.into_iter().map(|id| (id.to_string(), id)).collect::<BTreeMap<_, _>>().into_values().collect()
}

fn not_found(principal: PrincipalId) -> Error {
    match principal {
        PrincipalId::User(_) => Error::not_found::<id::User>(),
        PrincipalId::ApiKey(_) => Error::not_found::<id::ApiKey>(),
    }
}

fn changed(app: &App, actor: &Actor) {
    for topic in ["groups", "users"] {
        app.changed(actor.workspace, topic);
    }
}
