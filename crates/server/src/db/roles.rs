//! Roles, and who holds them.

use std::collections::BTreeMap;

use bellwire_core::{
    event::{PrincipalId, PrincipalKind},
    id::{RoleId, WorkspaceId},
    permission::{BuiltInRole, Permission, Permissions},
    time::Timestamp,
};
use serde::Serialize;

use super::{
    Conn, DbError, Row,
    page::{self, Filter, Listing, Page, PageRequest, Sort},
    principals::{PrincipalStatus, RoleRef},
};

/// A role, as the API shows it and events carry it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Role {
    /// Its id.
    pub id: RoleId,
    /// Its name, unique in the workspace.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Whether it is one of the roles that every workspace has.
    pub built_in: bool,
    /// What it allows.
    #[schema(value_type = Vec<Permission>)]
    pub permissions: Permissions,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
}

impl Role {
    /// Whether it is this built-in role.
    pub fn is(&self, built_in: BuiltInRole) -> bool {
        self.built_in && self.name == built_in.name()
    }

    /// As users, API keys and invites show it.
    pub fn as_ref(&self) -> RoleRef {
        RoleRef { id: self.id, name: self.name.clone() }
    }
}

const COLUMNS: &str = "r.id AS id, r.name AS name, r.description AS description, r.built_in AS built_in, \
                       r.permissions AS permissions, r.created_at AS created_at, r.updated_at AS updated_at";
/// The built-in ones first, most powerful first; then by name.
const ORDER: &str = "CASE WHEN r.built_in = 0 THEN 3 WHEN r.name = 'Owner' THEN 0 WHEN r.name = 'Admin' THEN 1 ELSE 2 END, r.name_key, r.id";

fn read(row: &Row) -> Result<Role, DbError> {
    Ok(Role {
        id: row.get("id")?,
        name: row.get("name")?,
        description: row.get("description")?,
        built_in: row.get("built_in")?,
        permissions: row.json("permissions")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

/// All roles of a workspace: the built-in ones first.
///
/// # Errors
/// See [`DbError`].
pub async fn list(conn: &mut Conn, workspace: WorkspaceId) -> Result<Vec<Role>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM roles r WHERE r.workspace_id = $1 ORDER BY {ORDER}");
    conn.query(&sql, &[workspace.into()]).await?.iter().map(read).collect()
}

/// One role.
///
/// # Errors
/// See [`DbError`].
pub async fn get(conn: &mut Conn, workspace: WorkspaceId, id: RoleId) -> Result<Option<Role>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM roles r WHERE r.workspace_id = $1 AND r.id = $2");
    conn.query_opt(&sql, &[workspace.into(), id.into()]).await?.as_ref().map(read).transpose()
}

/// The roles that a principal holds, in the order of [`list`].
///
/// # Errors
/// See [`DbError`].
pub async fn of_principal(
    conn: &mut Conn,
    workspace: WorkspaceId,
    principal: PrincipalId,
) -> Result<Vec<Role>, DbError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM role_members m JOIN roles r ON r.id = m.role_id \
         WHERE m.workspace_id = $1 AND m.principal_id = $2 ORDER BY {ORDER}"
    );
    conn.query(&sql, &[workspace.into(), principal.to_string().into()]).await?.iter().map(read).collect()
}

/// Writes a new role.
///
/// # Errors
/// See [`DbError`]; `Conflict` when the name is taken.
pub async fn insert(conn: &mut Conn, workspace: WorkspaceId, role: &Role) -> Result<(), DbError> {
    let sql = "INSERT INTO roles (id, workspace_id, name, name_key, description, built_in, permissions, created_at, updated_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let values = [
        role.id.into(),
        workspace.into(),
        (&role.name).into(),
        name_key(&role.name).into(),
        (&role.description).into(),
        role.built_in.into(),
        written(role)?.into(),
        role.created_at.into(),
        role.updated_at.into(),
    ];
    conn.execute(sql, &values).await?;
    Ok(())
}

