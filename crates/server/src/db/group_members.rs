//! Who is in a group. A group's `member_count` is changed here and nowhere else, together with its members.

use bellwire_core::{
    event::{PrincipalId, PrincipalKind},
    id::{GroupId, WorkspaceId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{
    Conn, DbError, Row, Value,
    dialect::{
        Column::{Int, Text},
        Many,
    },
    page::{self, Filter, Listing, Page, PageRequest, Sort},
    principals::{PrincipalRef, PrincipalStatus},
};

/// A user or API key in a group, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct GroupMember {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: PrincipalKind,
    /// The id of the user or API key.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The e-mail address of a user; null for API keys, and for those who may not see users.
    pub email: Option<String>,
    /// Whether it may act in the workspace.
    pub status: PrincipalStatus,
    /// When it was added to the group.
    pub added_at: Timestamp,
}

/// By what the members of a group are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupMemberSort {
    /// Alphabetically, whatever the case.
    #[default]
    Name,
    /// By when they were added.
    AddedAt,
}

impl Sort for GroupMemberSort {
    fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::AddedAt => "added_at",
        }
    }

    fn column(self) -> &'static str {
        match self {
            Self::Name => "x.name_key",
            Self::AddedAt => "x.added_at",
        }
    }

    fn is_number(self) -> bool {
        matches!(self, Self::AddedAt)
    }

    fn id(self) -> &'static str {
        "x.principal_id"
    }
}

/// Which members a list shows.
#[derive(Clone, Debug, Default)]
pub struct GroupMemberFilter {
    /// Text in the name or the e-mail address, or the whole id.
    pub search: Option<String>,
    /// Whether e-mail addresses are shown and searched.
    pub emails: bool,
}

const COLUMNS: &str = "x.principal_id AS id, x.name AS name, x.added_at AS added_at, u.email AS email, \
                       COALESCE(m.status, k.status) AS status";
const FROM: &str = "group_members x \
                    LEFT JOIN memberships m ON m.workspace_id = x.workspace_id AND m.user_id = x.principal_id \
                    LEFT JOIN users u ON u.id = m.user_id \
                    LEFT JOIN api_keys k ON k.id = x.principal_id";

fn read(row: &Row, emails: bool) -> Result<GroupMember, DbError> {
    let id: PrincipalId = row.parse("id")?;
    Ok(GroupMember {
        kind: id.kind(),
        id: id.to_string(),
        name: row.get("name")?,
        email: row.get::<Option<String>>("email")?.filter(|_| emails),
        status: row.parse("status")?,
        added_at: row.get("added_at")?,
    })
}

/// One page of the members of a group.
///
/// # Errors
/// See [`DbError`].
pub async fn list(
    conn: &mut Conn,
    workspace: WorkspaceId,
    group: GroupId,
    wanted: &GroupMemberFilter,
    request: &PageRequest<GroupMemberSort>,
) -> Result<Page<GroupMember>, DbError> {
    page::list(conn, listing(workspace, group, wanted), request, |row| read(row, wanted.emails)).await
}

/// How many there are on all pages.
///
/// # Errors
/// See [`DbError`].
pub async fn count(
    conn: &mut Conn,
    workspace: WorkspaceId,
    group: GroupId,
    wanted: &GroupMemberFilter,
) -> Result<u64, DbError> {
    page::count(conn, &listing(workspace, group, wanted)).await
}

pub(super) fn listing(workspace: WorkspaceId, group: GroupId, wanted: &GroupMemberFilter) -> Listing {
    let mut filter = Filter::default();
    filter.and("x.group_id = $?", group);
    filter.and("x.workspace_id = $?", workspace);
    if let Some(text) = &wanted.search {
        let email = if wanted.emails { " OR u.email LIKE $? ESCAPE '\\'" } else { "" };
        let condition = format!("x.name_key LIKE $? ESCAPE '\\' OR x.principal_id LIKE $? ESCAPE '\\'{email}");
        filter.and(&condition, page::containing(text));
    }
    Listing::new(COLUMNS, FROM, filter)
}

/// `$first, …, $last`, and the ids as their values.
fn numbered(first: usize, ids: &[PrincipalId], values: &mut Vec<Value>) -> String {
    values.extend(ids.iter().map(|id| Value::from(id.to_string())));
    (first..first + ids.len()).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}

/// Which of these are in the group. `ids` is short: some hundreds.
///
/// # Errors
/// See [`DbError`].
pub async fn among(conn: &mut Conn, group: GroupId, ids: &[PrincipalId]) -> Result<Vec<PrincipalId>, DbError> {
    let mut values = vec![group.into()];
    let list = numbered(2, ids, &mut values);
    let sql = format!("SELECT principal_id AS id FROM group_members WHERE group_id = $1 AND principal_id IN ({list})");
    conn.query(&sql, &values).await?.iter().map(|row| row.parse("id")).collect()
}

