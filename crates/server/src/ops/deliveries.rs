//! Deliveries: looking at them, and sending one of them again by hand (many: [`replays`](super::replays)).
//!
//! Sending again takes nothing away: the automatic tries that were still to come stay, and are made if the resend fails.

use bellwire_core::{
    catalogue::EventType,
    id::{self, DeliveryId, WebhookId, WorkspaceId},
    permission::Permission,
    sign,
    webhook_url::WebhookUrl,
};
use serde::Serialize;
use serde_json::json;
use std::{collections::BTreeSet, ops::Deref, time::Duration};
use tokio::sync::broadcast::error::RecvError;

use super::Actor;
use crate::{
    app::{App, Signal},
    db::{
        self,
        attempts::Attempt,
        deliveries::{ByTime, Delivery, Wanted},
        event_views::EventView,
        page::{Page, PageRequest},
        webhooks::Status,
    },
    error::Error,
    ops,
};

/// A delivery with its event and every attempt.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct DeliveryDetails {
    /// The delivery.
    #[serde(flatten)]
    pub delivery: Delivery,
    /// What was sent: the request's body.
    pub event: EventView,
    /// Every attempt, the first one first.
    pub attempts: Vec<Attempt>,
}

impl Deref for DeliveryDetails {
    type Target = Delivery;

    fn deref(&self) -> &Delivery {
        &self.delivery
    }
}

/// One page of a webhook's deliveries.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`]
pub async fn list(
    app: &App,
    actor: &Actor,
    webhook: WebhookId,
    wanted: Wanted,
    request: PageRequest<ByTime>,
) -> Result<Page<Delivery>, Error> {
    actor.require(Permission::WebhooksView)?;
    let workspace = actor.workspace;
    app.db
        .read(move |conn| {
            Box::pin(async move {
                let found = db::webhooks::get(conn, workspace, webhook).await?;
                found.ok_or_else(Error::not_found::<id::Webhook>)?;
                Ok::<_, Error>(db::deliveries::list(conn, webhook, &wanted, &request).await?)
            })
        })
        .await
}

/// One delivery with its event and every attempt.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`]
pub async fn get(app: &App, actor: &Actor, id: DeliveryId) -> Result<DeliveryDetails, Error> {
    actor.require(Permission::WebhooksView)?;
    let workspace = actor.workspace;
    app.db
        .read(move |conn| {
            Box::pin(async move {
                let missing = Error::not_found::<id::Delivery>;
                let delivery = db::deliveries::get(conn, workspace, id).await?.ok_or_else(missing)?.delivery;
                // Pruning takes deliveries before events: a delivery without its event is about to go.
                let event = db::event_views::get(conn, workspace, delivery.event_id).await?.ok_or_else(missing)?;
                let attempts = db::attempts::of_delivery(conn, id).await?;
                Ok::<_, Error>(DeliveryDetails { delivery, event, attempts })
            })
        })
        .await
}

/// A delivery that has been tried, or that nobody got to within `patience`.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`]
pub async fn tried(app: &App, actor: &Actor, id: DeliveryId, patience: Duration) -> Result<DeliveryDetails, Error> {
    // Listening begins before looking, so that nothing happens in between.
    let mut changes = app.live.subscribe();
    let give_up = app.clock.moment().plus(patience);
    loop {
        let details = get(app, actor, id).await?;
        if !details.attempts.is_empty() || app.clock.moment() >= give_up {
            return Ok(details);
        }
        tokio::select! {
            () = app.stopped() => return Ok(details),
            () = app.clock.sleep_until(give_up) => {}
            // Whoever lags behind, or is told of something else, looks again all the same.
            change = changes.recv() => if matches!(change, Err(RecvError::Closed)) { return Ok(details) },
        }
    }
}

/// The request of a delivery as somebody can make it by hand.
#[derive(Clone, Debug)]
pub struct SignedRequest {
    /// Where it goes.
    pub url: WebhookUrl,
    /// The headers of every request, signature included.
    pub headers: Vec<(&'static str, String)>,
    /// The names of the webhook's custom headers; their values are never shown.
    pub custom_headers: Vec<String>,
    /// JSON.
    pub body: String,
}

/// The request of a delivery, signed anew: signatures are not kept, and receivers take none that is older than minutes.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`], also when the webhook was deleted.
pub async fn signed(app: &App, actor: &Actor, id: DeliveryId) -> Result<SignedRequest, Error> {
    actor.require(Permission::WebhooksManage)?;
    let delivery = get(app, actor, id).await?;
    let webhook = ops::webhooks::get(app, actor, delivery.webhook_id).await?;
    let (message, now) = (delivery.event_id.to_string(), app.clock.now());
    let body = serde_json::to_string(&delivery.event)?;
    let signature = ops::webhooks::sign(app, actor, webhook.id, &message, now, body.as_bytes()).await?;
    Ok(SignedRequest {
        url: webhook.url.clone(),
        headers: vec![
            ("content-type", "application/json".to_owned()),
            (sign::ID_HEADER, message),
            (sign::TIMESTAMP_HEADER, now.as_seconds().to_string()),
            (sign::SIGNATURE_HEADER, signature),
        ],
        custom_headers: webhook.headers,
        body,
    })
}

/// Sends a delivery again, now. When it is being sent, or waits to be sent by hand already, there is nothing more to do.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`], [`Error::Conflict`] with `webhook_inactive` or `webhook_deleted`.
pub async fn resend(app: &App, actor: &Actor, id: DeliveryId) -> Result<Delivery, Error> {
    let delivery = ops::change(app, actor, Some(Permission::WebhooksManage), move |tx| {
        Box::pin(async move {
            let missing = Error::not_found::<id::Delivery>;
            let record = db::deliveries::get(tx.conn, tx.workspace, id).await?.ok_or_else(missing)?;
            must_be_active(record.webhook_status)?;
            let due = tx.app.database_clock.now();
            if db::deliveries::resend(tx.conn, &[(id, record.delivery.state)], due).await? == 0 {
                tx.unchanged();
            } else if let Some(found) = db::webhooks::get(tx.conn, tx.workspace, record.delivery.webhook_id).await? {
                let data = json!({"object": found.webhook, "delivery_id": id});
                tx.record(EventType::WEBHOOK_DELIVERY_RESENT, &data)?;
            }
            Ok(db::deliveries::get(tx.conn, tx.workspace, id).await?.ok_or_else(missing)?.delivery)
        })
    })
    .await?;
    tell(app, actor.workspace, delivery.webhook_id);
    Ok(delivery)
}

pub(super) fn must_be_active(status: Option<Status>) -> Result<(), Error> {
    match status {
        Some(Status::Active) => Ok(()),
        Some(Status::Inactive) => Err(Error::conflict("webhook_inactive", "the webhook is inactive: turn it on first")),
        None => Err(Error::conflict("webhook_deleted", "the webhook was deleted")),
    }
}

/// After a commit that made deliveries due by hand.
pub(super) fn tell(app: &App, workspace: WorkspaceId, webhook: WebhookId) {
    app.wake.send(Signal::Due(BTreeSet::from([(workspace, webhook)])));
    app.changed(workspace, "deliveries");
}
