//! The secrets of webhooks: sealed for one place in one row, opened here and nowhere else.

use std::time::Duration;

use bellwire_core::{
    catalogue::EventType,
    id::{WebhookId, WorkspaceId},
    permission::Permission,
    sign::{self, Secret, SigningSeed},
    time::Timestamp,
};
use serde::Serialize;
use serde_json::json;

use super::{CustomHeaders, find, record, tell};
use crate::{
    app::App,
    crypt::MasterKey,
    db::{
        self,
        webhooks::{OldSecret, Target},
    },
    error::Error,
    ops::{self, Actor},
};

/// How long the old secret may sign beside the new one at the most.
pub(super) const MAX_OVERLAP: Duration = Duration::from_hours(7 * 24);

/// A webhook's secret, for those who may see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct SecretView {
    /// `whsec_…`
    pub secret: String,
    /// Until when the secret before it signs too; null when none does.
    pub old_secret_until: Option<Timestamp>,
    /// `whpk_…`: what `v1a` signatures are checked with; null when requests are not signed with a key pair.
    pub public_key: Option<String>,
}

/// What signs and goes with the requests of a webhook, opened.
#[derive(Clone)]
pub struct Opened {
    /// The secret that signs.
    pub secret: Secret,
    /// The one before it, and until when it signs too.
    pub old_secret: Option<(Secret, Timestamp)>,
    /// The private half of the key pair.
    pub seed: Option<SigningSeed>,
    /// Custom headers: names in lower case and values, which were checked when they were set.
    pub headers: Vec<(String, String)>,
}

/// Opens what the engine needs.
///
/// # Errors
/// When it was sealed with another master key.
pub fn open(app: &App, target: &Target) -> Result<Opened, Error> {
    let (key, workspace, id) = (&app.key, target.workspace, target.id);
    let old_secret = match &target.old_secret {
        Some(old) => Some((open_secret(key, workspace, id, &old.sealed)?, old.until)),
        None => None,
    };
    Ok(Opened {
        secret: open_secret(key, workspace, id, &target.secret_sealed)?,
        old_secret,
        seed: seed(key, workspace, id, target.signing_seed_sealed.as_deref())?,
        headers: headers(key, workspace, id, target.headers_sealed.as_deref())?.into_pairs(),
    })
}

/// The field of the secret that signs; the one before it was sealed for the same place.
pub const SECRET: &str = "secret";
const SIGNING_SEED: &str = "signing_seed";
const HEADERS: &str = "headers";

/// The place that a field of a webhook is sealed for.
pub fn place(workspace: WorkspaceId, field: &str, id: WebhookId) -> String {
    format!("{workspace}/webhooks.{field}/{id}")
}

fn damaged() -> Error {
    Error::Internal("a stored secret of a webhook is damaged".to_owned())
}

fn open_secret(key: &MasterKey, workspace: WorkspaceId, id: WebhookId, sealed: &[u8]) -> Result<Secret, Error> {
    Secret::from_bytes(&key.open(&place(workspace, SECRET, id), sealed)?).map_err(|_| damaged())
}

fn seed(
    key: &MasterKey,
    workspace: WorkspaceId,
    id: WebhookId,
    sealed: Option<&[u8]>,
) -> Result<Option<SigningSeed>, Error> {
    let Some(sealed) = sealed else { return Ok(None) };
    let bytes = key.open(&place(workspace, SIGNING_SEED, id), sealed)?;
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| damaged())?;
    Ok(Some(SigningSeed::from_bytes(&bytes)))
}

pub(super) fn headers(
    key: &MasterKey,
    workspace: WorkspaceId,
    id: WebhookId,
    sealed: Option<&[u8]>,
) -> Result<CustomHeaders, Error> {
    let Some(sealed) = sealed else { return Ok(CustomHeaders::default()) };
    let json = key.open(&place(workspace, HEADERS, id), sealed)?;
    CustomHeaders::parse(serde_json::from_slice(&json)?).map_err(|_| damaged())
}

pub(super) fn new_secret(app: &App) -> Result<Secret, Error> {
    let bytes: [u8; Secret::NEW_LENGTH] = app.random.bytes();
    Secret::from_bytes(&bytes).map_err(|error| Error::Internal(error.to_string()))
}

pub(super) fn seal_secret(app: &App, workspace: WorkspaceId, id: WebhookId, secret: &Secret) -> Vec<u8> {
    app.key.seal(&app.random, &place(workspace, SECRET, id), secret.as_bytes())
}

pub(super) fn seal_seed(app: &App, workspace: WorkspaceId, id: WebhookId, seed: &SigningSeed) -> Vec<u8> {
    app.key.seal(&app.random, &place(workspace, SIGNING_SEED, id), seed.as_bytes())
}

