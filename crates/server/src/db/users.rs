//! People, and their memberships in workspaces.

use bellwire_core::{
    id::{RoleId, UserId, WorkspaceId},
    permission::BuiltInRole,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{
    Conn, DbError, Row,
    dialect::FOR_UPDATE,
    page::{self, Filter, Listing, Page, PageRequest, Sort},
    principals::{GroupRef, PrincipalStatus, RoleRef, groups_of, read_groups, read_roles, roles_of},
};

/// A user as a member of a workspace, as the API shows it and events carry it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct User {
    /// The user's id, the same in all workspaces.
    pub id: UserId,
    /// The e-mail address, in lower case.
    pub email: String,
    /// The name in this workspace.
    pub name: String,
    /// Whether the user may act in this workspace.
    pub status: PrincipalStatus,
    /// Why the user is blocked, if whoever did it said so.
    pub status_reason: Option<String>,
    /// The roles that the user holds.
    pub roles: Vec<RoleRef>,
    /// The groups that the user is in.
    pub groups: Vec<GroupRef>,
    /// When the user joined the workspace.
    pub joined_at: Timestamp,
    /// When the user changed last.
    pub updated_at: Timestamp,
}

impl User {
    /// Whether the user holds the role Owner.
    pub fn is_owner(&self) -> bool {
        self.roles.iter().any(|role| role.name == BuiltInRole::Owner.name())
    }
}

/// A person, whichever workspaces they are in.
#[derive(Clone, Debug)]
pub struct Person {
    /// The id.
    pub id: UserId,
    /// The e-mail address.
    pub email: String,
    /// Argon2id, as a PHC string.
    pub password_hash: String,
}

/// By what users are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UserSort {
    /// Alphabetically, whatever the case.
    #[default]
    Name,
    /// By e-mail address.
    Email,
    /// By when they joined.
    JoinedAt,
    /// Active before blocked.
    Status,
}

impl Sort for UserSort {
    fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Email => "email",
            Self::JoinedAt => "joined_at",
            Self::Status => "status",
        }
    }

    fn column(self) -> &'static str {
        match self {
            Self::Name => "m.name_key",
            Self::Email => "m.email",
            Self::JoinedAt => "m.joined_at",
            Self::Status => "m.status",
        }
    }

    fn is_number(self) -> bool {
        matches!(self, Self::JoinedAt)
    }

    fn id(self) -> &'static str {
        "m.user_id"
    }
}

/// Which users a list shows.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    /// Text in the name or e-mail address, or the whole id.
    pub search: Option<String>,
    /// Only these.
    pub status: Option<PrincipalStatus>,
    /// Only those who hold this role.
    pub role: Option<RoleId>,
}

const COLUMNS: &str = concat!(
    "m.user_id AS id, m.email AS email, m.name AS name, m.status AS status, m.status_reason AS status_reason, \
     m.joined_at AS joined_at, m.updated_at AS updated_at, ",
    roles_of!("m.workspace_id", "m.user_id"),
    ", ",
    groups_of!("m.workspace_id", "m.user_id")
);
const FROM: &str = "memberships m";

fn read(row: &Row) -> Result<User, DbError> {
    Ok(User {
        id: row.get("id")?,
        email: row.get("email")?,
        name: row.get("name")?,
        status: row.parse("status")?,
        status_reason: row.get("status_reason")?,
        roles: read_roles(row)?,
        groups: read_groups(row)?,
        joined_at: row.get("joined_at")?,
        updated_at: row.get("updated_at")?,
    })
}

/// One page of the users of a workspace.
///
/// # Errors
/// See [`DbError`].
pub async fn list(
    conn: &mut Conn,
    workspace: WorkspaceId,
    wanted: &UserFilter,
    request: &PageRequest<UserSort>,
) -> Result<Page<User>, DbError> {
    page::list(conn, listing(workspace, wanted), request, read).await
}

/// How many there are on all pages.
///
/// # Errors
/// See [`DbError`].
pub async fn count(conn: &mut Conn, workspace: WorkspaceId, wanted: &UserFilter) -> Result<u64, DbError> {
    page::count(conn, &listing(workspace, wanted)).await
}

pub(super) fn listing(workspace: WorkspaceId, wanted: &UserFilter) -> Listing {
    let mut filter = Filter::default();
    filter.and("m.workspace_id = $?", workspace);
    if let Some(status) = wanted.status {
        filter.and_walking("m.status", status.as_str());
    }
    if let Some(role) = wanted.role {
        filter.and("EXISTS (SELECT 1 FROM role_members y WHERE y.role_id = $? AND y.principal_id = m.user_id)", role);
    }
    if let Some(text) = &wanted.search {
        let pattern = page::containing(text);
        filter.and(
            "m.name_key LIKE $? ESCAPE '\\' OR m.email LIKE $? ESCAPE '\\' OR m.user_id LIKE $? ESCAPE '\\'",
            pattern,
        );
    }
    Listing::new(COLUMNS, FROM, filter)
}

/// One member of a workspace.
///
/// # Errors
/// See [`DbError`].
pub async fn get(conn: &mut Conn, workspace: WorkspaceId, id: UserId) -> Result<Option<User>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM {FROM} WHERE m.workspace_id = $1 AND m.user_id = $2");
    conn.query_opt(&sql, &[workspace.into(), id.into()]).await?.as_ref().map(read).transpose()
}

