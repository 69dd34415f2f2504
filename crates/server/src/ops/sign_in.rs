//! Signing in, sessions, and one's own password.
//!
//! A session belongs to a person and has at most one workspace open. Every request asks anew what the person may do there, so
//! that a blocked or removed user is out with the next click; a person who is active nowhere has no session at all.
//!
//! Guessing is slowed down: ten failures in 15 minutes for one e-mail address, or from one network, and everything more is
//! refused until they are over. Each of several nodes counts its own, and bears its share of the ten. An address without an account costs as much time as one with a wrong password and gets the
//! same answer.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bellwire_core::{
    event::{Origin, PrincipalId},
    id::{self, UserId, WorkspaceId},
    text::Email,
    time::Timestamp,
};

use super::Actor;
use crate::{
    app::App,
    crypt,
    db::{self, Conn, sessions::SessionRow, users::Person},
    error::Error,
    password::{self, Password},
};

/// How long a session lasts, whether it is used or not.
pub const SESSION_AGE: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Who is signed in, and where.
#[derive(Clone, Debug)]
pub struct Session {
    /// The person.
    pub user_id: UserId,
    /// Their e-mail address.
    pub email: String,
    /// As whom they act in the workspace that is open; `None` when none is, or they may no longer act in it.
    pub workspace: Option<Actor>,
    /// All workspaces in which they may act, by name. Never empty.
    pub workspaces: Vec<(WorkspaceId, String)>,
    token_hash: String,
}

/// What the browser's cookie holds: 256 random bits as text.
#[derive(Clone)]
pub struct SessionToken(String);

impl SessionToken {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Never shows the token.
impl std::fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionToken(…)")
    }
}

/// Begins a session. A person of a single workspace finds it open; of several, they choose.
///
/// # Errors
/// [`Error::Invalid`] for `password` when it or the address is wrong, [`Error::TooMany`], and the conflict `no_workspace`
/// when the password is right but the person may act nowhere.
pub async fn sign_in(app: &App, email: &str, password: &str, client_ip: Option<IpAddr>) -> Result<SessionToken, Error> {
    let person = right_password(app, email, password, client_ip).await?;
    let person = person.ok_or_else(wrong_password)?;
    let held = app.clone();
    app.db
        .write(move |conn| {
            Box::pin(async move {
                still_right(conn, &person).await?;
                let workspaces = db::workspaces::of_user(conn, person.id).await?;
                let open = match workspaces.as_slice() {
                    [] => {
                        let message = "you are in no workspace, or blocked in it: ask an administrator";
                        return Err(Error::conflict("no_workspace", message));
                    }
                    [only] => Some(only.id),
                    _ => None,
                };
                begin(conn, &held, person.id, open).await
            })
        })
        .await
}

fn wrong_password() -> Error {
    Error::invalid("password", "the e-mail address or the password is wrong")
}

/// Whoever changes a password ends the sessions that there are: none may begin with the old one afterwards, however long ago it
/// was found right.
///
/// # Errors
/// [`Error::Invalid`] when it was changed meanwhile.
pub(super) async fn still_right(conn: &mut Conn, person: &Person) -> Result<(), Error> {
    let right = db::users::has_password(conn, person.id, &person.password_hash).await?;
    if right { Ok(()) } else { Err(wrong_password()) }
}

/// Writes a new session.
pub(super) async fn begin(
    conn: &mut Conn,
    app: &App,
    user: UserId,
    workspace: Option<WorkspaceId>,
) -> Result<SessionToken, Error> {
    let (token, created_at) = (crypt::token(&app.random), app.clock.now());
    let expires_at = created_at.saturating_add(SESSION_AGE);
    let token_hash = crypt::token_hash(&token);
    db::sessions::insert(conn, &SessionRow { token_hash, user, workspace, created_at, expires_at }).await?;
    Ok(SessionToken(token))
}

/// Ends the session of this token, if there is one.
///
/// # Errors
/// When the database fails.
pub async fn sign_out(app: &App, token: &str) -> Result<(), Error> {
    end(app, crypt::token_hash(token)).await
}

