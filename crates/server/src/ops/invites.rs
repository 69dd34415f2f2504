//! Invites to join a workspace.
//!
//! Whoever has an invite's URL can join as the person invited: Bellwire sends no mail, the URL is copied and handed over. So the
//! URL is shown only to those who could give its roles themselves, a resend makes a new one and ends the old, and neither token
//! nor URL is ever in an event. Nobody gives roles that allow more than they may do.

use std::{net::IpAddr, time::Duration};

use bellwire_core::{
    catalogue::EventType,
    event::{By, Origin},
    id::{self, InviteId, RoleId, WorkspaceId},
    permission::{Permission, Permissions},
    text::{Email, Name},
    time::Timestamp,
};
use serde::Serialize;
use serde_json::json;

use super::{
    Actor, Tx, authority, change, journal, roles, setup,
    sign_in::{self, SessionToken},
    users,
};
use crate::{
    app::App,
    crypt,
    db::{
        self, Conn,
        invites::{Invite, InviteFilter, InviteSort, InviteStatus, StoredToken},
        page::{Page, PageRequest},
        users::Person,
    },
    error::{Error, FieldError},
    password::Password,
};

/// How long an invite can be accepted.
pub const AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The most pending invites of a workspace.
const MAX_PENDING: u64 = 1_000;
/// Invites that are expired in one go.
const BATCH: u32 = 500;

/// What a new invite is given.
#[derive(Clone, Debug)]
pub struct NewInvite {
    /// Who is invited.
    pub email: Email,
    /// The roles that the person will hold; Member when nothing is said.
    pub role_ids: Option<Vec<RoleId>>,
}

/// An invite and its URL, for whoever made or sent it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct SentInvite {
    /// The invite.
    #[serde(flatten)]
    pub invite: Invite,
    /// Where it is accepted. Whoever has it can join: hand it to the person invited and nobody else.
    pub url: String,
}

/// What the page of an invite shows to whoever has its URL.
#[derive(Clone, Debug)]
pub struct Peek {
    /// Who is invited.
    pub email: String,
    /// The workspace's name.
    pub workspace: String,
    /// The name of whoever invited.
    pub invited_by: String,
    /// Until when it can be accepted.
    pub expires_at: Timestamp,
    /// Whether the address has an account already, whose password is asked for.
    pub has_account: bool,
}

/// One page of the invites.
///
/// # Errors
/// [`Error::Forbidden`]
pub async fn list(
    app: &App,
    actor: &Actor,
    wanted: InviteFilter,
    request: PageRequest<InviteSort>,
) -> Result<Page<Invite>, Error> {
    actor.require(Permission::InvitesManage)?;
    let workspace = actor.workspace;
    app.db
        .read(move |conn| Box::pin(async move { Ok(db::invites::list(conn, workspace, &wanted, &request).await?) }))
        .await
}

/// How many invites there are on all pages.
///
/// # Errors
/// [`Error::Forbidden`]
pub async fn count(app: &App, actor: &Actor, wanted: InviteFilter) -> Result<u64, Error> {
    actor.require(Permission::InvitesManage)?;
    let workspace = actor.workspace;
    app.db.read(move |conn| Box::pin(async move { Ok(db::invites::count(conn, workspace, &wanted).await?) })).await
}

/// One invite.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]
pub async fn get(app: &App, actor: &Actor, id: InviteId) -> Result<Invite, Error> {
    actor.require(Permission::InvitesManage)?;
    let workspace = actor.workspace;
    app.db.read(move |conn| Box::pin(async move { find(conn, workspace, id).await })).await
}

async fn find(conn: &mut Conn, workspace: WorkspaceId, id: InviteId) -> Result<Invite, Error> {
    db::invites::get(conn, workspace, id).await?.ok_or_else(Error::not_found::<id::Invite>)
}

fn new_token(app: &App, workspace: WorkspaceId, id: InviteId) -> (String, StoredToken) {
    let token = crypt::token(&app.random);
    let sealed = app.key.seal(&app.random, &place(workspace, id), token.as_bytes());
    let stored = StoredToken { hash: crypt::token_hash(&token), sealed };
    (url_of(app, &token), stored)
}

fn place(workspace: WorkspaceId, id: InviteId) -> String {
    format!("{workspace}/invites.token/{id}")
}

fn url_of(app: &App, token: &str) -> String {
    format!("{}/invites/accept/{token}", app.config.public_url())
}

