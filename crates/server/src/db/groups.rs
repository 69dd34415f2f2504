//! Groups. Who is in them: [`group_members`](super::group_members).

use bellwire_core::{
    event::{EventActor, PrincipalId, PrincipalKind},
    id::{GroupId, WorkspaceId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{
    Conn, DbError, Row,
    page::{self, Filter, Listing, Page, PageRequest, Sort},
    principals::PrincipalRef,
};

/// A group, as the API shows it and events carry it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its name, unique in the workspace whatever the case.
    pub name: String,
    /// Who owns it.
    pub owner: PrincipalRef,
    /// How many users and API keys are in it.
    pub member_count: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it, or who is in it, changed last.
    pub updated_at: Timestamp,
}

/// By what groups are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupSort {
    /// Alphabetically, whatever the case.
    #[default]
    Name,
    /// Alphabetically by the owner's name, whatever its case.
    Owner,
    /// By how many members they have.
    Members,
    /// By when they were made.
    CreatedAt,
}

impl Sort for GroupSort {
    fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Owner => "owner",
            Self::Members => "members",
            Self::CreatedAt => "created_at",
        }
    }

    fn column(self) -> &'static str {
        match self {
            Self::Name => "g.name_key",
            Self::Owner => "g.owner_key",
            Self::Members => "g.member_count",
            Self::CreatedAt => "g.created_at",
        }
    }

    fn is_number(self) -> bool {
        matches!(self, Self::Members | Self::CreatedAt)
    }

    fn id(self) -> &'static str {
        "g.id"
    }
}

/// Which groups a list shows.
#[derive(Clone, Debug, Default)]
pub struct GroupFilter {
    /// Text in the name or the owner's name, or the whole id.
    pub search: Option<String>,
}

const COLUMNS: &str = "g.id AS id, g.name AS name, g.owner_type AS owner_type, g.owner_id AS owner_id, \
                       g.owner_name AS owner_name, g.member_count AS member_count, g.created_at AS created_at, \
                       g.updated_at AS updated_at";

fn read(row: &Row) -> Result<Group, DbError> {
    let owner_type: String = row.get("owner_type")?;
    Ok(Group {
        id: row.get("id")?,
        name: row.get("name")?,
        owner: PrincipalRef {
            kind: if owner_type == "api_key" { PrincipalKind::ApiKey } else { PrincipalKind::User },
            id: row.get("owner_id")?,
            name: row.get("owner_name")?,
        },
        member_count: u32::try_from(row.get::<i64>("member_count")?)
            .map_err(|_| DbError::corrupt("member_count", "expected a count"))?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

/// One page of the groups of a workspace.
///
/// # Errors
/// See [`DbError`].
pub async fn list(
    conn: &mut Conn,
    workspace: WorkspaceId,
    wanted: &GroupFilter,
    request: &PageRequest<GroupSort>,
) -> Result<Page<Group>, DbError> {
    page::list(conn, listing(workspace, wanted), request, read).await
}

/// How many there are on all pages.
///
/// # Errors
/// See [`DbError`].
pub async fn count(conn: &mut Conn, workspace: WorkspaceId, wanted: &GroupFilter) -> Result<u64, DbError> {
    page::count(conn, &listing(workspace, wanted)).await
}

pub(super) fn listing(workspace: WorkspaceId, wanted: &GroupFilter) -> Listing {
    let mut filter = Filter::default();
    filter.and("g.workspace_id = $?", workspace);
    if let Some(text) = &wanted.search {
        let pattern = page::containing(text);
        filter.and(
            "g.name_key LIKE $? ESCAPE '\\' OR g.owner_key LIKE $? ESCAPE '\\' OR g.id LIKE $? ESCAPE '\\'",
            pattern,
        );
    }
    Listing::new(COLUMNS, "groups g", filter)
}

/// One group.
///
/// # Errors
/// See [`DbError`].
pub async fn get(conn: &mut Conn, workspace: WorkspaceId, id: GroupId) -> Result<Option<Group>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM groups g WHERE g.workspace_id = $1 AND g.id = $2");
    conn.query_opt(&sql, &[workspace.into(), id.into()]).await?.as_ref().map(read).transpose()
}

/// The group that has this name, whatever the case.
///
/// # Errors
/// See [`DbError`].
pub async fn named(conn: &mut Conn, workspace: WorkspaceId, name: &str) -> Result<Option<Group>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM groups g WHERE g.workspace_id = $1 AND g.name_key = $2");
    let row = conn.query_opt(&sql, &[workspace.into(), name.to_lowercase().into()]).await?;
    row.as_ref().map(read).transpose()
}

/// The groups that a principal owns, by name.
///
/// # Errors
/// See [`DbError`].
pub async fn owned_by(conn: &mut Conn, workspace: WorkspaceId, principal: PrincipalId) -> Result<Vec<Group>, DbError> {
    let sql =
        format!("SELECT {COLUMNS} FROM groups g WHERE g.workspace_id = $1 AND g.owner_id = $2 ORDER BY g.name_key");
    conn.query(&sql, &[workspace.into(), principal.to_string().into()]).await?.iter().map(read).collect()
}

/// The groups that a principal is in, by name.
///
/// # Errors
/// See [`DbError`].
pub async fn of_member(conn: &mut Conn, workspace: WorkspaceId, principal: PrincipalId) -> Result<Vec<Group>, DbError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM group_members x JOIN groups g ON g.id = x.group_id \
         WHERE x.workspace_id = $1 AND x.principal_id = $2 ORDER BY g.name_key"
    );
    conn.query(&sql, &[workspace.into(), principal.to_string().into()]).await?.iter().map(read).collect()
}

