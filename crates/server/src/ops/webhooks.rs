//! Webhooks: what the page does.
//!
//! A webhook belongs to a workspace and to whoever created it. Everybody with `webhooks.view` sees it; `webhooks.manage` is
//! needed to change it and to see its secret. Settings here, switching on and off in [`status`], several at once in
//! [`several`], secrets in [`sealed`], custom headers in [`headers`].
//!
//! What always holds: secrets and header values are stored sealed and shown by no list, event or log; every change is followed,
//! after its commit, by a word to the engine (which keeps webhooks in memory) and to the open pages.

mod headers;
mod sealed;
mod several;
mod status;

use std::{collections::BTreeSet, ops::Deref};

use bellwire_core::{
    catalogue::{EventType, EventTypes},
    delivery::Health,
    id::{self, DeliveryId, WebhookId, WorkspaceId},
    permission::Permission,
    sign::SigningSeed,
    text::Description,
    time::Timestamp,
    webhook_url::WebhookUrl,
};
use serde::Serialize;
use serde_json::{Map, Value, json, value::RawValue};

pub use self::{
    headers::CustomHeaders,
    sealed::{Opened, SECRET, SecretHint, SecretView, open, place, reveal_secret, rotate_secret, secret_hint, sign},
    several::{Change, MAX_SEVERAL, change_several, create_several},
    status::{Missed, activate, deactivate, status_changes, turn_off},
};
use super::{Actor, publish};
use crate::{
    app::{App, Signal},
    db::{
        self,
        events::Audience,
        page::{Page, PageRequest},
        webhooks::{LastError, Owner, PreviousOwner, Record, Sort, Status, Wanted, Webhook},
    },
    error::Error,
    ops,
};

/// About the most webhooks of a workspace: far more than people make, and a stop for programs that run wild.
pub const MAX_WEBHOOKS: u64 = 200_000;
/// The highest rate limit, in requests per second.
pub const MAX_RATE_LIMIT: u32 = 10_000;
/// Beyond this nobody counts what is held.
pub const MAX_HELD_COUNT: u32 = 10_000;

/// What is needed to create a webhook.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    /// Where events are sent.
    pub url: WebhookUrl,
    /// Which.
    pub event_types: EventTypes,
    /// What it is for.
    pub description: Description,
    /// Sent with every request: names and values.
    pub headers: Vec<(String, String)>,
    /// Requests per second at the most; `None` is without a limit.
    pub rate_limit: Option<u32>,
}

/// What is modified; `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct WebhookPatch {
    /// Where events are sent.
    pub url: Option<WebhookUrl>,
    /// Which.
    pub event_types: Option<EventTypes>,
    /// What it is for.
    pub description: Option<Description>,
    /// Sent with every request: names and values, all of them.
    pub headers: Option<Vec<(String, String)>>,
    /// Requests per second at the most; `Some(None)` takes the limit away.
    pub rate_limit: Option<Option<u32>>,
    /// Whether requests are signed with a key pair (`v1a`) as well. Turning it off and on makes another pair.
    pub key_pair: Option<bool>,
}

/// A webhook with everything that may be shown of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct WebhookDetails {
    /// The webhook.
    #[serde(flatten)]
    pub webhook: Webhook,
    /// Who owned it before it was handed over, because they left or were removed; null when it never was.
    pub previous_owner: Option<PreviousOwner>,
    /// The names of the custom headers. Their values are never shown.
    pub headers: Vec<String>,
    /// Requests per second at the most; null is without a limit.
    pub rate_limit: Option<u32>,
    /// Since when all attempts have failed; null unless it is failing.
    pub failing_since: Option<Timestamp>,
    /// How many attempts have failed since then.
    pub failing_attempts: i64,
    /// What went wrong last; null unless it is failing.
    pub last_error: Option<LastError>,
    /// When it will be turned off if nothing succeeds before; null unless it is active and failing.
    pub will_turn_off_at: Option<Timestamp>,
}

impl Deref for WebhookDetails {
    type Target = Webhook;

    fn deref(&self) -> &Webhook {
        &self.webhook
    }
}

fn details(app: &App, workspace: WorkspaceId, record: Record) -> Result<WebhookDetails, Error> {
    let headers = sealed::headers(&app.key, workspace, record.id, record.headers_sealed.as_deref())?;
    let is_failing = record.status == Status::Active && record.health == Health::Failing;
    Ok(WebhookDetails {
        previous_owner: record.previous_owner,
        headers: headers.names().map(str::to_owned).collect(),
        rate_limit: record.rate_limit,
        failing_since: record.failing_since,
        failing_attempts: record.failing_attempts,
        will_turn_off_at: record
            .failing_since
            .filter(|_| is_failing)
            .map(|since| since.shifted(record.failing_uncounted).saturating_add(app.retry.deactivate_after)),
        last_error: record.last_error,
        webhook: record.webhook,
    })
}