/// What the roles of an invite allow together.
async fn worth(conn: &mut Conn, workspace: WorkspaceId, invite: &Invite) -> Result<Permissions, Error> {
    let roles = db::roles::list(conn, workspace).await?;
    let given = roles.iter().filter(|role| invite.roles.iter().any(|named| named.id == role.id));
    Ok(given.fold(Permissions::default(), |all, role| all.union(role.permissions)))
}

/// Invites somebody.
///
/// # Errors
/// [`Error::Invalid`] for `email` (a member already) and `role_ids`; [`Error::Forbidden`], also when the roles allow what
/// whoever asks may not do; the conflicts `invite_pending` and `too_many_invites`.
pub async fn create(app: &App, actor: &Actor, wanted: NewInvite) -> Result<SentInvite, Error> {
    let asking = actor.clone();
    let sent = change(app, actor, Some(Permission::InvitesManage), move |tx| {
        Box::pin(async move {
            let held = authority::permissions(tx, &asking).await?;
            let roles = roles::chosen(tx.conn, tx.workspace, wanted.role_ids.as_deref(), held).await?;
            can_be_invited(tx, wanted.email.as_str()).await?;
            let invite = Invite {
                id: tx.app.random.id(tx.now),
                email: wanted.email.as_str().to_owned(),
                status: InviteStatus::Pending,
                roles: roles.iter().map(db::roles::Role::as_ref).collect(),
                invited_by: tx.actor().clone(),
                created_at: tx.now,
                expires_at: tx.now.saturating_add(AGE),
                accepted_at: None,
                user_id: None,
            };
            let (url, token) = new_token(&tx.app, tx.workspace, invite.id);
            db::invites::insert(tx.conn, tx.workspace, &invite, token).await?;
            tx.record(EventType::INVITE_CREATED, &json!({"object": invite}))?;
            Ok(SentInvite { invite, url })
        })
    })
    .await?;
    app.changed(actor.workspace, "invites");
    Ok(sent)
}

async fn can_be_invited(tx: &mut Tx<'_>, email: &str) -> Result<(), Error> {
    let (pending, member) = db::invites::standing(tx.conn, tx.workspace, email).await?;
    if member {
        return Err(Error::invalid("email", "is a member of this workspace already"));
    }
    if pending {
        return Err(Error::conflict(
            "invite_pending",
            format!("{email} has a pending invite: resend or delete that one"),
        ));
    }
    let wanted = InviteFilter { status: Some(InviteStatus::Pending), ..InviteFilter::default() };
    if db::invites::count(tx.conn, tx.workspace, &wanted).await? >= MAX_PENDING {
        let message = format!("a workspace has at most {MAX_PENDING} pending invites: delete one first");
        return Err(Error::conflict("too_many_invites", message));
    }
    Ok(())
}

/// Gives a pending or expired invite a new URL and another 7 days. The old URL stops working.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Forbidden`], also when the roles allow what whoever asks may not do; the conflict
/// `invite_closed` when it was accepted or deleted, and `invite_without_roles`; for an expired one as [`create`].
pub async fn resend(app: &App, actor: &Actor, id: InviteId) -> Result<SentInvite, Error> {
    let asking = actor.clone();
    let sent = change(app, actor, Some(Permission::InvitesManage), move |tx| {
        Box::pin(async move {
            let before = find(tx.conn, tx.workspace, id).await?;
            let worth = worth(tx.conn, tx.workspace, &before).await?;
            authority::require_all(authority::permissions(tx, &asking).await?, worth)?;
            match before.status {
                InviteStatus::Pending => {}
                InviteStatus::Expired => can_be_invited(tx, &before.email).await?,
                InviteStatus::Accepted | InviteStatus::Deleted => return Err(closed()),
            }
            if before.roles.is_empty() {
                return Err(Error::conflict("invite_without_roles", "its roles were deleted: make a new invite"));
            }
            let (url, token) = new_token(&tx.app, tx.workspace, id);
            db::invites::renew(tx.conn, tx.workspace, id, token, tx.now.saturating_add(AGE)).await?;
            let invite = find(tx.conn, tx.workspace, id).await?;
            let data = json!({"object": invite, "previous": {"expires_at": before.expires_at}});
            tx.record(EventType::INVITE_RESENT, &data)?;
            Ok(SentInvite { invite, url })
        })
    })
    .await?;
    app.changed(actor.workspace, "invites");
    Ok(sent)
}

fn closed() -> Error {
    Error::conflict("invite_closed", "this invite was accepted or deleted: make a new one")
}