/// Changes name, description, permissions and the time of the last change.
///
/// # Errors
/// See [`DbError`]; `Conflict` when the name is taken.
pub async fn update(conn: &mut Conn, workspace: WorkspaceId, role: &Role) -> Result<(), DbError> {
    let sql = "UPDATE roles SET name = $3, name_key = $4, description = $5, permissions = $6, updated_at = $7 \
               WHERE workspace_id = $1 AND id = $2";
    let values = [
        workspace.into(),
        role.id.into(),
        (&role.name).into(),
        name_key(&role.name).into(),
        (&role.description).into(),
        written(role)?.into(),
        role.updated_at.into(),
    ];
    conn.execute(sql, &values).await?;
    Ok(())
}

/// Deletes a role that nobody holds.
///
/// # Errors
/// See [`DbError`].
pub async fn delete(conn: &mut Conn, workspace: WorkspaceId, id: RoleId) -> Result<(), DbError> {
    conn.execute("DELETE FROM roles WHERE workspace_id = $1 AND id = $2", &[workspace.into(), id.into()]).await?;
    Ok(())
}

/// By what names are compared: two roles of a workspace never have the same.
pub fn name_key(name: &str) -> String {
    name.to_lowercase()
}

fn written(role: &Role) -> Result<String, DbError> {
    serde_json::to_string(&role.permissions).map_err(|error| DbError::Fault(error.to_string()))
}

/// Gives a role. Returns whether it is new.
///
/// # Errors
/// See [`DbError`].
pub async fn assign(
    conn: &mut Conn,
    workspace: WorkspaceId,
    role: RoleId,
    principal: PrincipalId,
) -> Result<bool, DbError> {
    let sql = "INSERT INTO role_members (workspace_id, role_id, principal_id) VALUES ($1, $2, $3) \
               ON CONFLICT (role_id, principal_id) DO NOTHING";
    Ok(conn.execute(sql, &[workspace.into(), role.into(), principal.to_string().into()]).await? > 0)
}

/// Takes a role. Returns whether it was held.
///
/// # Errors
/// See [`DbError`].
pub async fn unassign(
    conn: &mut Conn,
    workspace: WorkspaceId,
    role: RoleId,
    principal: PrincipalId,
) -> Result<bool, DbError> {
    let sql = "DELETE FROM role_members WHERE workspace_id = $1 AND role_id = $2 AND principal_id = $3";
    Ok(conn.execute(sql, &[workspace.into(), role.into(), principal.to_string().into()]).await? > 0)
}

/// Writes down that a principal changed, because its roles did.
///
/// # Errors
/// See [`DbError`].
pub async fn touch(
    conn: &mut Conn,
    workspace: WorkspaceId,
    principal: PrincipalId,
    now: Timestamp,
) -> Result<(), DbError> {
    let sql = match principal {
        PrincipalId::User(_) => "UPDATE memberships SET updated_at = $3 WHERE workspace_id = $1 AND user_id = $2",
        PrincipalId::ApiKey(_) => "UPDATE api_keys SET updated_at = $3 WHERE workspace_id = $1 AND id = $2",
    };
    conn.execute(sql, &[workspace.into(), principal.to_string().into(), now.into()]).await?;
    Ok(())
}

/// How many hold a role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holders {
    /// Users, blocked ones too.
    pub users: u64,
    /// API keys, blocked ones too.
    pub api_keys: u64,
}

impl Holders {
    /// Both together.
    pub const fn all(self) -> u64 {
        self.users.saturating_add(self.api_keys)
    }
}