async fn end(app: &App, token_hash: String) -> Result<(), Error> {
    app.db.write(move |conn| Box::pin(async move { Ok(db::sessions::delete(conn, &token_hash).await?) })).await
}

/// Who is signed in with this token; `None` when nobody is. A session whose person may act in no workspace any more ends here.
///
/// # Errors
/// When the database fails.
pub async fn session(app: &App, token: &str) -> Result<Option<Session>, Error> {
    let (token_hash, now) = (crypt::token_hash(token), app.clock.now());
    let found = app.db.read(move |conn| Box::pin(async move { look_up(conn, token_hash, now).await })).await?;
    match found {
        Some(session) if session.workspaces.is_empty() => {
            end(app, session.token_hash).await?;
            Ok(None)
        }
        found => Ok(found),
    }
}

async fn look_up(conn: &mut Conn, token_hash: String, now: Timestamp) -> Result<Option<Session>, Error> {
    let Some((row, email)) = db::sessions::get(conn, &token_hash, now).await? else { return Ok(None) };
    let workspaces = db::workspaces::of_user(conn, row.user).await?;
    let workspace = match row.workspace {
        Some(id) => actor(conn, id, PrincipalId::User(row.user)).await?,
        None => None,
    };
    let workspaces = workspaces.into_iter().map(|workspace| (workspace.id, workspace.name)).collect();
    Ok(Some(Session { user_id: row.user, email, workspace, workspaces, token_hash }))
}

/// A principal as whoever asks; `None` when it may not act in this workspace.
async fn actor(conn: &mut Conn, workspace: WorkspaceId, principal: PrincipalId) -> Result<Option<Actor>, Error> {
    let Some(permissions) = db::principals::permissions(conn, workspace, principal).await? else { return Ok(None) };
    let named = db::principals::named(conn, workspace, principal).await?;
    Ok(named.map(|named| Actor {
        workspace,
        principal,
        name: named.name,
        permissions,
        secret: None,
        origin: Origin::console(None),
    }))
}

/// Opens another workspace in the session.
///
/// # Errors
/// [`Error::NotFound`] when the person may not act in it.
pub async fn open_workspace(app: &App, session: &Session, workspace: WorkspaceId) -> Result<(), Error> {
    let (user, token_hash) = (session.user_id, session.token_hash.clone());
    app.db
        .write(move |conn| {
            Box::pin(async move {
                let allowed = db::principals::permissions(conn, workspace, PrincipalId::User(user)).await?;
                allowed.ok_or_else(Error::not_found::<id::Workspace>)?;
                Ok(db::sessions::open(conn, &token_hash, workspace).await?)
            })
        })
        .await
}

/// Changes the password of whoever is signed in, in all workspaces, and ends all their other sessions.
///
/// # Errors
/// [`Error::Invalid`] for `current_password`, [`Error::TooMany`].
pub async fn change_password(app: &App, session: &Session, current: &str, new: Password) -> Result<(), Error> {
    let person = right_password(app, &session.email, current, None).await?;
    let person = person.ok_or_else(|| Error::invalid("current_password", "is wrong"))?;
    let hash = new.hash(&app.random).await?;
    let (user, token_hash) = (session.user_id, session.token_hash.clone());
    app.db
        .write(move |conn| {
            Box::pin(async move {
                if !db::users::has_password(conn, user, &person.password_hash).await? {
                    return Err(Error::invalid("current_password", "is wrong"));
                }
                db::users::set_password(conn, user, &hash).await?;
                Ok(db::sessions::delete_others(conn, user, &token_hash).await?)
            })
        })
        .await
}