/// Takes an invite back: its URL stops working. Deleting one that is deleted changes nothing.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]; the conflict `invite_closed` when it was accepted.
pub async fn delete(app: &App, actor: &Actor, id: InviteId) -> Result<Invite, Error> {
    let invite = change(app, actor, Some(Permission::InvitesManage), move |tx| {
        Box::pin(async move {
            let before = find(tx.conn, tx.workspace, id).await?;
            match before.status {
                InviteStatus::Deleted => {
                    tx.unchanged();
                    return Ok(before);
                }
                InviteStatus::Accepted => return Err(closed()),
                InviteStatus::Pending | InviteStatus::Expired => {}
            }
            if !db::invites::move_status(tx.conn, tx.workspace, id, before.status, InviteStatus::Deleted).await? {
                return Err(closed());
            }
            let invite = find(tx.conn, tx.workspace, id).await?;
            tx.record(EventType::INVITE_DELETED, &json!({"object": invite}))?;
            Ok(invite)
        })
    })
    .await?;
    app.changed(actor.workspace, "invites");
    Ok(invite)
}

/// The URL of a pending invite, to hand to the person invited.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Forbidden`], also when the roles allow what whoever asks may not do, who could take them with it;
/// the conflict `invite_closed` when it isn't pending.
pub async fn url(app: &App, actor: &Actor, id: InviteId) -> Result<String, Error> {
    actor.require(Permission::InvitesManage)?;
    let (workspace, held) = (actor.workspace, actor.permissions);
    let sealed = app
        .db
        .read(move |conn| {
            Box::pin(async move {
                let invite = find(conn, workspace, id).await?;
                authority::require_all(held, worth(conn, workspace, &invite).await?)?;
                if invite.status != InviteStatus::Pending {
                    return Err(Error::conflict("invite_closed", "only a pending invite has a URL"));
                }
                let sealed = db::invites::sealed_token(conn, workspace, id).await?;
                sealed.ok_or_else(Error::not_found::<id::Invite>)
            })
        })
        .await?;
    let token = app.key.open(&place(workspace, id), &sealed)?;
    Ok(url_of(app, &String::from_utf8_lossy(&token)))
}

/// Expires invites whose time has run out. Returns how many; there may be more when it is a whole batch.
///
/// # Errors
/// When the database fails.
pub async fn expire_due(app: &App) -> Result<usize, Error> {
    let now = app.clock.now();
    let due = app.db.read(move |conn| Box::pin(async move { db::invites::due(conn, now, BATCH).await })).await?;
    let mut expired = 0;
    for (workspace, id) in due {
        let done = journal::transact(app, workspace, By::system(), true, move |tx| {
            Box::pin(async move {
                let still = find(tx.conn, workspace, id).await?.expires_at <= now;
                let (from, to) = (InviteStatus::Pending, InviteStatus::Expired);
                if !still || !db::invites::move_status(tx.conn, workspace, id, from, to).await? {
                    tx.unchanged();
                    return Ok(false);
                }
                let invite = find(tx.conn, workspace, id).await?;
                tx.record(EventType::INVITE_EXPIRED, &json!({"object": invite}))?;
                Ok(true)
            })
        });
        if done.await? {
            expired += 1;
            app.changed(workspace, "invites");
        }
    }
    Ok(expired)
}

/// The invite of a token, if it can be accepted.
async fn open(conn: &mut Conn, token_hash: &str, now: Timestamp) -> Result<(WorkspaceId, Invite), Error> {
    let found = db::invites::by_token(conn, token_hash).await?;
    let (workspace, invite) = found.ok_or_else(Error::not_found::<id::Invite>)?;
    match invite.status {
        InviteStatus::Pending if now < invite.expires_at => Ok((workspace, invite)),
        InviteStatus::Pending | InviteStatus::Expired => {
            Err(Error::conflict("invite_expired", "this invite has run out: ask for a new one"))
        }
        InviteStatus::Accepted => Err(Error::conflict("invite_accepted", "this invite was accepted already: sign in")),
        InviteStatus::Deleted => Err(Error::not_found::<id::Invite>()),
    }
}

/// What an invite's page shows.
///
/// # Errors
/// [`Error::NotFound`] for a token of nothing, or of an invite that was deleted; the conflicts `invite_expired` and
/// `invite_accepted`.
pub async fn peek(app: &App, token: &str) -> Result<Peek, Error> {
    let (token_hash, now) = (crypt::token_hash(token), app.clock.now());
    app.db
        .read(move |conn| {
            Box::pin(async move {
                let (workspace, invite) = open(conn, &token_hash, now).await?;
                let found = db::workspaces::get(conn, workspace).await?;
                let workspace = found.ok_or_else(Error::not_found::<id::Workspace>)?.name;
                let has_account = db::users::person_by_email(conn, &invite.email).await?.is_some();
                let Invite { email, invited_by, expires_at, .. } = invite;
                Ok(Peek { email, workspace, invited_by: invited_by.name, expires_at, has_account })
            })
        })
        .await
}

