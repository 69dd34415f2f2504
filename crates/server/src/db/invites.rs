//! Invites. A token is stored twice: hashed, to recognise it, and sealed, so that the URL can be copied again.

use std::collections::BTreeMap;

use bellwire_core::{
    event::EventActor,
    id::{InviteId, RoleId, UserId, WorkspaceId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{
    Conn, DbError, Row,
    page::{self, Filter, Listing, Page, PageRequest, Sort},
    principals::RoleRef,
    roles,
};

/// How an invite stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InviteStatus {
    /// Can be accepted.
    Pending,
    /// The person joined.
    Accepted,
    /// Wasn't accepted in time; can be sent again.
    Expired,
    /// Was taken back.
    Deleted,
}

impl InviteStatus {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Expired => "expired",
            Self::Deleted => "deleted",
        }
    }
}

impl std::str::FromStr for InviteStatus {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Pending, Self::Accepted, Self::Expired, Self::Deleted];
        all.into_iter().find(|status| status.as_str() == text).ok_or("must be pending, accepted, expired or deleted")
    }
}

/// An invite, as the API shows it and events carry it. Its token and URL are nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Invite {
    /// Its id.
    pub id: InviteId,
    /// Who is invited, in lower case.
    pub email: String,
    /// How it stands.
    pub status: InviteStatus,
    /// The roles that the person will hold.
    pub roles: Vec<RoleRef>,
    /// Who invited.
    pub invited_by: EventActor,
    /// When.
    pub created_at: Timestamp,
    /// Until when it can be accepted.
    pub expires_at: Timestamp,
    /// When it was accepted; null before.
    pub accepted_at: Option<Timestamp>,
    /// The user that accepted it; null before.
    pub user_id: Option<UserId>,
}

/// By what invites are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InviteSort {
    /// By e-mail address.
    Email,
    /// By when they were made.
    #[default]
    CreatedAt,
    /// By when they run out.
    ExpiresAt,
    /// Accepted, deleted, expired, pending.
    Status,
}

impl Sort for InviteSort {
    fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::CreatedAt => "created_at",
            Self::ExpiresAt => "expires_at",
            Self::Status => "status",
        }
    }

    fn column(self) -> &'static str {
        match self {
            Self::Email => "i.email",
            Self::CreatedAt => "i.created_at",
            Self::ExpiresAt => "i.expires_at",
            Self::Status => "i.status",
        }
    }

    fn is_number(self) -> bool {
        matches!(self, Self::CreatedAt | Self::ExpiresAt)
    }

    fn id(self) -> &'static str {
        "i.id"
    }
}

/// Which invites a list shows.
#[derive(Clone, Debug, Default)]
pub struct InviteFilter {
    /// Text in the e-mail address, or the whole id.
    pub search: Option<String>,
    /// Only these.
    pub status: Option<InviteStatus>,
}

const COLUMNS: &str = "i.id AS id, i.email AS email, i.status AS status, i.role_ids AS role_ids, \
                       i.invited_by AS invited_by, i.created_at AS created_at, i.expires_at AS expires_at, \
                       i.accepted_at AS accepted_at, i.user_id AS user_id";

/// The roles of a workspace by id. Those that were deleted since are left out of the invites that named them.
type Names = BTreeMap<RoleId, RoleRef>;

async fn names(conn: &mut Conn, workspace: WorkspaceId) -> Result<Names, DbError> {
    let roles = roles::list(conn, workspace).await?;
    Ok(roles.iter().map(|role| (role.id, role.as_ref())).collect())
}

fn read(row: &Row, names: &Names) -> Result<Invite, DbError> {
    let role_ids: Vec<RoleId> = row.json("role_ids")?;
    Ok(Invite {
        id: row.get("id")?,
        email: row.get("email")?,
        status: row.parse("status")?,
        roles: role_ids.iter().filter_map(|id| names.get(id).cloned()).collect(),
        invited_by: row.json("invited_by")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
        accepted_at: row.get("accepted_at")?,
        user_id: row.get("user_id")?,
    })
}

/// One page of the invites of a workspace.
///
/// # Errors
/// See [`DbError`].
pub async fn list(
    conn: &mut Conn,
    workspace: WorkspaceId,
    wanted: &InviteFilter,
    request: &PageRequest<InviteSort>,
) -> Result<Page<Invite>, DbError> {
    let names = names(conn, workspace).await?;
    page::list(conn, listing(workspace, wanted), request, |row| read(row, &names)).await
}

/// How many there are on all pages.
///
/// # Errors
/// See [`DbError`].
pub async fn count(conn: &mut Conn, workspace: WorkspaceId, wanted: &InviteFilter) -> Result<u64, DbError> {
    page::count(conn, &listing(workspace, wanted)).await
}

pub(super) fn listing(workspace: WorkspaceId, wanted: &InviteFilter) -> Listing {
    let mut filter = Filter::default();
    filter.and("i.workspace_id = $?", workspace);
    if let Some(status) = wanted.status {
        filter.and_walking("i.status", status.as_str());
    }
    if let Some(text) = &wanted.search {
        filter.and("i.email LIKE $? ESCAPE '\\' OR i.id LIKE $? ESCAPE '\\'", page::containing(text));
    }
    Listing::new(COLUMNS, "invites i", filter)
}

/// One invite.
///
/// # Errors
/// See [`DbError`].
pub async fn get(conn: &mut Conn, workspace: WorkspaceId, id: InviteId) -> Result<Option<Invite>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM invites i WHERE i.workspace_id = $1 AND i.id = $2");
    let Some(row) = conn.query_opt(&sql, &[workspace.into(), id.into()]).await? else { return Ok(None) };
    read(&row, &names(conn, workspace).await?).map(Some)
}

