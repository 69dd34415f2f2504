//! Workspaces: their name.

use bellwire_core::{
    catalogue::EventType,
    id::{self, UserId, WorkspaceId},
    permission::{BuiltInRole, Permission},
    text::Name,
};
use serde_json::json;

use super::{Actor, Tx, change, license, users};
use crate::{
    app::App,
    db::{self, roles::Role, workspaces::Workspace},
    error::Error,
};

/// The workspace of whoever asks.
///
/// # Errors
/// [`Error::NotFound`]
pub async fn get(app: &App, actor: &Actor) -> Result<Workspace, Error> {
    let id = actor.workspace;
    let found = app.db.read(move |conn| Box::pin(async move { db::workspaces::get(conn, id).await })).await?;
    found.ok_or_else(Error::not_found::<id::Workspace>)
}

/// Gives the workspace another name. The same name changes nothing.
///
/// # Errors
/// [`Error::Forbidden`]
pub async fn rename(app: &App, actor: &Actor, name: Name) -> Result<Workspace, Error> {
    let workspace = change(app, actor, Some(Permission::SettingsManage), move |tx| {
        Box::pin(async move {
            let found = db::workspaces::get(tx.conn, tx.workspace).await?;
            let before = found.ok_or_else(Error::not_found::<id::Workspace>)?;
            if before.name == name.as_str() {
                tx.unchanged();
                return Ok(before);
            }
            db::workspaces::rename(tx.conn, tx.workspace, name.as_str()).await?;
            let workspace = Workspace { name: name.as_str().to_owned(), ..before };
            let data = json!({"object": workspace, "previous": {"name": before.name}});
            tx.record(EventType::WORKSPACE_UPDATED, &data)?;
            Ok(workspace)
        })
    })
    .await?;
    app.changed(actor.workspace, "workspace");
    Ok(workspace)
}

/// Makes the workspace of the transaction, with the built-in roles, its first owner and its license. Returns the role Owner.
pub(super) async fn create(tx: &mut Tx<'_>, name: &Name, owner: UserId, owner_name: &Name) -> Result<Role, Error> {
    let workspace = Workspace { id: tx.workspace, name: name.as_str().to_owned(), created_at: tx.now };
    db::workspaces::insert(tx.conn, &workspace).await?;
    let [owner_role, admin, member] = BuiltInRole::ALL.map(|role| Role {
        id: tx.app.random.id(tx.now),
        name: role.name().to_owned(),
        description: role.description().to_owned(),
        built_in: true,
        permissions: role.permissions(),
        created_at: tx.now,
        updated_at: tx.now,
    });
    for role in [&owner_role, &admin, &member] {
        db::roles::insert(tx.conn, tx.workspace, role).await?;
    }
    users::join(tx, owner, owner_name.as_str(), std::slice::from_ref(&owner_role)).await?;
    license::issue(tx).await?;
    Ok(owner_role)
}

/// A new id for a workspace that is about to be made.
pub(super) fn new_id(app: &App) -> WorkspaceId {
    app.random.id(app.clock.now())
}
