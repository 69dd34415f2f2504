//! Principals: whoever can act in a workspace, a user or an API key, and what their roles allow.

use bellwire_core::{event::PrincipalId, id::WorkspaceId, permission::Permissions};

use super::{Conn, DbError};

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
        Some(row) if row.get::<String>("status")? == "active" => {}
        _ => return Ok(None),
    }
    let sql = "SELECT r.permissions AS permissions FROM role_members m JOIN roles r ON r.id = m.role_id \
               WHERE m.workspace_id = $1 AND m.principal_id = $2";
    let roles = conn.query(sql, &key).await?;
    roles.iter().try_fold(Permissions::default(), |all, row| Ok(all.union(row.json("permissions")?))).map(Some)
}