/// Who joins: somebody new, or a person with an account.
enum Joining {
    New(Person),
    Known(Person),
}

/// Joins the workspace of an invite and signs in there. Somebody new takes a name and a password; a person whose address has an
/// account gives its password, and keeps their name.
///
/// # Errors
/// As [`peek`]; [`Error::Invalid`] for `name` and `password`; [`Error::TooMany`] after wrong passwords.
pub async fn accept(
    app: &App,
    token: &str,
    name: &str,
    password: &str,
    client_ip: Option<IpAddr>,
) -> Result<SessionToken, Error> {
    let (token_hash, now) = (crypt::token_hash(token), app.clock.now());
    let hash = token_hash.clone();
    let (workspace, invite, known) = app
        .db
        .read(move |conn| {
            Box::pin(async move {
                let (workspace, invite) = open(conn, &hash, now).await?;
                let known = match db::users::person_by_email(conn, &invite.email).await? {
                    Some(person) => Some(db::users::latest_name(conn, person.id).await?),
                    None => None,
                };
                Ok::<_, Error>((workspace, invite, known))
            })
        })
        .await?;
    let (joining, name) = match known {
        Some(latest) => {
            let person = sign_in::right_password(app, &invite.email, password, client_ip).await?;
            let person = person.ok_or_else(|| Error::invalid("password", "is wrong"))?;
            (Joining::Known(person), name_of(latest.as_deref(), &invite.email)?)
        }
        None => {
            let (name, password) = read(name, password)?;
            let password_hash = password.hash(&app.random).await?;
            (Joining::New(Person { id: app.random.id(now), email: invite.email, password_hash }), name)
        }
    };
    let (Joining::New(Person { id, .. }) | Joining::Known(Person { id, .. })) = joining;
    let by = By { actor: setup::event_actor(id, &name), origin: Origin::console(client_ip) };
    let session = journal::transact(app, workspace, by, true, move |tx| {
        Box::pin(async move {
            let (_, invite) = open(tx.conn, &token_hash, tx.now).await?;
            match &joining {
                Joining::New(person) => db::users::insert_person(tx.conn, person, tx.now).await?,
                Joining::Known(person) => {
                    sign_in::still_right(tx.conn, person).await?;
                    if db::users::get(tx.conn, workspace, id).await?.is_some() {
                        let message = "you are a member of this workspace already: sign in";
                        return Err(Error::conflict("already_member", message));
                    }
                }
            }
            let (from, to) = (InviteStatus::Pending, InviteStatus::Accepted);
            if !db::invites::move_status(tx.conn, workspace, invite.id, from, to).await? {
                return Err(closed());
            }
            db::invites::accepted_by(tx.conn, workspace, invite.id, id, tx.now).await?;
            let invite = find(tx.conn, workspace, invite.id).await?;
            tx.correlate();
            tx.record(EventType::INVITE_ACCEPTED, &json!({"object": invite}))?;
            let mut roles = db::roles::list(tx.conn, workspace).await?;
            roles.retain(|role| invite.roles.iter().any(|named| named.id == role.id));
            users::join(tx, id, name.as_str(), &roles).await?;
            let app = tx.app.clone();
            sign_in::begin(tx.conn, &app, id, Some(workspace)).await
        })
    })
    .await?;
    for topic in ["invites", "users"] {
        app.changed(workspace, topic);
    }
    Ok(session)
}

/// What somebody new typed, or everything that is wrong with it.
fn read(name: &str, password: &str) -> Result<(Name, Password), Error> {
    let wrong = |field: &str, message: String| FieldError { field: field.to_owned(), message };
    match (Name::parse(name), Password::parse(password)) {
        (Ok(name), Ok(password)) => Ok((name, password)),
        (name, password) => {
            let name = name.err().map(|error| wrong("name", error.to_string()));
            let password = password.err().map(|error| wrong("password", error.to_string()));
            Err(Error::Invalid(name.into_iter().chain(password).collect()))
        }
    }
}

/// The name of somebody who has an account: that of the workspace they joined last, or what their address begins with.
fn name_of(latest: Option<&str>, email: &str) -> Result<Name, Error> {
    let name = latest.or_else(|| email.split('@').next()).unwrap_or_default();
    Name::parse(name).map_err(|error| Error::Internal(format!("a stored name: {error}")))
}

#[cfg(test)]
mod tests;
