//! API keys. Of a secret only the hash is stored.

use bellwire_core::{
    event::EventActor,
    id::{ApiKeyId, WorkspaceId},
    permission::{BuiltInRole, Permissions},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{
    Conn, DbError, Row,
    page::{self, Filter, Listing, Page, PageRequest, Sort},
    principals::{PrincipalStatus, RoleRef, read_roles, roles_of},
};

/// An API key, as the API shows it and events carry it. Its secret is nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Its name.
    pub name: String,
    /// The last 4 characters of the secret, to tell keys apart.
    pub hint: String,
    /// Whether it may act.
    pub status: PrincipalStatus,
    /// Why it is blocked, if whoever did it said so.
    pub status_reason: Option<String>,
    /// The roles that it holds.
    pub roles: Vec<RoleRef>,
    /// Who made it.
    pub created_by: EventActor,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// When it was used last, to the minute; null if never.
    pub last_used_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whether the key holds the role Owner.
    pub fn is_owner(&self) -> bool {
        self.roles.iter().any(|role| role.name == BuiltInRole::Owner.name())
    }
}

/// By what API keys are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApiKeySort {
    /// Alphabetically, whatever the case.
    Name,
    /// By when they were made.
    #[default]
    CreatedAt,
    /// By when they were used last; those never used as if in 1970.
    LastUsedAt,
    /// Active before blocked.
    Status,
}

impl Sort for ApiKeySort {
    fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::CreatedAt => "created_at",
            Self::LastUsedAt => "last_used_at",
            Self::Status => "status",
        }
    }

    fn column(self) -> &'static str {
        match self {
            Self::Name => "k.name_key",
            Self::CreatedAt => "k.created_at",
            Self::LastUsedAt => "COALESCE(k.last_used_at, 0)",
            Self::Status => "k.status",
        }
    }

    fn is_number(self) -> bool {
        matches!(self, Self::CreatedAt | Self::LastUsedAt)
    }

    fn id(self) -> &'static str {
        "k.id"
    }
}

/// Which API keys a list shows.
#[derive(Clone, Debug, Default)]
pub struct ApiKeyFilter {
    /// Text in the name, or the whole id, or the hint.
    pub search: Option<String>,
    /// Only these.
    pub status: Option<PrincipalStatus>,
}

/// What a secret stands for.
#[derive(Clone, Debug)]
pub struct Bearer {
    /// The key.
    pub id: ApiKeyId,
    /// Where.
    pub workspace: WorkspaceId,
    /// Its name.
    pub name: String,
    /// What its roles allow.
    pub permissions: Permissions,
    /// When it was used last.
    pub last_used_at: Option<Timestamp>,
}

const COLUMNS: &str = concat!(
    "k.id AS id, k.name AS name, k.hint AS hint, k.status AS status, k.status_reason AS status_reason, \
     k.created_by AS created_by, k.created_at AS created_at, k.updated_at AS updated_at, k.last_used_at AS last_used_at, ",
    roles_of!("k.workspace_id", "k.id")
);

fn read(row: &Row) -> Result<ApiKey, DbError> {
    Ok(ApiKey {
        id: row.get("id")?,
        name: row.get("name")?,
        hint: row.get("hint")?,
        status: row.parse("status")?,
        status_reason: row.get("status_reason")?,
        roles: read_roles(row)?,
        created_by: row.json("created_by")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        last_used_at: row.get("last_used_at")?,
    })
}

/// One page of the API keys of a workspace.
///
/// # Errors
/// See [`DbError`].
pub async fn list(
    conn: &mut Conn,
    workspace: WorkspaceId,
    wanted: &ApiKeyFilter,
    request: &PageRequest<ApiKeySort>,
) -> Result<Page<ApiKey>, DbError> {
    page::list(conn, listing(workspace, wanted), request, read).await
}

/// How many there are on all pages.
///
/// # Errors
/// See [`DbError`].
pub async fn count(conn: &mut Conn, workspace: WorkspaceId, wanted: &ApiKeyFilter) -> Result<u64, DbError> {
    page::count(conn, &listing(workspace, wanted)).await
}

pub(super) fn listing(workspace: WorkspaceId, wanted: &ApiKeyFilter) -> Listing {
    let mut filter = Filter::default();
    filter.and("k.workspace_id = $?", workspace);
    if let Some(status) = wanted.status {
        filter.and("k.status = $?", status.as_str());
    }
    if let Some(text) = &wanted.search {
        let pattern = page::containing(text);
        filter.and(
            "k.name_key LIKE $? ESCAPE '\\' OR k.id LIKE $? ESCAPE '\\' OR LOWER(k.hint) LIKE $? ESCAPE '\\'",
            pattern,
        );
    }
    Listing::new(COLUMNS, "api_keys k", filter)
}

/// One API key.
///
/// # Errors
/// See [`DbError`].
pub async fn get(conn: &mut Conn, workspace: WorkspaceId, id: ApiKeyId) -> Result<Option<ApiKey>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM api_keys k WHERE k.workspace_id = $1 AND k.id = $2");
    conn.query_opt(&sql, &[workspace.into(), id.into()]).await?.as_ref().map(read).transpose()
}

