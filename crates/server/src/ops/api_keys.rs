//! API keys: the identities of machines.
//!
//! A secret is `bw_`, 256 random bits in base64url (43 characters) and six hexadecimal characters of a checksum: scanners of public
//! repositories recognise it, and what was mistyped or made up is refused without asking the database. It is shown once; stored
//! is its hash. The form is described in `docs/api-keys.md`, for those who look for leaks.

mod known;

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bellwire_core::{
    catalogue::EventType,
    event::{Origin, PrincipalId, Via},
    id::{self, ApiKeyId, RoleId},
    permission::Permission,
    text::{Name, Reason},
    time::Timestamp,
};
pub use known::{Known, recognise};
use serde_json::json;

use super::{Actor, Tx, authority, change, groups, roles, users::said};
use crate::{
    app::App,
    clock::Randomness,
    crypt::{self, TokenHash},
    db::{
        self,
        api_keys::{ApiKey, ApiKeyFilter, ApiKeySort},
        page::{Page, PageRequest},
        principals::PrincipalStatus,
        roles::Role,
    },
    error::Error,
};

/// What an API key's secret begins with.
pub const PREFIX: &str = "bw_";
const RANDOM: usize = 43;
const CHECKSUM: usize = 6;
/// The most API keys of a workspace.
const MAX_KEYS: u64 = 1_000;
/// How exactly `last_used_at` is kept.
const MINUTE: Duration = Duration::from_secs(60);

/// What a new API key is given.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// Its name.
    pub name: Name,
    /// Its roles; Member when nothing is said.
    pub role_ids: Option<Vec<RoleId>>,
}

/// What is changed of an API key; the rest stays.
#[derive(Clone, Debug, Default)]
pub struct ApiKeyPatch {
    /// Another name.
    pub name: Option<Name>,
    /// Roles that it gets. What it holds already changes nothing.
    pub give: Vec<RoleId>,
    /// Roles that it loses. What it doesn't hold changes nothing.
    pub take: Vec<RoleId>,
}

fn new_secret(random: &Randomness) -> String {
    let text = format!("{PREFIX}{}", crypt::token(random));
    let checksum = checksum(&text);
    text + checksum.as_str()
}

fn checksum(text: &str) -> String {
    let mut hash = crypt::token_hash(text);
    hash.truncate(CHECKSUM);
    hash
}

fn is_well_formed(secret: &str) -> bool {
    let (text, check) = match secret.split_at_checked(PREFIX.len() + RANDOM) {
        Some(parts) if parts.1.len() == CHECKSUM => parts,
        _ => return false,
    };
    text.starts_with(PREFIX) && checksum(text) == check
}

/// Who asks with this secret.
///
/// The secret is found by its hash and never compared: what the time of an answer tells is about hashes, of which nobody can
/// choose the beginning, so a comparison in constant time would add nothing.
///
/// # Errors
/// [`Error::Unauthenticated`], whatever the reason.
pub async fn authenticate(app: &App, bearer: &str) -> Result<Actor, Error> {
    if !is_well_formed(bearer) {
        return Err(Error::Unauthenticated);
    }
    let hash = TokenHash::of(bearer);
    let key =
        app.db.read(move |conn| Box::pin(async move { db::api_keys::by_secret(conn, &hash.to_hex()).await })).await?;
    let key = key.ok_or(Error::Unauthenticated)?;
    let now = app.clock.now();
    let recent = key.last_used_at.is_some_and(|at| now.since(at) < MINUTE);
    if !recent && app.key_uses.is_new(key.id, now) {
        // Nobody waits for it, and nothing depends on it.
        drop(tokio::spawn(write_use(app.clone(), key.id, now)));
    }
    Ok(Actor {
        workspace: key.workspace,
        principal: PrincipalId::ApiKey(key.id),
        name: key.name,
        permissions: key.permissions,
        secret: Some(hash),
        origin: Origin { api_key_id: Some(key.id), ..Origin::via(Via::Api) },
    })
}