/// The first of these, by name, that is in `most` groups or more. `ids` is short: some hundreds.
///
/// # Errors
/// See [`DbError`].
pub async fn in_too_many(
    conn: &mut Conn,
    workspace: WorkspaceId,
    ids: &[PrincipalId],
    most: u32,
) -> Result<Option<String>, DbError> {
    let mut values = vec![workspace.into(), most.into()];
    let list = numbered(3, ids, &mut values);
    let sql = format!(
        "SELECT MIN(name) AS name FROM group_members WHERE workspace_id = $1 AND principal_id IN ({list}) \
         GROUP BY principal_id HAVING COUNT(*) >= $2 ORDER BY 1 LIMIT 1"
    );
    conn.query_opt(&sql, &values).await?.map(|row| row.get("name")).transpose()
}

const INSERT: Many = Many {
    sqlite: "INSERT INTO group_members (workspace_id, group_id, principal_id, name, name_key, added_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
    postgres: "INSERT INTO group_members (workspace_id, group_id, principal_id, name, name_key, added_at) \
               SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])",
    columns: &[Text, Text, Text, Text, Text, Int],
};

const TOUCH: Many = Many {
    sqlite: "UPDATE memberships SET updated_at = $3 WHERE workspace_id = $1 AND user_id = $2",
    postgres: "UPDATE memberships m SET updated_at = t.c FROM UNNEST($1::text[], $2::text[], $3::bigint[]) AS t (a, b, c) \
               WHERE m.workspace_id = t.a AND m.user_id = t.b",
    columns: &[Text, Text, Int],
};

/// Adds principals that are not in the group.
///
/// # Errors
/// See [`DbError`]; `Conflict` when one is in it.
pub async fn add(
    conn: &mut Conn,
    workspace: WorkspaceId,
    group: GroupId,
    new: &[PrincipalRef],
    now: Timestamp,
) -> Result<(), DbError> {
    let row = |member: &PrincipalRef| {
        let name_key = member.name.to_lowercase();
        let (id, name) = (&member.id, &member.name);
        vec![workspace.into(), group.into(), id.into(), name.into(), name_key.into(), now.into()]
    };
    conn.many(&INSERT, new.iter().map(row).collect()).await?;
    let touched = new.iter().map(|member| vec![workspace.into(), (&member.id).into(), now.into()]);
    conn.many(&TOUCH, touched.collect()).await?;
    let sql = "UPDATE groups SET member_count = member_count + $3, updated_at = $4 WHERE workspace_id = $1 AND id = $2";
    let count = i64::try_from(new.len()).unwrap_or(i64::MAX);
    conn.execute(sql, &[workspace.into(), group.into(), count.into(), now.into()]).await?;
    Ok(())
}

/// Takes a principal out of a group. Returns whether it was in it.
///
/// # Errors
/// See [`DbError`].
pub async fn remove(
    conn: &mut Conn,
    workspace: WorkspaceId,
    group: GroupId,
    principal: PrincipalId,
    now: Timestamp,
) -> Result<bool, DbError> {
    let sql = "DELETE FROM group_members WHERE workspace_id = $1 AND group_id = $2 AND principal_id = $3";
    let member = || Value::from(principal.to_string());
    if conn.execute(sql, &[workspace.into(), group.into(), member()]).await? == 0 {
        return Ok(false);
    }
    conn.many(&TOUCH, vec![vec![workspace.into(), member(), now.into()]]).await?;
    let sql = "UPDATE groups SET member_count = member_count - 1, updated_at = $3 WHERE workspace_id = $1 AND id = $2";
    conn.execute(sql, &[workspace.into(), group.into(), now.into()]).await?;
    Ok(true)
}

/// Takes a principal that goes away out of all its groups: two statements, however many they are.
///
/// # Errors
/// See [`DbError`].
pub async fn remove_from_all(
    conn: &mut Conn,
    workspace: WorkspaceId,
    principal: PrincipalId,
    now: Timestamp,
) -> Result<(), DbError> {
    let member = || Value::from(principal.to_string());
    let count = "UPDATE groups SET member_count = member_count - 1, updated_at = $3 WHERE id IN \
                 (SELECT group_id FROM group_members WHERE workspace_id = $1 AND principal_id = $2)";
    conn.execute(count, &[workspace.into(), member(), now.into()]).await?;
    let sql = "DELETE FROM group_members WHERE workspace_id = $1 AND principal_id = $2";
    conn.execute(sql, &[workspace.into(), member()]).await?;
    Ok(())
}
