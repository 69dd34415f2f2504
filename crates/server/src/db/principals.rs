//! Principals: whoever can act in a workspace, a user or an API key, and what their roles allow.

use bellwire_core::{
    event::{EventActor, PrincipalId, PrincipalKind},
    id::{GroupId, RoleId, WorkspaceId},
    permission::{BuiltInRole, Permissions},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{
    Conn, DbError, Row,
    status_changes::json,
    webhooks::{Owner, PreviousOwner},
};

/// Whether a user or API key may act in the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalStatus {
    /// May act.
    Active,
    /// Was blocked: everything is refused.
    Blocked,
}

impl PrincipalStatus {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Blocked => "blocked",
        }
    }
}

impl std::str::FromStr for PrincipalStatus {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "active" => Ok(Self::Active),
            "blocked" => Ok(Self::Blocked),
            _ => Err("must be active or blocked"),
        }
    }
}

/// A role, as users, API keys and invites show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct RoleRef {
    /// Its id.
    pub id: RoleId,
    /// Its name.
    pub name: String,
}

/// A group, as users show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct GroupRef {
    /// Its id.
    pub id: GroupId,
    /// Its name.
    pub name: String,
}

/// A user or API key: the owner of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = Principal)]
pub struct PrincipalRef {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: PrincipalKind,
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

impl PrincipalRef {
    /// A principal of that id and name.
    pub fn new(id: PrincipalId, name: impl Into<String>) -> Self {
        Self { kind: id.kind(), id: id.to_string(), name: name.into() }
    }
}

/// The subselect of the roles that a principal holds, for [`read_roles`]: one `id name` a line. Names have no line breaks.
macro_rules! roles_of {
    ($workspace:literal, $principal:literal) => {
        concat!(
            "(SELECT string_agg(r.id || ' ' || r.name, '\n') FROM role_members x JOIN roles r ON r.id = x.role_id WHERE x.workspace_id = ",
            $workspace,
            " AND x.principal_id = ",
            $principal,
            ") AS roles"
        )
    };
}
pub(super) use roles_of;

/// Reads what `roles_of!` selects: the built-in roles first, then by name.
pub(super) fn read_roles(row: &Row) -> Result<Vec<RoleRef>, DbError> {
    let text = row.get::<Option<String>>("roles")?.unwrap_or_default();
    let mut roles = Vec::new();
    for line in text.lines() {
        let (id, name) = line.split_once(' ').ok_or_else(|| DbError::corrupt("roles", "expected an id and a name"))?;
        let id = id.parse().map_err(|_| DbError::corrupt("roles", "expected the id of a role"))?;
        roles.push(RoleRef { id, name: name.to_owned() });
    }
    roles.sort_by(|a, b| (rank(&a.name), &a.name).cmp(&(rank(&b.name), &b.name)));
    Ok(roles)
}

fn rank(name: &str) -> usize {
    let built_in = BuiltInRole::ALL.iter().position(|role| role.name() == name);
    built_in.unwrap_or(BuiltInRole::ALL.len())
}

/// The subselect of the groups that a principal is in, for [`read_groups`], as `roles_of!` is for roles.
macro_rules! groups_of {
    ($workspace:literal, $principal:literal) => {
        concat!(
            "(SELECT string_agg(g.id || ' ' || g.name, '\n') FROM group_members y JOIN groups g ON g.id = y.group_id WHERE y.workspace_id = ",
            $workspace,
            " AND y.principal_id = ",
            $principal,
            ") AS groups"
        )
    };
}
pub(super) use groups_of;

/// Reads what `groups_of!` selects: by name, whatever the case.
pub(super) fn read_groups(row: &Row) -> Result<Vec<GroupRef>, DbError> {
    let text = row.get::<Option<String>>("groups")?.unwrap_or_default();
    let mut groups = Vec::new();
    for line in text.lines() {
        let (id, name) = line.split_once(' ').ok_or_else(|| DbError::corrupt("groups", "expected an id and a name"))?;
        let id = id.parse().map_err(|_| DbError::corrupt("groups", "expected the id of a group"))?;
        groups.push(GroupRef { id, name: name.to_owned() });
    }
    groups.sort_by_cached_key(|group| (group.name.to_lowercase(), group.id));
    Ok(groups)
}

/// What a principal may do now; `None` when it isn't in the workspace, is blocked or was removed.
///
/// # Errors
/// See [`DbError`].
pub async fn permissions(
    conn: &mut Conn,
    workspace: WorkspaceId,
    principal: PrincipalId,
) -> Result<Option<Permissions>, DbError> {
    let status = match principal {
        PrincipalId::User(_) => "SELECT status FROM memberships WHERE workspace_id = $1 AND user_id = $2",
        PrincipalId::ApiKey(_) => "SELECT status FROM api_keys WHERE workspace_id = $1 AND id = $2",
    };
    let key = [workspace.into(), principal.to_string().into()];
    match conn.query_opt(status, &key).await? {
        Some(row) if row.get::<String>("status")? == PrincipalStatus::Active.as_str() => {}
        _ => return Ok(None),
    }
    granted(conn, workspace, principal).await.map(Some)
}

/// What the roles of a principal allow, whether it is blocked or not.
///
/// # Errors
/// See [`DbError`].
pub async fn granted(conn: &mut Conn, workspace: WorkspaceId, principal: PrincipalId) -> Result<Permissions, DbError> {
    let sql = "SELECT r.permissions AS permissions FROM role_members m JOIN roles r ON r.id = m.role_id \
               WHERE m.workspace_id = $1 AND m.principal_id = $2";
    let roles = conn.query(sql, &[workspace.into(), principal.to_string().into()]).await?;
    roles.iter().try_fold(Permissions::default(), |all, row| Ok(all.union(row.json("permissions")?)))
}

/// A principal of the workspace by its id, as events name it; `None` when there is none.
///
/// # Errors
/// See [`DbError`].
pub async fn named(
    conn: &mut Conn,
    workspace: WorkspaceId,
    principal: PrincipalId,
) -> Result<Option<EventActor>, DbError> {
    let sql = match principal {
        PrincipalId::User(_) => "SELECT name FROM memberships WHERE workspace_id = $1 AND user_id = $2",
        PrincipalId::ApiKey(_) => "SELECT name FROM api_keys WHERE workspace_id = $1 AND id = $2",
    };
    let row = conn.query_opt(sql, &[workspace.into(), principal.to_string().into()]).await?;
    row.map(|row| Ok(EventActor { kind: principal.kind(), id: Some(principal.to_string()), name: row.get("name")? }))
        .transpose()
}

/// Keeps the name that webhooks and groups show for their owner, and groups for their members, in step with it.
///
/// # Errors
/// See [`DbError`].
pub async fn rename_owned(
    conn: &mut Conn,
    workspace: WorkspaceId,
    principal: PrincipalId,
    name: &str,
) -> Result<(), DbError> {
    let values = [workspace.into(), principal.to_string().into(), name.into(), name.to_lowercase().into()];
    for sql in [
        "UPDATE webhooks SET owner_name = $3, owner_key = $4 WHERE workspace_id = $1 AND owner_id = $2",
        "UPDATE groups SET owner_name = $3, owner_key = $4 WHERE workspace_id = $1 AND owner_id = $2",
        "UPDATE group_members SET name = $3, name_key = $4 WHERE workspace_id = $1 AND principal_id = $2",
    ] {
        conn.execute(sql, &values).await?;
    }
    Ok(())
}

/// What a principal owns: whoever it belongs to next is told so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owned {
    /// Webhooks that are not deleted.
    pub webhooks: u64,
    /// Groups.
    pub groups: u64,
}