async fn write_use(app: App, id: ApiKeyId, now: Timestamp) {
    let written = app.db.write(move |conn| Box::pin(async move { db::api_keys::used(conn, id, now).await })).await;
    if let Err(error) = written {
        tracing::debug!(%id, %error, "the use of an API key was not written down");
    }
}

/// API keys whose use was written down in the last minute: many requests at once write it down once.
#[derive(Debug, Default)]
pub struct Uses(Mutex<HashMap<ApiKeyId, Timestamp>>);

impl Uses {
    /// As many as are remembered. Forgetting one costs a write, no more.
    const REMEMBERED: usize = 10_000;

    fn is_new(&self, id: ApiKeyId, now: Timestamp) -> bool {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if uses.get(&id).is_some_and(|at| now.since(*at) < MINUTE) {
            return false;
        }
        if uses.len() >= Self::REMEMBERED {
            uses.clear();
        }
        uses.insert(id, now);
        true
    }
}

/// One page of the API keys.
///
/// # Errors
/// [`Error::Forbidden`]
pub async fn list(
    app: &App,
    actor: &Actor,
    wanted: ApiKeyFilter,
    request: PageRequest<ApiKeySort>,
) -> Result<Page<ApiKey>, Error> {
    actor.require(Permission::ApiKeysView)?;
    let workspace = actor.workspace;
    app.db
        .read(move |conn| Box::pin(async move { Ok(db::api_keys::list(conn, workspace, &wanted, &request).await?) }))
        .await
}

/// How many API keys there are on all pages.
///
/// # Errors
/// [`Error::Forbidden`]
pub async fn count(app: &App, actor: &Actor, wanted: ApiKeyFilter) -> Result<u64, Error> {
    actor.require(Permission::ApiKeysView)?;
    let workspace = actor.workspace;
    app.db.read(move |conn| Box::pin(async move { Ok(db::api_keys::count(conn, workspace, &wanted).await?) })).await
}

/// One API key.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]
pub async fn get(app: &App, actor: &Actor, id: ApiKeyId) -> Result<ApiKey, Error> {
    actor.require(Permission::ApiKeysView)?;
    let workspace = actor.workspace;
    let found = app.db.read(move |conn| Box::pin(async move { db::api_keys::get(conn, workspace, id).await })).await?;
    found.ok_or_else(Error::not_found::<id::ApiKey>)
}

async fn find(tx: &mut Tx<'_>, id: ApiKeyId) -> Result<ApiKey, Error> {
    db::api_keys::get(tx.conn, tx.workspace, id).await?.ok_or_else(Error::not_found::<id::ApiKey>)
}

/// Makes an API key. The second value is its secret, which is told this once.
///
/// # Errors
/// [`Error::Invalid`] for `role_ids`; [`Error::Forbidden`], also when the roles allow what whoever asks may not do; the
/// conflict `too_many_api_keys`.
pub async fn create(app: &App, actor: &Actor, wanted: NewApiKey) -> Result<(ApiKey, String), Error> {
    let asking = actor.clone();
    let made = change(app, actor, Some(Permission::ApiKeysManage), move |tx| {
        Box::pin(async move {
            let held = authority::permissions(tx, &asking).await?;
            let roles = roles::chosen(tx.conn, tx.workspace, wanted.role_ids.as_deref(), held).await?;
            require_room(tx).await?;
            tx.correlate();
            make(tx, wanted.name.as_str(), &roles).await
        })
    })
    .await?;
    app.changed(actor.workspace, "api_keys");
    Ok(made)
}

/// Refuses one more than a workspace may have.
pub(super) async fn require_room(tx: &mut Tx<'_>) -> Result<(), Error> {
    if db::api_keys::count(tx.conn, tx.workspace, &ApiKeyFilter::default()).await? >= MAX_KEYS {
        let message = format!("a workspace has at most {MAX_KEYS} API keys: delete one first");
        return Err(Error::conflict("too_many_api_keys", message));
    }
    Ok(())
}