/// What the secret with this hash stands for, in one statement: every request of the API asks. `None` when there is none, or
/// it is blocked.
///
/// # Errors
/// See [`DbError`].
pub async fn by_secret(conn: &mut Conn, secret_hash: &str) -> Result<Option<Bearer>, DbError> {
    // The permissions of each role are one line of JSON.
    let sql = "SELECT k.id AS id, k.workspace_id AS workspace_id, k.name AS name, k.last_used_at AS last_used_at, \
               (SELECT string_agg(r.permissions, '\n') FROM role_members m JOIN roles r ON r.id = m.role_id \
                WHERE m.workspace_id = k.workspace_id AND m.principal_id = k.id) AS permissions \
               FROM api_keys k WHERE k.secret_hash = $1 AND k.status = 'active'";
    let Some(row) = conn.query_opt(sql, &[secret_hash.into()]).await? else { return Ok(None) };
    let mut permissions = Permissions::default();
    for line in row.get::<Option<String>>("permissions")?.unwrap_or_default().lines() {
        let role = serde_json::from_str(line).map_err(|error| DbError::corrupt("permissions", &error.to_string()))?;
        permissions = permissions.union(role);
    }
    Ok(Some(Bearer {
        id: row.get("id")?,
        workspace: row.get("workspace_id")?,
        name: row.get("name")?,
        permissions,
        last_used_at: row.get("last_used_at")?,
    }))
}

/// Whether this is the secret of that key.
///
/// # Errors
/// See [`DbError`].
pub async fn has_secret(conn: &mut Conn, id: ApiKeyId, secret_hash: &str) -> Result<bool, DbError> {
    let sql = "SELECT id FROM api_keys WHERE id = $1 AND secret_hash = $2";
    Ok(conn.query_opt(sql, &[id.into(), secret_hash.into()]).await?.is_some())
}

/// Writes a new API key.
///
/// # Errors
/// See [`DbError`].
pub async fn insert(conn: &mut Conn, workspace: WorkspaceId, key: &ApiKey, secret_hash: &str) -> Result<(), DbError> {
    let sql = "INSERT INTO api_keys (id, workspace_id, name, name_key, secret_hash, hint, status, created_by, created_at, updated_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let created_by = serde_json::to_string(&key.created_by).map_err(|error| DbError::Fault(error.to_string()))?;
    let values = [
        key.id.into(),
        workspace.into(),
        (&key.name).into(),
        key.name.to_lowercase().into(),
        secret_hash.into(),
        (&key.hint).into(),
        key.status.as_str().into(),
        created_by.into(),
        key.created_at.into(),
        key.updated_at.into(),
    ];
    conn.execute(sql, &values).await?;
    Ok(())
}

/// Changes the name.
///
/// # Errors
/// See [`DbError`].
pub async fn rename(
    conn: &mut Conn,
    workspace: WorkspaceId,
    id: ApiKeyId,
    name: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    let sql = "UPDATE api_keys SET name = $3, name_key = $4, updated_at = $5 WHERE workspace_id = $1 AND id = $2";
    conn.execute(sql, &[workspace.into(), id.into(), name.into(), name.to_lowercase().into(), now.into()]).await?;
    Ok(())
}

/// Replaces the secret.
///
/// # Errors
/// See [`DbError`].
pub async fn set_secret(
    conn: &mut Conn,
    workspace: WorkspaceId,
    id: ApiKeyId,
    secret_hash: &str,
    hint: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    let sql = "UPDATE api_keys SET secret_hash = $3, hint = $4, updated_at = $5 WHERE workspace_id = $1 AND id = $2";
    conn.execute(sql, &[workspace.into(), id.into(), secret_hash.into(), hint.into(), now.into()]).await?;
    Ok(())
}

/// Blocks or unblocks.
///
/// # Errors
/// See [`DbError`].
pub async fn set_status(
    conn: &mut Conn,
    workspace: WorkspaceId,
    id: ApiKeyId,
    status: PrincipalStatus,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<(), DbError> {
    let sql =
        "UPDATE api_keys SET status = $3, status_reason = $4, updated_at = $5 WHERE workspace_id = $1 AND id = $2";
    conn.execute(sql, &[workspace.into(), id.into(), status.as_str().into(), reason.into(), now.into()]).await?;
    Ok(())
}

/// Writes down that the key was used; never back in time.
///
/// # Errors
/// See [`DbError`].
pub async fn used(conn: &mut Conn, id: ApiKeyId, now: Timestamp) -> Result<(), DbError> {
    let sql = "UPDATE api_keys SET last_used_at = $2 WHERE id = $1 AND COALESCE(last_used_at, 0) < $2";
    conn.execute(sql, &[id.into(), now.into()]).await?;
    Ok(())
}

/// Deletes a key; its roles are taken by their own function.
///
/// # Errors
/// See [`DbError`].
pub async fn delete(conn: &mut Conn, workspace: WorkspaceId, id: ApiKeyId) -> Result<(), DbError> {
    conn.execute("DELETE FROM api_keys WHERE workspace_id = $1 AND id = $2", &[workspace.into(), id.into()]).await?;
    Ok(())
}