impl Owned {
    /// Whether there is nothing.
    pub const fn is_nothing(self) -> bool {
        self.webhooks == 0 && self.groups == 0
    }
}

/// Counts what a principal owns.
///
/// # Errors
/// See [`DbError`].
pub async fn owned(conn: &mut Conn, workspace: WorkspaceId, principal: PrincipalId) -> Result<Owned, DbError> {
    let sql = "SELECT \
               (SELECT COUNT(*) FROM webhooks WHERE owner_id = $2 AND workspace_id = $1 AND deleted_at IS NULL) AS webhooks, \
               (SELECT COUNT(*) FROM groups WHERE owner_id = $2 AND workspace_id = $1) AS groups";
    let row = conn.query_one(sql, &[workspace.into(), principal.to_string().into()]).await?;
    let count = |column| Ok::<_, DbError>(u64::try_from(row.get::<i64>(column)?).unwrap_or(0));
    Ok(Owned { webhooks: count("webhooks")?, groups: count("groups")? })
}

/// Gives the webhooks of a principal that goes away to another one; they remember whose they were.
///
/// # Errors
/// See [`DbError`].
pub async fn hand_over_owned(
    conn: &mut Conn,
    workspace: WorkspaceId,
    from: PrincipalId,
    name: &str,
    to: &EventActor,
    now: Timestamp,
) -> Result<(), DbError> {
    let owner = Owner { kind: from.kind(), id: from.to_string(), name: name.to_owned() };
    let previous = PreviousOwner { owner, until: now };
    let sql = "UPDATE webhooks SET owner_type = $3, owner_id = $4, owner_name = $5, owner_key = $6, previous_owner = $7 \
               WHERE workspace_id = $1 AND owner_id = $2 AND deleted_at IS NULL";
    let values = [
        workspace.into(),
        from.to_string().into(),
        to.kind.as_str().into(),
        to.id.clone().unwrap_or_default().into(),
        (&to.name).into(),
        to.name.to_lowercase().into(),
        json(&previous)?.into(),
    ];
    conn.execute(sql, &values).await?;
    Ok(())
}