/// One page of the workspace's webhooks.
///
/// # Errors
/// [`Error::Forbidden`]
pub async fn list(
    app: &App,
    actor: &Actor,
    wanted: Wanted,
    request: PageRequest<Sort>,
) -> Result<Page<WebhookDetails>, Error> {
    actor.require(Permission::WebhooksView)?;
    let workspace = actor.workspace;
    let page = app
        .db
        .read(move |conn| Box::pin(async move { db::webhooks::list(conn, workspace, &wanted, &request).await }))
        .await?;
    page.try_map(|record| details(app, workspace, record))
}

/// How many webhooks a list has on all its pages.
///
/// # Errors
/// [`Error::Forbidden`]
pub async fn count(app: &App, actor: &Actor, wanted: Wanted) -> Result<u64, Error> {
    actor.require(Permission::WebhooksView)?;
    let workspace = actor.workspace;
    Ok(app.db.read(move |conn| Box::pin(async move { db::webhooks::count(conn, workspace, &wanted).await })).await?)
}

/// One webhook.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`]
pub async fn get(app: &App, actor: &Actor, id: WebhookId) -> Result<WebhookDetails, Error> {
    actor.require(Permission::WebhooksView)?;
    details(app, actor.workspace, record(app, actor, id).await?)
}

/// Reads a webhook of the actor's workspace.
async fn record(app: &App, actor: &Actor, id: WebhookId) -> Result<Record, Error> {
    let workspace = actor.workspace;
    let found = app.db.read(move |conn| Box::pin(async move { db::webhooks::get(conn, workspace, id).await })).await?;
    found.ok_or_else(Error::not_found::<id::Webhook>)
}

/// Reads a webhook inside a transaction.
async fn find(tx: &mut ops::Tx<'_>, id: WebhookId) -> Result<Record, Error> {
    db::webhooks::get(tx.conn, tx.workspace, id).await?.ok_or_else(Error::not_found::<id::Webhook>)
}

/// Creates a webhook, active, owned by whoever asks. The second value is its secret's text.
///
/// # Errors
/// [`Error::Invalid`] for `url`, `event_types`, `headers` and `rate_limit`; [`Error::Conflict`] with `too_many_webhooks`.
pub async fn create(app: &App, actor: &Actor, new: NewWebhook) -> Result<(WebhookDetails, String), Error> {
    let made = create_several(app, actor, vec![new]).await?;
    made.into_iter().next().ok_or_else(|| Error::Internal("one webhook was asked for and none was made".to_owned()))
}

/// Creates the webhook inside a transaction.
async fn add(tx: &mut ops::Tx<'_>, new: NewWebhook, headers: &CustomHeaders) -> Result<(Record, String), Error> {
    check_room(tx).await?;
    let id: WebhookId = tx.app.random.id(tx.now);
    let secret = sealed::new_secret(&tx.app)?;
    let by = tx.actor();
    let owner = Owner { kind: by.kind, id: by.id.clone().unwrap_or_default(), name: by.name.clone() };
    let record = Record {
        previous_owner: None,
        headers_sealed: sealed::seal_headers(&tx.app, tx.workspace, id, headers)?,
        rate_limit: new.rate_limit,
        secret_sealed: sealed::seal_secret(&tx.app, tx.workspace, id, &secret),
        old_secret: None,
        signing_seed_sealed: None,
        failing_since: None,
        failing_uncounted: 0,
        failing_attempts: 0,
        last_error: None,
        cancel_before: Timestamp::default(),
        webhook: Webhook {
            id,
            url: new.url,
            description: new.description.to_string(),
            event_types: new.event_types,
            actor_types: new.event_types.actor_types(),
            owner,
            status: Status::Active,
            status_reason: None,
            health: Health::Unknown,
            created_at: tx.now,
            updated_at: tx.now,
        },
    };
    db::webhooks::insert(tx.conn, tx.workspace, &record).await?;
    status::created(tx, id).await?;
    tx.record(EventType::WEBHOOK_CREATED, &json!({"object": record.webhook}))?;
    Ok((record, secret.reveal()))
}

