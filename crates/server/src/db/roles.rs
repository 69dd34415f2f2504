//! Roles, and who holds them.

use bellwire_core::{
    event::PrincipalId,
    id::{RoleId, WorkspaceId},
    permission::{BuiltInRole, Permission, Permissions},
    time::Timestamp,
};
use serde::Serialize;

use super::{Conn, DbError, Row, principals::RoleRef};

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
const ORDER: &str = "CASE WHEN r.built_in = 0 THEN 3 WHEN r.name = 'Owner' THEN 0 WHEN r.name = 'Admin' THEN 1 ELSE 2 END, LOWER(r.name), r.id";

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
    let sql = "INSERT INTO roles (id, workspace_id, name, description, built_in, permissions, created_at, updated_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let permissions = serde_json::to_string(&role.permissions).map_err(|error| DbError::Fault(error.to_string()))?;
    let values = [
        role.id.into(),
        workspace.into(),
        (&role.name).into(),
        (&role.description).into(),
        role.built_in.into(),
        permissions.into(),
        role.created_at.into(),
        role.updated_at.into(),
    ];
    conn.execute(sql, &values).await?;
    Ok(())
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
