//! What an operator does at the machine itself: whoever can read the database and its key needs no permission in a workspace.
//!
//! The events that it causes have the actor `system`, and say that a command was their origin.

use bellwire_core::{
    event::By,
    id::{ApiKeyId, UserId, WorkspaceId},
    text::{Email, Name},
};
use serde::Serialize;

use super::{api_keys, journal};
use crate::{
    app::App,
    db::{self, roles::Role, workspaces::Workspace},
    error::Error,
    password::Password,
};

/// What `bellwire api-key create` prints.
#[derive(Clone, Debug, Serialize)]
pub struct MadeApiKey {
    /// Where it is valid.
    pub workspace_id: WorkspaceId,
    /// Its id.
    pub id: ApiKeyId,
    /// Its name.
    pub name: String,
    /// The names of its roles.
    pub roles: Vec<String>,
    /// The secret, which is told this once.
    pub secret: String,
}

/// The workspace that an operator means: by its id or its name, or the only one.
///
/// # Errors
/// [`Error::Invalid`] for `workspace`, when it is not clear which.
pub async fn workspace(app: &App, wanted: Option<String>) -> Result<Workspace, Error> {
    let said = wanted.clone();
    let mut found =
        app.db.read(move |conn| Box::pin(async move { db::workspaces::find(conn, said.as_deref(), 2).await })).await?;
    let why = match (found.len(), wanted) {
        (1, _) => return found.pop().ok_or(Error::NotFound("workspace")),
        (0, Some(wanted)) => format!("there is no workspace with the id or name {wanted:?}"),
        (0, None) => "there is no workspace yet".to_owned(),
        (_, Some(wanted)) => format!("several workspaces have the name {wanted:?}: give the id"),
        (_, None) => "there are several: say which, by its id or name".to_owned(),
    };
    Err(Error::invalid("workspace", why))
}

/// Makes an API key. `roles` are ids or names, of any case.
///
/// # Errors
/// [`Error::Invalid`] for `role`; the conflict `too_many_api_keys`.
pub async fn create_api_key(
    app: &App,
    workspace: WorkspaceId,
    name: Name,
    roles: Vec<String>,
) -> Result<MadeApiKey, Error> {
    journal::transact(app, workspace, By::operator(), true, move |tx| {
        Box::pin(async move {
            let all = db::roles::list(tx.conn, tx.workspace).await?;
            let roles = roles.iter().map(|wanted| named(&all, wanted)).collect::<Result<Vec<Role>, _>>()?;
            api_keys::require_room(tx).await?;
            tx.correlate();
            let (key, secret) = api_keys::make(tx, name.as_str(), &roles).await?;
            let roles = roles.into_iter().map(|role| role.name).collect();
            Ok(MadeApiKey { workspace_id: tx.workspace, id: key.id, name: key.name, roles, secret })
        })
    })
    .await
}

fn named(all: &[Role], wanted: &str) -> Result<Role, Error> {
    let is_it = |role: &&Role| role.id.to_string() == wanted || role.name.to_lowercase() == wanted.to_lowercase();
    all.iter().find(is_it).cloned().ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|role| role.name.as_str()).collect();
        Error::invalid("role", format!("there is no role {wanted:?}; there are {}", names.join(", ")))
    })
}

/// Gives a person another password, and ends all their sessions.
///
/// # Errors
/// [`Error::Invalid`] for `email`, when nobody has it.
pub async fn reset_password(app: &App, email: Email, password: Password) -> Result<UserId, Error> {
    let hash = password.hash(&app.random).await?;
    app.db
        .write(move |conn| {
            Box::pin(async move {
                let person = db::users::person_by_email(conn, email.as_str()).await?;
                let user = person.ok_or_else(|| Error::invalid("email", format!("nobody has {}", email.as_str())))?.id;
                db::users::set_password(conn, user, &hash).await?;
                db::sessions::delete_all(conn, user).await?;
                Ok(user)
            })
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ops::sign_in,
        testing::{PASSWORD, World, bootstrap, fields},
    };

    #[tokio::test]
    async fn an_operator_makes_keys() {
        for world in World::each().await {
            let (app, name) = (&world.app, || Name::parse("Deploy").unwrap());
            assert_eq!(workspace(app, None).await.unwrap().id, world.workspace);
            let made = create_api_key(app, world.workspace, name(), vec!["admin".to_owned()]).await.unwrap();
            assert_eq!(made.roles, ["Admin"]);
            assert_eq!(world.new_types().await, ["api_key.created", "role.assigned"]);
            let key = api_keys::authenticate(app, &made.secret).await.unwrap();
            assert_eq!((key.workspace, key.name.as_str()), (world.workspace, "Deploy"));
            let unknown = create_api_key(app, world.workspace, name(), vec!["Boss".to_owned()]).await;
            assert_eq!(fields(unknown), ["role"]);
            assert!(world.news().await.is_empty());

            bootstrap(app, "Acme", "bo@example.com", "Bo Chen").await;
            assert_eq!(fields(workspace(app, None).await), ["workspace"]);
            assert_eq!(fields(workspace(app, Some("Acme".to_owned())).await), ["workspace"]);
            let id = world.workspace.to_string();
            assert_eq!(workspace(app, Some(id)).await.unwrap().id, world.workspace);
            assert_eq!(fields(workspace(app, Some("Nobody".to_owned())).await), ["workspace"]);
        }
    }

    #[tokio::test]
    async fn a_new_password_ends_all_sessions() {
        for world in World::each().await {
            let (app, email) = (&world.app, Email::parse("ann@example.com").unwrap());
            let token = sign_in::sign_in(app, email.as_str(), PASSWORD, None).await.unwrap();
            let new = Password::parse("another good password").unwrap();
            assert_eq!(reset_password(app, email.clone(), new.clone()).await.unwrap(), world.ann);
            assert!(sign_in::session(app, token.as_str()).await.unwrap().is_none());
            assert!(sign_in::sign_in(app, email.as_str(), PASSWORD, None).await.is_err());
            assert!(sign_in::sign_in(app, email.as_str(), "another good password", None).await.is_ok());
            let nobody = Email::parse("nobody@example.com").unwrap();
            assert_eq!(fields(reset_password(app, nobody, new).await), ["email"]);
        }
    }
}