/// The person with this address and password. Anything else counts as a failure to sign in, and all failures cost the same time.
pub(super) async fn right_password(
    app: &App,
    email: &str,
    password: &str,
    client_ip: Option<IpAddr>,
) -> Result<Option<Person>, Error> {
    let email = Email::parse(email).ok();
    let tries = app.sign_ins.attempt(email.as_ref(), client_ip, app.nodes.share(FAILURES), app.clock.now())?;
    match compare(app, email, password).await {
        Ok(person) => {
            if person.is_some() {
                app.sign_ins.succeeded(&tries);
            }
            Ok(person)
        }
        Err(error) => {
            app.sign_ins.forget(&tries);
            Err(error)
        }
    }
}

async fn compare(app: &App, email: Option<Email>, password: &str) -> Result<Option<Person>, Error> {
    let person = match email {
        Some(email) => {
            let find = app.db.read(move |conn| {
                Box::pin(async move { Ok::<_, Error>(db::users::person_by_email(conn, email.as_str()).await?) })
            });
            find.await?
        }
        None => None,
    };
    let hash = person.as_ref().map_or(password::NOBODY, |person| &person.password_hash);
    let fits = password::verify(password, hash).await?;
    Ok(person.filter(|_| fits))
}

/// Failures that one e-mail address or network may have in [`WINDOW`].
const FAILURES: u32 = 10;
/// How long failures count.
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Addresses and networks that are remembered. When there are more, the oldest failures are forgotten first.
const REMEMBERED: usize = 10_000;

/// Counts failures to sign in, in memory.
#[derive(Debug, Default)]
pub struct Throttle(Mutex<HashMap<Source, Failures>>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Source {
    Email(String),
    Network(IpAddr),
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    since: Timestamp,
    count: u32,
}

/// A try that counts as a failure until it is said to be none.
#[derive(Debug)]
pub struct Try(Vec<Source>);

impl Throttle {
    /// Counts a try before its outcome is known, so that many at once are no way around. `most` failures are borne.
    ///
    /// # Errors
    /// [`Error::TooMany`] with the seconds to wait.
    pub fn attempt(&self, email: Option<&Email>, ip: Option<IpAddr>, most: u32, now: Timestamp) -> Result<Try, Error> {
        let email = email.map(|email| Source::Email(email.as_str().to_owned()));
        let sources: Vec<Source> = email.into_iter().chain(ip.map(|ip| Source::Network(network(ip)))).collect();
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for source in &sources {
            let Some(failures) = table.get(source) else { continue };
            let over_at = failures.since.saturating_add(WINDOW);
            if now < over_at && failures.count >= most {
                return Err(Error::TooMany(
                    over_at.since(now).as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX),
                ));
            }
        }
        for source in &sources {
            make_room(&mut table, source, now);
            let failures = table.entry(source.clone()).or_insert(Failures { since: now, count: 0 });
            if now >= failures.since.saturating_add(WINDOW) {
                *failures = Failures { since: now, count: 0 };
            }
            failures.count = failures.count.saturating_add(1);
        }
        Ok(Try(sources))
    }

    /// The password was right: its address begins anew. The network's other failures stay.
    fn succeeded(&self, tries: &Try) {
        self.forget(tries);
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.retain(|source, _| !(matches!(source, Source::Email(_)) && tries.0.contains(source)));
    }

    /// The try came to nothing for another reason: it counts for nobody.
    fn forget(&self, tries: &Try) {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for source in &tries.0 {
            if let Some(failures) = table.get_mut(source) {
                failures.count = failures.count.saturating_sub(1);
            }
        }
    }
}

fn make_room(table: &mut HashMap<Source, Failures>, source: &Source, now: Timestamp) {
    if table.len() < REMEMBERED || table.contains_key(source) {
        return;
    }
    table.retain(|_, failures| now < failures.since.saturating_add(WINDOW));
    if table.len() < REMEMBERED {
        return;
    }
    let oldest = table.iter().min_by_key(|(_, failures)| failures.since).map(|(source, _)| source.clone());
    if let Some(oldest) = oldest {
        table.remove(&oldest);
    }
}

/// One customer of an IPv6 provider has at least a /64 (RFC 6177): its addresses count as one.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        ip @ IpAddr::V4(_) => ip,
    }
}

#[cfg(test)]
mod tests;