/// How many hold each role of a workspace; those that nobody holds are left out.
///
/// # Errors
/// See [`DbError`].
pub async fn holders(conn: &mut Conn, workspace: WorkspaceId) -> Result<BTreeMap<RoleId, Holders>, DbError> {
    let sql = format!(
        "SELECT r.id AS role_id, {HOLDERS} FROM roles r JOIN role_members y ON y.role_id = r.id \
         WHERE r.workspace_id = $1 GROUP BY r.id"
    );
    let rows = conn.query(&sql, &[workspace.into()]).await?;
    rows.iter().map(|row| Ok((row.get("role_id")?, read_holders(row)?))).collect()
}

/// How many hold one role.
///
/// # Errors
/// See [`DbError`].
pub async fn holders_of(conn: &mut Conn, workspace: WorkspaceId, id: RoleId) -> Result<Holders, DbError> {
    let sql = format!(
        "SELECT {HOLDERS} FROM roles r JOIN role_members y ON y.role_id = r.id WHERE r.workspace_id = $1 AND r.id = $2"
    );
    read_holders(&conn.query_one(&sql, &[workspace.into(), id.into()]).await?)
}

/// All of them, and the users among them: the ids of users begin with `usr_`. Only the key of `role_members` is read.
const HOLDERS: &str =
    "COUNT(*) AS holders, COUNT(CASE WHEN y.principal_id < 'usr_' THEN NULL ELSE 1 END) AS holding_users";

fn read_holders(row: &Row) -> Result<Holders, DbError> {
    let (all, users) = (row.get::<i64>("holders")?.unsigned_abs(), row.get::<i64>("holding_users")?.unsigned_abs());
    Ok(Holders { users, api_keys: all.saturating_sub(users) })
}

/// How many pending invites name a role.
///
/// # Errors
/// See [`DbError`].
pub async fn pending_invites(conn: &mut Conn, workspace: WorkspaceId, id: RoleId) -> Result<u64, DbError> {
    let sql =
        "SELECT COUNT(*) AS invites FROM invites WHERE workspace_id = $1 AND status = 'pending' AND role_ids LIKE $2";
    let row = conn.query_one(sql, &[workspace.into(), format!("%\"{id}\"%").into()]).await?;
    Ok(row.get::<i64>("invites")?.unsigned_abs())
}

/// Who holds a role: a user or an API key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct RoleMember {
    /// Which of the two.
    #[serde(rename = "type")]
    pub kind: PrincipalKind,
    /// The id of the user or API key.
    pub id: String,
    /// The name.
    pub name: String,
    /// Whether it may act in the workspace.
    pub status: PrincipalStatus,
}

/// The order of the holders of a role: by id, so API keys stand before users, and each in the order in which they were made. It is
/// the order of the table's key: a role that a hundred thousand hold is read as fast as one that three hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByHolder;

impl Sort for ByHolder {
    fn name(self) -> &'static str {
        "id"
    }

    fn column(self) -> &'static str {
        "y.principal_id"
    }

    fn is_number(self) -> bool {
        false
    }

    fn id(self) -> &'static str {
        "y.principal_id"
    }
}

/// One page of those who hold a role.
///
/// # Errors
/// See [`DbError`].
pub async fn members(
    conn: &mut Conn,
    workspace: WorkspaceId,
    id: RoleId,
    request: &PageRequest<ByHolder>,
) -> Result<Page<RoleMember>, DbError> {
    let mut filter = Filter::default();
    filter.and("y.workspace_id = $?", workspace);
    filter.and("y.role_id = $?", id);
    let columns = "y.principal_id AS id, COALESCE(m.name, k.name) AS name, COALESCE(m.status, k.status) AS status";
    let from = "role_members y \
                LEFT JOIN memberships m ON m.workspace_id = y.workspace_id AND m.user_id = y.principal_id \
                LEFT JOIN api_keys k ON k.workspace_id = y.workspace_id AND k.id = y.principal_id";
    page::list(conn, Listing::new(columns, from, filter), request, |row| {
        let id: PrincipalId = row.parse("id")?;
        Ok(RoleMember { kind: id.kind(), id: id.to_string(), name: row.get("name")?, status: row.parse("status")? })
    })
    .await
}