/// The active owners of a workspace, those who joined first at the beginning.
///
/// # Errors
/// See [`DbError`].
pub async fn active_owners(conn: &mut Conn, workspace: WorkspaceId) -> Result<Vec<User>, DbError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM {FROM} WHERE m.workspace_id = $1 AND m.status = 'active' AND EXISTS \
         (SELECT 1 FROM role_members y JOIN roles o ON o.id = y.role_id \
          WHERE y.workspace_id = $1 AND y.principal_id = m.user_id AND o.built_in = 1 AND o.name = $2) \
         ORDER BY m.joined_at, m.user_id"
    );
    conn.query(&sql, &[workspace.into(), BuiltInRole::Owner.name().into()]).await?.iter().map(read).collect()
}

/// Whether anybody has an account.
///
/// # Errors
/// See [`DbError`].
pub async fn any(conn: &mut Conn) -> Result<bool, DbError> {
    Ok(conn.query_opt("SELECT id FROM users LIMIT 1", &[]).await?.is_some())
}

/// The person with this e-mail address (in lower case).
///
/// # Errors
/// See [`DbError`].
pub async fn person_by_email(conn: &mut Conn, email: &str) -> Result<Option<Person>, DbError> {
    let sql = "SELECT id, email, password_hash FROM users WHERE email = $1";
    let row = conn.query_opt(sql, &[email.into()]).await?;
    row.map(|row| Ok(Person { id: row.get("id")?, email: row.get("email")?, password_hash: row.get("password_hash")? }))
        .transpose()
}

/// Whether a person's password is still the one that this hash was made of. It stays so until the transaction ends.
///
/// # Errors
/// See [`DbError`].
pub async fn has_password(conn: &mut Conn, id: UserId, password_hash: &str) -> Result<bool, DbError> {
    let sql = format!("SELECT id FROM users WHERE id = $1 AND password_hash = $2{}", FOR_UPDATE.of(conn));
    Ok(conn.query_opt(&sql, &[id.into(), password_hash.into()]).await?.is_some())
}

/// The name that a person has in the workspace that they joined last.
///
/// # Errors
/// See [`DbError`].
pub async fn latest_name(conn: &mut Conn, id: UserId) -> Result<Option<String>, DbError> {
    let sql = "SELECT name FROM memberships WHERE user_id = $1 ORDER BY joined_at DESC, workspace_id LIMIT 1";
    conn.query_opt(sql, &[id.into()]).await?.map(|row| row.get("name")).transpose()
}

/// Writes a new person.
///
/// # Errors
/// See [`DbError`]; `Conflict` when the e-mail address has an account.
pub async fn insert_person(conn: &mut Conn, person: &Person, now: Timestamp) -> Result<(), DbError> {
    let sql = "INSERT INTO users (id, email, password_hash, created_at) VALUES ($1, $2, $3, $4)";
    let values = [person.id.into(), (&person.email).into(), (&person.password_hash).into(), now.into()];
    conn.execute(sql, &values).await?;
    Ok(())
}

/// Changes a person's password.
///
/// # Errors
/// See [`DbError`].
pub async fn set_password(conn: &mut Conn, id: UserId, password_hash: &str) -> Result<(), DbError> {
    conn.execute("UPDATE users SET password_hash = $2 WHERE id = $1", &[id.into(), password_hash.into()]).await?;
    Ok(())
}

/// Makes a person an active member of a workspace.
///
/// # Errors
/// See [`DbError`]; `Conflict` when they are one.
pub async fn insert_membership(
    conn: &mut Conn,
    workspace: WorkspaceId,
    id: UserId,
    name: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    let sql = "INSERT INTO memberships (workspace_id, user_id, name, name_key, email, status, joined_at, updated_at) \
               SELECT $1, u.id, $3, $4, u.email, 'active', $5, $5 FROM users u WHERE u.id = $2";
    conn.execute(sql, &[workspace.into(), id.into(), name.into(), name.to_lowercase().into(), now.into()]).await?;
    Ok(())
}

/// Changes the name in one workspace.
///
/// # Errors
/// See [`DbError`].
pub async fn rename(
    conn: &mut Conn,
    workspace: WorkspaceId,
    id: UserId,
    name: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    let sql =
        "UPDATE memberships SET name = $3, name_key = $4, updated_at = $5 WHERE workspace_id = $1 AND user_id = $2";
    conn.execute(sql, &[workspace.into(), id.into(), name.into(), name.to_lowercase().into(), now.into()]).await?;
    Ok(())
}

/// Blocks or unblocks.
///
/// # Errors
/// See [`DbError`].
pub async fn set_status(
    conn: &mut Conn,
    workspace: WorkspaceId,
    id: UserId,
    status: PrincipalStatus,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<(), DbError> {
    let sql = "UPDATE memberships SET status = $3, status_reason = $4, updated_at = $5 WHERE workspace_id = $1 AND user_id = $2";
    conn.execute(sql, &[workspace.into(), id.into(), status.as_str().into(), reason.into(), now.into()]).await?;
    Ok(())
}

/// Ends a membership; roles and sessions are ended by their own functions.
///
/// # Errors
/// See [`DbError`].
pub async fn delete_membership(conn: &mut Conn, workspace: WorkspaceId, id: UserId) -> Result<(), DbError> {
    let sql = "DELETE FROM memberships WHERE workspace_id = $1 AND user_id = $2";
    conn.execute(sql, &[workspace.into(), id.into()]).await?;
    Ok(())
}