/// Refuses a webhook too many. Counting takes longer the more there are, and the bound is there for programs that run wild:
/// so only one creation in 64 counts.
async fn check_room(tx: &mut ops::Tx<'_>) -> Result<(), Error> {
    if tx.app.random.fraction() * 64.0 >= 1.0 {
        return Ok(());
    }
    if db::webhooks::count(tx.conn, tx.workspace, &Wanted::default()).await? < MAX_WEBHOOKS {
        return Ok(());
    }
    let message = format!("a workspace can't have more than {MAX_WEBHOOKS} webhooks");
    Err(Error::conflict("too_many_webhooks", message))
}

/// Modifies a webhook. Another URL begins with a clean health.
///
/// # Errors
/// As [`create`], and [`Error::NotFound`].
pub async fn update(app: &App, actor: &Actor, id: WebhookId, patch: WebhookPatch) -> Result<WebhookDetails, Error> {
    if let Some(url) = &patch.url {
        check_url(app, url)?;
    }
    if let Some(event_types) = patch.event_types {
        check_event_types(event_types)?;
    }
    check_rate_limit(patch.rate_limit.flatten())?;
    let headers = patch.headers.map(CustomHeaders::parse).transpose();
    let headers = headers.map_err(|error| Error::invalid("headers", error))?;
    let record = ops::change(app, actor, Some(Permission::WebhooksManage), move |tx| {
        Box::pin(async move {
            let mut record = find(tx, id).await?;
            let before = record.clone();
            let headers_before = sealed::headers(&tx.app.key, tx.workspace, id, before.headers_sealed.as_deref())?;
            record.webhook.url = patch.url.unwrap_or(record.webhook.url);
            record.webhook.event_types = patch.event_types.unwrap_or(record.webhook.event_types);
            if let Some(description) = patch.description {
                record.webhook.description = description.to_string();
            }
            let headers = headers.filter(|headers| *headers != headers_before);
            let mut changed = Vec::new();
            if let Some(headers) = headers {
                changed.push("headers");
                record.headers_sealed = sealed::seal_headers(&tx.app, tx.workspace, id, &headers)?;
            }
            record.rate_limit = patch.rate_limit.unwrap_or(record.rate_limit);
            match (patch.key_pair, &record.signing_seed_sealed) {
                (Some(true), None) => {
                    let seed = SigningSeed::from_bytes(&tx.app.random.bytes());
                    record.signing_seed_sealed = Some(sealed::seal_seed(&tx.app, tx.workspace, id, &seed));
                }
                (Some(false), Some(_)) => record.signing_seed_sealed = None,
                _ => {}
            }
            let previous = previous(&before.webhook, &record.webhook);
            changed.extend(previous.keys().map(String::as_str));
            if record.rate_limit != before.rate_limit {
                changed.push("rate_limit");
            }
            if record.signing_seed_sealed != before.signing_seed_sealed {
                changed.push("key_pair");
            }
            if changed.is_empty() {
                tx.unchanged();
                return Ok(before);
            }
            record.webhook.updated_at = tx.now;
            db::webhooks::update(tx.conn, tx.workspace, &record).await?;
            let record = find(tx, id).await?;
            let mut data = json!({"object": record.webhook, "changed": changed});
            if !previous.is_empty() {
                data["previous"] = Value::Object(previous);
            }
            tx.record(EventType::WEBHOOK_UPDATED, &data)?;
            tx.webhook_changed(id);
            Ok(record)
        })
    })
    .await?;
    tell(app, actor.workspace);
    details(app, actor.workspace, record)
}

/// What the fields that everybody sees were before, of those that changed.
fn previous(before: &Webhook, after: &Webhook) -> Map<String, Value> {
    let mut previous = Map::new();
    if before.url != after.url {
        previous.insert("url".to_owned(), json!(before.url));
    }
    if before.description != after.description {
        previous.insert("description".to_owned(), json!(before.description));
    }
    if before.event_types != after.event_types {
        previous.insert("event_types".to_owned(), json!(before.event_types));
    }
    previous
}

/// Deletes a webhook. What was owed to it is cancelled; its history of deliveries stays as long as any history does.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`]
pub async fn delete(app: &App, actor: &Actor, id: WebhookId) -> Result<(), Error> {
    ops::change(app, actor, Some(Permission::WebhooksManage), move |tx| {
        Box::pin(async move {
            let gone = find(tx, id).await?.webhook;
            remove(tx, &gone).await
        })
    })
    .await?;
    tell(app, actor.workspace);
    Ok(())
}

/// Deletes a webhook inside a transaction, with the event that says so.
async fn remove(tx: &mut ops::Tx<'_>, gone: &Webhook) -> Result<(), Error> {
    db::replays::cancel(tx.conn, gone.id, tx.now).await?;
    db::webhooks::delete(tx.conn, gone.id, tx.now).await?;
    tx.webhook_changed(gone.id);
    tx.record(EventType::WEBHOOK_DELETED, &json!({"object": gone}))
}

