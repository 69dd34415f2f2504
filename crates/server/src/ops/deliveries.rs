//! Deliveries: looking at them, and sending one of them again by hand (many: [`replays`](super::replays)).
//!
//! Sending again takes nothing away: the automatic tries that were still to come stay, and are made if the resend fails.

use bellwire_core::{
    id::{self, DeliveryId, WebhookId, WorkspaceId},
    permission::Permission,
};
use serde::Serialize;
use std::{collections::BTreeSet, ops::Deref, time::Duration};

use super::Actor;
use crate::{
    app::{App, Signal},
    db::{
        self,
        attempts::Attempt,
        deliveries::{ByTime, Delivery, Step, Wanted},
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

/// Sends a delivery again, now. When it is being sent, or waits to be sent by hand already, there is nothing more to do.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`], [`Error::Conflict`] with `webhook_inactive` or `webhook_deleted`.
pub async fn resend(app: &App, actor: &Actor, id: DeliveryId) -> Result<Delivery, Error> {
    let delivery = ops::write(app, actor, Permission::WebhooksManage, move |tx| {
        Box::pin(async move {
            let missing = Error::not_found::<id::Delivery>;
            let record = db::deliveries::get(tx.conn, tx.workspace, id).await?.ok_or_else(missing)?;
            must_be_active(record.webhook_status)?;
            db::deliveries::resend(tx.conn, &[(id, record.delivery.state)], tx.now).await?;
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
    app.wake.send(Signal::Due(BTreeSet::from([webhook])));
    app.changed(workspace, "deliveries");
}

/// How a webhook's deliveries of the last 24 hours went, hour by hour; looks at the newest 10,000 of them.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`]
pub async fn last_day(app: &App, actor: &Actor, webhook: WebhookId) -> Result<Vec<Step>, Error> {
    const HOUR: Duration = Duration::from_hours(1);
    const HOURS: u32 = 24;
    actor.require(Permission::WebhooksView)?;
    let (workspace, since) = (actor.workspace, app.clock.now().saturating_sub(HOUR * HOURS));
    let length = i64::try_from(HOUR.as_micros()).unwrap_or(i64::MAX);
    app.db
        .read(move |conn| {
            Box::pin(async move {
                let found = db::webhooks::get(conn, workspace, webhook).await?;
                found.ok_or_else(Error::not_found::<id::Webhook>)?;
                Ok::<_, Error>(db::deliveries::steps(conn, webhook, since, length, HOURS, 10_000).await?)
            })
        })
        .await
}
