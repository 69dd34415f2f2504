//! The beginning: the first workspace and its owner.
//!
//! Two ways lead to it. An operator at a browser opens the set-up link that the log shows while nobody has an account; a program
//! runs `bellwire bootstrap`, which makes a workspace and an API key each time. The link's token is new at each start, works once,
//! and only its hash is stored, so that neither the database nor an old log opens the door.

use std::net::IpAddr;

use bellwire_core::{
    event::{By, EventActor, Origin, PrincipalId, PrincipalKind},
    id::{UserId, WorkspaceId},
    text::{Email, Name},
};
use serde::Serialize;

use super::{
    api_keys, journal,
    sign_in::{self, SessionToken},
    workspaces,
};
use crate::{
    app::App,
    crypt,
    db::{self, users::Person},
    error::Error,
    password::Password,
};

/// What the set-up page asks for.
#[derive(Clone, Debug)]
pub struct SetUp {
    /// The workspace's name.
    pub workspace: Name,
    /// The owner's name.
    pub name: Name,
    /// The owner's e-mail address.
    pub email: Email,
    /// The owner's password.
    pub password: Password,
}

/// What `bellwire bootstrap` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Bootstrapped {
    /// The new workspace.
    pub workspace_id: WorkspaceId,
    /// Its owner.
    pub user_id: UserId,
    /// The secret of an API key with every permission.
    pub api_key: String,
}

/// A new set-up link while nobody has an account; links that were made before stop working.
///
/// # Errors
/// When the database fails.
pub async fn link(app: &App) -> Result<Option<String>, Error> {
    let (token, now) = (crypt::token(&app.random), app.clock.now());
    let hash = crypt::token_hash(&token);
    let open = app
        .db
        .write(move |conn| {
            Box::pin(async move {
                if db::users::any(conn).await? {
                    return Ok::<_, Error>(false);
                }
                db::sessions::set_setup_token(conn, &hash, now).await?;
                Ok(true)
            })
        })
        .await?;
    Ok(open.then(|| format!("{}/setup?token={token}", app.config.public_url())))
}

/// Whether a set-up link with this token would work now.
///
/// # Errors
/// When the database fails.
pub async fn is_open(app: &App, token: &str) -> Result<bool, Error> {
    let hash = crypt::token_hash(token);
    app.db.read(move |conn| Box::pin(async move { Ok(db::sessions::is_setup_token(conn, &hash).await?) })).await
}

/// Makes the first workspace and its owner, and signs the owner in.
///
/// # Errors
/// [`Error::NotFound`] when the link doesn't work (any more).
pub async fn complete(app: &App, token: &str, wanted: SetUp, client_ip: Option<IpAddr>) -> Result<SessionToken, Error> {
    let not_found = || Error::NotFound("set-up link");
    if !is_open(app, token).await? {
        return Err(not_found()); // before the slow hash
    }
    let SetUp { workspace, name, email, password } = wanted;
    let password_hash = password.hash(&app.random).await?;
    let (token_hash, now) = (crypt::token_hash(token), app.clock.now());
    let person = Person { id: app.random.id(now), email: email.as_str().to_owned(), password_hash };
    let by = By { actor: event_actor(person.id, &name), origin: Origin::console(client_ip) };
    journal::transact(app, workspaces::new_id(app), by, true, move |tx| {
        Box::pin(async move {
            if !db::sessions::use_setup_token(tx.conn, &token_hash).await? || db::users::any(tx.conn).await? {
                return Err(not_found());
            }
            db::users::insert_person(tx.conn, &person, tx.now).await?;
            tx.correlate();
            workspaces::create(tx, &workspace, person.id, &name).await?;
            let app = tx.app.clone();
            sign_in::begin(tx.conn, &app, person.id, Some(tx.workspace)).await
        })
    })
    .await
}

/// Makes a workspace and its owner, and an API key for automation that holds the role Owner. It works any number of times. When
/// the e-mail address has an account already, its person owns the new workspace too: it must be the password of that account, since
/// addresses are not verified, and somebody else may have made it.
///
/// # Errors
/// [`Error::Invalid`] for the password of an account, and when the database fails.
pub async fn bootstrap(
    app: &App,
    workspace: Name,
    owner_email: Email,
    owner_name: Name,
    password: Password,
) -> Result<Bootstrapped, Error> {
    let email = owner_email.clone();
    let known = app
        .db
        .read(move |conn| Box::pin(async move { db::users::person_by_email(conn, email.as_str()).await }))
        .await?;
    let password_hash = match &known {
        Some(person) if password.is_that_of(&person.password_hash).await? => None,
        Some(_) => {
            let message = "there is an account with this e-mail address, and its password is another one";
            return Err(Error::invalid("password", message));
        }
        None => Some(password.hash(&app.random).await?),
    };
    let new_id = app.random.id(app.clock.now());
    journal::transact(app, workspaces::new_id(app), By::operator(), true, move |tx| {
        Box::pin(async move {
            let owner = match (known, password_hash) {
                (Some(person), _) => person.id,
                (None, password_hash) => {
                    let password_hash = password_hash.unwrap_or_default();
                    let person = Person { id: new_id, email: owner_email.as_str().to_owned(), password_hash };
                    db::users::insert_person(tx.conn, &person, tx.now).await?;
                    person.id
                }
            };
            db::sessions::clear_setup(tx.conn).await?;
            tx.correlate();
            let role = workspaces::create(tx, &workspace, owner, &owner_name).await?;
            let (_, api_key) = api_keys::make(tx, "Automation", std::slice::from_ref(&role)).await?;
            Ok(Bootstrapped { workspace_id: tx.workspace, user_id: owner, api_key })
        })
    })
    .await
}

/// A user, as events show whoever did something.
pub(super) fn event_actor(id: UserId, name: &Name) -> EventActor {
    EventActor {
        kind: PrincipalKind::User,
        id: Some(PrincipalId::User(id).to_string()),
        name: name.as_str().to_owned(),
    }
}

#[cfg(test)]
mod tests;