/// Writes a new group, which has no members.
///
/// # Errors
/// See [`DbError`]; `Conflict` when the name is taken.
pub async fn insert(conn: &mut Conn, workspace: WorkspaceId, group: &Group) -> Result<(), DbError> {
    let sql = "INSERT INTO groups (id, workspace_id, name, name_key, owner_type, owner_id, owner_name, owner_key, \
               member_count, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, $9)";
    let values = [
        group.id.into(),
        workspace.into(),
        (&group.name).into(),
        group.name.to_lowercase().into(),
        group.owner.kind.as_str().into(),
        (&group.owner.id).into(),
        (&group.owner.name).into(),
        group.owner.name.to_lowercase().into(),
        group.created_at.into(),
    ];
    conn.execute(sql, &values).await?;
    Ok(())
}

/// Changes name and owner.
///
/// # Errors
/// See [`DbError`]; `Conflict` when the name is taken.
pub async fn update(
    conn: &mut Conn,
    workspace: WorkspaceId,
    id: GroupId,
    name: &str,
    owner: &PrincipalRef,
    now: Timestamp,
) -> Result<(), DbError> {
    let sql = "UPDATE groups SET name = $3, name_key = $4, owner_type = $5, owner_id = $6, owner_name = $7, \
               owner_key = $8, updated_at = $9 WHERE workspace_id = $1 AND id = $2";
    let values = [
        workspace.into(),
        id.into(),
        name.into(),
        name.to_lowercase().into(),
        owner.kind.as_str().into(),
        (&owner.id).into(),
        (&owner.name).into(),
        owner.name.to_lowercase().into(),
        now.into(),
    ];
    conn.execute(sql, &values).await?;
    Ok(())
}

/// Gives the groups of a principal that goes away to another one.
///
/// # Errors
/// See [`DbError`].
pub async fn hand_over(
    conn: &mut Conn,
    workspace: WorkspaceId,
    from: PrincipalId,
    to: &EventActor,
    now: Timestamp,
) -> Result<(), DbError> {
    let sql = "UPDATE groups SET owner_type = $3, owner_id = $4, owner_name = $5, owner_key = $6, updated_at = $7 \
               WHERE workspace_id = $1 AND owner_id = $2";
    let values = [
        workspace.into(),
        from.to_string().into(),
        to.kind.as_str().into(),
        to.id.clone().unwrap_or_default().into(),
        (&to.name).into(),
        to.name.to_lowercase().into(),
        now.into(),
    ];
    conn.execute(sql, &values).await?;
    Ok(())
}

/// Deletes a group and who is in it: three statements, however many members it has.
///
/// # Errors
/// See [`DbError`].
pub async fn delete(conn: &mut Conn, workspace: WorkspaceId, id: GroupId, now: Timestamp) -> Result<(), DbError> {
    let touch = "UPDATE memberships SET updated_at = $3 WHERE workspace_id = $1 \
                 AND user_id IN (SELECT principal_id FROM group_members WHERE group_id = $2)";
    conn.execute(touch, &[workspace.into(), id.into(), now.into()]).await?;
    let members = "DELETE FROM group_members WHERE workspace_id = $1 AND group_id = $2";
    conn.execute(members, &[workspace.into(), id.into()]).await?;
    conn.execute("DELETE FROM groups WHERE workspace_id = $1 AND id = $2", &[workspace.into(), id.into()]).await?;
    Ok(())
}