/// Writes a new API key with its roles and events.
pub(super) async fn make(tx: &mut Tx<'_>, name: &str, roles: &[Role]) -> Result<(ApiKey, String), Error> {
    let secret = new_secret(&tx.app.random);
    let key = ApiKey {
        id: tx.app.random.id(tx.now),
        name: name.to_owned(),
        hint: hint(&secret),
        status: PrincipalStatus::Active,
        status_reason: None,
        roles: roles.iter().map(Role::as_ref).collect(),
        created_by: tx.actor().clone(),
        created_at: tx.now,
        updated_at: tx.now,
        last_used_at: None,
    };
    db::api_keys::insert(tx.conn, tx.workspace, &key, &crypt::token_hash(&secret)).await?;
    tx.record(EventType::API_KEY_CREATED, &json!({"object": key}))?;
    for role in roles {
        authority::give_role(tx, PrincipalId::ApiKey(key.id), name, role).await?;
    }
    Ok((key, secret))
}

fn hint(secret: &str) -> String {
    secret.get(secret.len().saturating_sub(4)..).unwrap_or_default().to_owned()
}

/// Changes what is given, all or nothing. The events share one `correlation_id`.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Forbidden`], for roles also without `roles.manage` and when they allow what whoever asks may not do;
/// [`Error::Invalid`] for `role_ids` when they are too many.
pub async fn update(app: &App, actor: &Actor, id: ApiKeyId, patch: ApiKeyPatch) -> Result<ApiKey, Error> {
    let asking = actor.clone();
    let swaps = !patch.give.is_empty() || !patch.take.is_empty();
    let key = change(app, actor, Some(Permission::ApiKeysManage), move |tx| {
        Box::pin(async move {
            let before = find(tx, id).await?;
            let principal = PrincipalId::ApiKey(id);
            let renamed = patch.name.filter(|name| name.as_str() != before.name);
            if swaps {
                authority::require_all(
                    authority::permissions(tx, &asking).await?,
                    [Permission::RolesManage].into_iter().collect(),
                )?;
                tx.correlate();
            }
            if let Some(name) = &renamed {
                db::api_keys::rename(tx.conn, tx.workspace, id, name.as_str(), tx.now).await?;
                db::principals::rename_owned(tx.conn, tx.workspace, principal, name.as_str()).await?;
                let key = find(tx, id).await?;
                tx.record(EventType::API_KEY_UPDATED, &json!({"object": key, "previous": {"name": before.name}}))?;
            }
            let swapped = roles::swap(tx, &asking, principal, &patch.give, &patch.take).await?;
            if renamed.is_none() && !swapped {
                tx.unchanged();
            }
            find(tx, id).await
        })
    })
    .await?;
    for topic in ["api_keys", "groups", "roles", "webhooks"] {
        app.changed(actor.workspace, topic);
    }
    Ok(key)
}

/// Replaces the secret; the old one is refused from now on. The second value is the new secret, which is told this once.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Forbidden`], also when the key may do what whoever asks may not: its secret would let them.
pub async fn rotate(app: &App, actor: &Actor, id: ApiKeyId) -> Result<(ApiKey, String), Error> {
    let asking = actor.clone();
    let rotated = change(app, actor, Some(Permission::ApiKeysManage), move |tx| {
        Box::pin(async move {
            let before = find(tx, id).await?;
            let granted = db::principals::granted(tx.conn, tx.workspace, PrincipalId::ApiKey(id)).await?;
            authority::require_all(authority::permissions(tx, &asking).await?, granted)?;
            let secret = new_secret(&tx.app.random);
            let (hash, new_hint) = (crypt::token_hash(&secret), hint(&secret));
            db::api_keys::set_secret(tx.conn, tx.workspace, id, &hash, &new_hint, tx.now).await?;
            let key = find(tx, id).await?;
            let data = json!({"object": key, "previous": {"hint": before.hint}});
            tx.record(EventType::API_KEY_SECRET_ROTATED, &data)?;
            Ok((key, secret))
        })
    })
    .await?;
    app.changed(actor.workspace, "api_keys");
    Ok(rotated)
}