pub(super) fn seal_headers(
    app: &App,
    workspace: WorkspaceId,
    id: WebhookId,
    headers: &CustomHeaders,
) -> Result<Option<Vec<u8>>, Error> {
    if headers.is_empty() {
        return Ok(None);
    }
    Ok(Some(app.key.seal(&app.random, &place(workspace, HEADERS, id), &headers.to_json()?)))
}

/// Signs `body` for a webhook, with all that signs its requests now. The value of `webhook-signature`.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`]
pub async fn sign(
    app: &App,
    actor: &Actor,
    id: WebhookId,
    message: &str,
    now: Timestamp,
    body: &[u8],
) -> Result<String, Error> {
    actor.require(Permission::WebhooksManage)?;
    let (key, workspace, record) = (&app.key, actor.workspace, record(app, actor, id).await?);
    let secret = open_secret(key, workspace, id, &record.secret_sealed)?;
    let old = record.old_secret.as_ref().filter(|old| old.until > now);
    let old = old.map(|old| open_secret(key, workspace, id, &old.sealed)).transpose()?;
    let seed = seed(key, workspace, id, record.signing_seed_sealed.as_deref())?;
    let secrets: Vec<&Secret> = std::iter::once(&secret).chain(&old).collect();
    Ok(sign::header(&secrets, seed.as_ref(), message, now.as_seconds(), body))
}

fn view(app: &App, workspace: WorkspaceId, record: &db::webhooks::Record) -> Result<SecretView, Error> {
    let now = app.clock.now();
    Ok(SecretView {
        secret: open_secret(&app.key, workspace, record.id, &record.secret_sealed)?.reveal(),
        old_secret_until: record.old_secret.as_ref().map(|old| old.until).filter(|until| *until > now),
        public_key: seed(&app.key, workspace, record.id, record.signing_seed_sealed.as_deref())?
            .map(|seed| seed.public_key()),
    })
}

/// What may be shown of a webhook's secret without revealing it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretHint {
    /// Its last four characters.
    pub ends: String,
    /// Until when the secret before it signs too; `None` when none does.
    pub old_secret_until: Option<Timestamp>,
    /// `whpk_…`; `None` when requests are not signed with a key pair.
    pub public_key: Option<String>,
}

/// How the secret of a webhook ends, for those who may see it.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`]
pub async fn secret_hint(app: &App, actor: &Actor, id: WebhookId) -> Result<SecretHint, Error> {
    actor.require(Permission::WebhooksManage)?;
    let view = view(app, actor.workspace, &record(app, actor, id).await?)?;
    let from = view.secret.len().saturating_sub(4);
    let ends = view.secret.get(from..).unwrap_or_default().to_owned();
    Ok(SecretHint { ends, old_secret_until: view.old_secret_until, public_key: view.public_key })
}

/// The secret that requests to a webhook are signed with. That somebody looked at it is written down.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`]
pub async fn reveal_secret(app: &App, actor: &Actor, id: WebhookId) -> Result<SecretView, Error> {
    let record = ops::change(app, actor, Some(Permission::WebhooksManage), move |tx| {
        Box::pin(async move {
            let record = find(tx, id).await?;
            tx.record(EventType::WEBHOOK_SECRET_REVEALED, &json!({"object": record.webhook}))?;
            Ok(record)
        })
    })
    .await?;
    view(app, actor.workspace, &record)
}

/// Makes a new secret. For `overlap_seconds` (up to 7 days) the old one signs too, so that receivers can change over.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`], [`Error::Invalid`] for `overlap_seconds`.
pub async fn rotate_secret(app: &App, actor: &Actor, id: WebhookId, overlap_seconds: u64) -> Result<SecretView, Error> {
    let overlap = Duration::from_secs(overlap_seconds);
    if overlap > MAX_OVERLAP {
        return Err(Error::invalid("overlap_seconds", format!("must be from 0 to {}", MAX_OVERLAP.as_secs())));
    }
    let record = ops::change(app, actor, Some(Permission::WebhooksManage), move |tx| {
        Box::pin(async move {
            let record = find(tx, id).await?;
            let secret = new_secret(&tx.app)?;
            let sealed = seal_secret(&tx.app, tx.workspace, id, &secret);
            let until = tx.now.saturating_add(overlap);
            let old = (!overlap.is_zero()).then_some(OldSecret { sealed: record.secret_sealed, until });
            db::webhooks::rotate_secret(tx.conn, id, sealed, old, tx.now).await?;
            let record = find(tx, id).await?;
            let overlap_until = (!overlap.is_zero()).then_some(until);
            let data = json!({"object": record.webhook, "overlap_until": overlap_until});
            tx.record(EventType::WEBHOOK_SECRET_ROTATED, &data)?;
            tx.webhook_changed(id);
            Ok(record)
        })
    })
    .await?;
    tell(app, actor.workspace);
    view(app, actor.workspace, &record)
}