/// The invite whose token has this hash, and its workspace.
///
/// # Errors
/// See [`DbError`].
pub async fn by_token(conn: &mut Conn, token_hash: &str) -> Result<Option<(WorkspaceId, Invite)>, DbError> {
    let sql = format!("SELECT {COLUMNS}, i.workspace_id AS workspace_id FROM invites i WHERE i.token_hash = $1");
    let Some(row) = conn.query_opt(&sql, &[token_hash.into()]).await? else { return Ok(None) };
    let workspace = row.get("workspace_id")?;
    Ok(Some((workspace, read(&row, &names(conn, workspace).await?)?)))
}

/// The sealed token of an invite.
///
/// # Errors
/// See [`DbError`].
pub async fn sealed_token(conn: &mut Conn, workspace: WorkspaceId, id: InviteId) -> Result<Option<Vec<u8>>, DbError> {
    let sql = "SELECT token_sealed FROM invites WHERE workspace_id = $1 AND id = $2";
    let row = conn.query_opt(sql, &[workspace.into(), id.into()]).await?;
    row.map(|row| row.get("token_sealed")).transpose()
}

/// Whether an e-mail address has a pending invite, and belongs to a member.
///
/// # Errors
/// See [`DbError`].
pub async fn standing(conn: &mut Conn, workspace: WorkspaceId, email: &str) -> Result<(bool, bool), DbError> {
    let key = [workspace.into(), email.into()];
    let pending = "SELECT id FROM invites WHERE workspace_id = $1 AND email = $2 AND status = 'pending'";
    let member = "SELECT u.id AS id FROM users u JOIN memberships m ON m.user_id = u.id \
                  WHERE m.workspace_id = $1 AND u.email = $2";
    Ok((conn.query_opt(pending, &key).await?.is_some(), conn.query_opt(member, &key).await?.is_some()))
}

/// A token, as it is stored.
#[derive(Clone, Debug)]
pub struct StoredToken {
    /// SHA-256, hexadecimal.
    pub hash: String,
    /// Encrypted.
    pub sealed: Vec<u8>,
}

/// Writes a new invite.
///
/// # Errors
/// See [`DbError`]; `Conflict` when the address has a pending one.
pub async fn insert(
    conn: &mut Conn,
    workspace: WorkspaceId,
    invite: &Invite,
    token: StoredToken,
) -> Result<(), DbError> {
    let sql = "INSERT INTO invites (id, workspace_id, email, role_ids, status, token_hash, token_sealed, invited_by, created_at, expires_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let fault = |error: serde_json::Error| DbError::Fault(error.to_string());
    let role_ids: Vec<RoleId> = invite.roles.iter().map(|role| role.id).collect();
    let values = [
        invite.id.into(),
        workspace.into(),
        (&invite.email).into(),
        serde_json::to_string(&role_ids).map_err(fault)?.into(),
        invite.status.as_str().into(),
        token.hash.into(),
        token.sealed.into(),
        serde_json::to_string(&invite.invited_by).map_err(fault)?.into(),
        invite.created_at.into(),
        invite.expires_at.into(),
    ];
    conn.execute(sql, &values).await?;
    Ok(())
}

/// Makes an invite pending again with a new token.
///
/// # Errors
/// See [`DbError`]; `Conflict` when the address has another pending one.
pub async fn renew(
    conn: &mut Conn,
    workspace: WorkspaceId,
    id: InviteId,
    token: StoredToken,
    expires_at: Timestamp,
) -> Result<(), DbError> {
    let sql = "UPDATE invites SET status = 'pending', token_hash = $3, token_sealed = $4, expires_at = $5 \
               WHERE workspace_id = $1 AND id = $2";
    let values = [workspace.into(), id.into(), token.hash.into(), token.sealed.into(), expires_at.into()];
    conn.execute(sql, &values).await?;
    Ok(())
}

/// Moves an invite from one status to another. Returns whether it had the first one: of several that try at once, one succeeds.
///
/// # Errors
/// See [`DbError`].
pub async fn move_status(
    conn: &mut Conn,
    workspace: WorkspaceId,
    id: InviteId,
    from: InviteStatus,
    to: InviteStatus,
) -> Result<bool, DbError> {
    let sql = "UPDATE invites SET status = $4 WHERE workspace_id = $1 AND id = $2 AND status = $3";
    let values = [workspace.into(), id.into(), from.as_str().into(), to.as_str().into()];
    Ok(conn.execute(sql, &values).await? > 0)
}

/// Writes down who accepted an invite.
///
/// # Errors
/// See [`DbError`].
pub async fn accepted_by(
    conn: &mut Conn,
    workspace: WorkspaceId,
    id: InviteId,
    user: UserId,
    now: Timestamp,
) -> Result<(), DbError> {
    let sql = "UPDATE invites SET accepted_at = $3, user_id = $4 WHERE workspace_id = $1 AND id = $2";
    conn.execute(sql, &[workspace.into(), id.into(), now.into(), user.into()]).await?;
    Ok(())
}

/// Pending invites whose time has run out, those of the longest ago first.
///
/// # Errors
/// See [`DbError`].
pub async fn due(conn: &mut Conn, now: Timestamp, limit: u32) -> Result<Vec<(WorkspaceId, InviteId)>, DbError> {
    let sql = "SELECT workspace_id, id FROM invites WHERE status = 'pending' AND expires_at <= $1 \
               ORDER BY expires_at LIMIT $2";
    let rows = conn.query(sql, &[now.into(), limit.into()]).await?;
    rows.iter().map(|row| Ok((row.get("workspace_id")?, row.get("id")?))).collect()
}