/// Blocks an API key: requests with it are refused from now on. Blocking one that is blocked changes nothing.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Forbidden`], also for a key with the role Owner unless whoever asks is an owner; the conflict `self`.
pub async fn block(app: &App, actor: &Actor, id: ApiKeyId, reason: Option<Reason>) -> Result<ApiKey, Error> {
    let asking = actor.clone();
    let key = change(app, actor, Some(Permission::ApiKeysManage), move |tx| {
        Box::pin(async move {
            let before = find(tx, id).await?;
            authority::not_oneself(&asking, PrincipalId::ApiKey(id), "block the API key that asks")?;
            authority::protect_owner(tx, &asking, PrincipalId::ApiKey(id)).await?;
            if before.status == PrincipalStatus::Blocked {
                tx.unchanged();
                return Ok(before);
            }
            let reason = said(reason.as_ref());
            db::api_keys::set_status(tx.conn, tx.workspace, id, PrincipalStatus::Blocked, reason, tx.now).await?;
            let key = find(tx, id).await?;
            let data = json!({"object": key, "previous": {"status": before.status}, "reason": reason});
            tx.record(EventType::API_KEY_BLOCKED, &data)?;
            Ok(key)
        })
    })
    .await?;
    app.changed(actor.workspace, "api_keys");
    Ok(key)
}

/// Lets a blocked API key act again. Unblocking one that is active changes nothing.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Forbidden`], also for a key with the role Owner unless whoever asks is an owner.
pub async fn unblock(app: &App, actor: &Actor, id: ApiKeyId) -> Result<ApiKey, Error> {
    let asking = actor.clone();
    let key = change(app, actor, Some(Permission::ApiKeysManage), move |tx| {
        Box::pin(async move {
            let before = find(tx, id).await?;
            authority::protect_owner(tx, &asking, PrincipalId::ApiKey(id)).await?;
            if before.status == PrincipalStatus::Active {
                tx.unchanged();
                return Ok(before);
            }
            db::api_keys::set_status(tx.conn, tx.workspace, id, PrincipalStatus::Active, None, tx.now).await?;
            let key = find(tx, id).await?;
            let previous = json!({"status": before.status, "status_reason": before.status_reason});
            tx.record(EventType::API_KEY_UNBLOCKED, &json!({"object": key, "previous": previous}))?;
            Ok(key)
        })
    })
    .await?;
    app.changed(actor.workspace, "api_keys");
    Ok(key)
}

/// Deletes an API key. Its roles and groups are taken first; the webhooks and groups that it owns stay and go to whoever deleted
/// it. All events share one `correlation_id`.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Forbidden`], also for a key with the role Owner unless whoever asks is an owner; the conflict `self`.
pub async fn delete(app: &App, actor: &Actor, id: ApiKeyId) -> Result<ApiKey, Error> {
    let asking = actor.clone();
    let key = change(app, actor, Some(Permission::ApiKeysManage), move |tx| {
        Box::pin(async move {
            let key = find(tx, id).await?;
            let principal = PrincipalId::ApiKey(id);
            authority::not_oneself(&asking, principal, "delete the API key that asks")?;
            authority::protect_owner(tx, &asking, principal).await?;
            tx.correlate();
            authority::take_all_roles(tx, principal, &key.name).await?;
            groups::leave_all(tx, principal, &key.name).await?;
            let heir = tx.actor().clone();
            groups::hand_over(tx, principal, &heir).await?;
            db::principals::hand_over_owned(tx.conn, tx.workspace, principal, &key.name, &heir, tx.now).await?;
            db::api_keys::delete(tx.conn, tx.workspace, id).await?;
            tx.record(EventType::API_KEY_DELETED, &json!({"object": key}))?;
            Ok(key)
        })
    })
    .await?;
    for topic in ["api_keys", "groups", "webhooks"] {
        app.changed(actor.workspace, topic);
    }
    Ok(key)
}

#[cfg(test)]
mod tests;
