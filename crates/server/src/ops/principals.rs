//! What users and API keys have in common: they own webhooks and groups.

use bellwire_core::{event::PrincipalId, permission::Permission};

use super::Actor;
pub use crate::db::principals::Owned;
use crate::{app::App, db, error::Error};

/// What a principal owns, for whoever is about to remove it or is about to leave: it stays, and goes to somebody else.
///
/// # Errors
/// [`Error::Forbidden`] for whoever may not see such principals, unless they ask about themselves.
pub async fn owned(app: &App, actor: &Actor, principal: PrincipalId) -> Result<Owned, Error> {
    if actor.principal != principal {
        actor.require(match principal {
            PrincipalId::User(_) => Permission::UsersView,
            PrincipalId::ApiKey(_) => Permission::ApiKeysView,
        })?;
    }
    let workspace = actor.workspace;
    app.db.read(move |conn| Box::pin(async move { Ok(db::principals::owned(conn, workspace, principal).await?) })).await
}