/// What a test is made of.
#[derive(Clone, Debug, Default)]
pub struct NewTest {
    /// `webhook.test` when none is named.
    pub event_type: Option<EventType>,
    /// A JSON object within the bounds of a published event; the example of the catalogue when none is given.
    pub data: Option<Box<RawValue>>,
}

/// Sends a test: an event that is marked as one, to this webhook only, whatever it wants and whether it is active or not.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`], [`Error::Invalid`] for `data`, and for `type` when no webhook ever gets it.
pub async fn test(app: &App, actor: &Actor, id: WebhookId, new: NewTest) -> Result<DeliveryId, Error> {
    let event_type = new.event_type.unwrap_or(EventType::WEBHOOK_TEST);
    if !event_type.is_delivered() {
        return Err(Error::invalid("type", format!("{event_type} is never sent to webhooks")));
    }
    let data = match new.data {
        Some(data) => publish::data::check(data).map_err(|error| Error::invalid("data", error))?,
        None => serde_json::value::to_raw_value(&event_type.entry().example_data())?,
    };
    let event = ops::change(app, actor, Some(Permission::WebhooksManage), move |tx| {
        Box::pin(async move {
            find(tx, id).await?;
            tx.record_for(event_type, &data, Audience::Test(id))
        })
    })
    .await?;
    let delivery = app.db.read(move |conn| Box::pin(async move { db::deliveries::of_test(conn, event).await })).await?;
    delivery.ok_or_else(Error::not_found::<id::Delivery>)
}

/// How many events are held for a webhook; [`MAX_HELD_COUNT`] stands for that many or more.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`]
pub async fn held_count(app: &App, actor: &Actor, id: WebhookId) -> Result<u64, Error> {
    actor.require(Permission::WebhooksView)?;
    record(app, actor, id).await?;
    Ok(app
        .db
        .read(move |conn| Box::pin(async move { db::deliveries::held_count(conn, id, MAX_HELD_COUNT).await }))
        .await?)
}

/// How many deliveries are owed to a webhook, held ones too: what deleting it would cancel. [`MAX_HELD_COUNT`] stands for that
/// many or more.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`]
pub async fn owed_count(app: &App, actor: &Actor, id: WebhookId) -> Result<u64, Error> {
    actor.require(Permission::WebhooksView)?;
    record(app, actor, id).await?;
    Ok(app
        .db
        .read(move |conn| Box::pin(async move { db::deliveries::owed_count(conn, id, MAX_HELD_COUNT).await }))
        .await?)
}

/// The custom headers with their values, for a form that keeps those that nobody typed anew. They are never shown.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`]
pub async fn header_values(app: &App, actor: &Actor, id: WebhookId) -> Result<Vec<(String, String)>, Error> {
    actor.require(Permission::WebhooksManage)?;
    let record = record(app, actor, id).await?;
    let headers = sealed::headers(&app.key, actor.workspace, id, record.headers_sealed.as_deref())?;
    Ok(headers.into_pairs())
}

/// After a commit: open pages look again.
fn tell(app: &App, workspace: WorkspaceId) {
    app.changed(workspace, "webhooks");
}

/// After a commit that made deliveries due.
fn tell_due(app: &App, workspace: WorkspaceId, id: WebhookId) {
    app.wake.send(Signal::Due(BTreeSet::from([id])));
    app.changed(workspace, "deliveries");
}

fn check_url(app: &App, url: &WebhookUrl) -> Result<(), Error> {
    let forbidden = |forbidden| Error::invalid("url", format!("webhooks can't be sent there: {forbidden}"));
    url.check(&app.addresses).map_err(forbidden)
}

fn check_event_types(event_types: EventTypes) -> Result<(), Error> {
    if event_types.is_empty() {
        return Err(Error::invalid("event_types", "choose at least one event type"));
    }
    match event_types.iter().find(|event_type| !event_type.entry().subscribable) {
        Some(event_type) => Err(Error::invalid("event_types", format!("{event_type} can't be subscribed to"))),
        None => Ok(()),
    }
}

fn check_rate_limit(limit: Option<u32>) -> Result<(), Error> {
    match limit {
        Some(limit) if !(1..=MAX_RATE_LIMIT).contains(&limit) => {
            Err(Error::invalid("rate_limit", format!("must be from 1 to {MAX_RATE_LIMIT} requests per second")))
        }
        _ => Ok(()),
    }
}
