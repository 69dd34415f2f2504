//! Deliveries: looking at them, and sending them again by hand.
//!
//! Sending again takes nothing away: the automatic tries that were still to come stay, and are made if the resend fails.

use bellwire_core::{
    catalogue::EventType,
    delivery::State,
    id::{self, DeliveryId, WebhookId},
    permission::Permission,
    time::Timestamp,
};
use serde::Serialize;
use serde_json::json;
use std::{collections::BTreeSet, ops::Deref, time::Duration};

use super::Actor;
use crate::{
    app::{App, Signal},
    db::{
        self,
        attempts::Attempt,
        deliveries::{ByTime, Delivery, Step, Wanted},
        event_views::EventView,
        page::{Page, PageRequest, Position},
        webhooks::Status,
    },
    error::Error,
    ops,
};

/// Deliveries that one transaction of a replay looks at.
const REPLAY_STEP: u32 = 500;
/// The most deliveries that one replay sends again.
pub const MAX_REPLAY: u64 = 100_000;

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
    let delivery = ops::change(app, actor, Some(Permission::WebhooksManage), move |tx| {
        Box::pin(async move {
            let missing = Error::not_found::<id::Delivery>;
            let record = db::deliveries::get(tx.conn, tx.workspace, id).await?.ok_or_else(missing)?;
            must_be_active(record.webhook_status)?;
            if db::deliveries::resend(tx.conn, &[(id, record.delivery.state)], tx.now).await? == 0 {
                tx.unchanged();
            } else if let Some(found) = db::webhooks::get(tx.conn, tx.workspace, record.delivery.webhook_id).await? {
                let data = json!({"object": found.webhook, "delivery_id": id});
                tx.record(EventType::WEBHOOK_DELIVERY_RESENT, &data)?;
            }
            Ok(db::deliveries::get(tx.conn, tx.workspace, id).await?.ok_or_else(missing)?.delivery)
        })
    })
    .await?;
    tell(app, actor, delivery.webhook_id);
    Ok(delivery)
}

fn must_be_active(status: Option<Status>) -> Result<(), Error> {
    match status {
        Some(Status::Active) => Ok(()),
        Some(Status::Inactive) => Err(Error::conflict("webhook_inactive", "the webhook is inactive: turn it on first")),
        None => Err(Error::conflict("webhook_deleted", "the webhook was deleted")),
    }
}

fn tell(app: &App, actor: &Actor, webhook: WebhookId) {
    app.wake.send(Signal::Due(BTreeSet::from([webhook])));
    app.changed(actor.workspace, "deliveries");
}

/// What to send again.
#[derive(Clone, Copy, Debug)]
pub struct Replay {
    /// Deliveries made at this time or later.
    pub since: Timestamp,
    /// Deliveries made before this time; `None` is now.
    pub until: Option<Timestamp>,
    /// Those that are failed, cancelled or delivered.
    pub state: State,
    /// Only those of this type of event.
    pub event_type: Option<EventType>,
}

/// What a replay did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Replayed {
    /// How many deliveries are sent again.
    pub count: u64,
    /// Where to go on (as `since`) when there were more than one replay takes; null when that was all.
    pub next_since: Option<Timestamp>,
}

/// Sends many deliveries of a webhook again, oldest first: up to [`MAX_REPLAY`], in transactions of a few hundred.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`], [`Error::Invalid`] for `state`, [`Error::Conflict`] with `webhook_inactive`.
pub async fn replay(app: &App, actor: &Actor, webhook: WebhookId, replay: Replay) -> Result<Replayed, Error> {
    if !matches!(replay.state, State::Failed | State::Cancelled | State::Delivered) {
        return Err(Error::invalid("state", "must be failed, cancelled or delivered: the others will be sent anyway"));
    }
    let wanted = Wanted {
        state: Some(replay.state),
        event_type: replay.event_type.map(|event_type| event_type.as_str().to_owned()),
        since: Some(replay.since),
        until: Some(replay.until.unwrap_or_else(|| app.clock.now())),
    };
    let mut request =
        PageRequest { limit: REPLAY_STEP, position: Position::Offset(0), sort: ByTime, descending: false };
    let mut count = 0;
    loop {
        let (wanted, page, is_first) = (wanted.clone(), request.clone(), count == 0);
        let step = ops::change(app, actor, Some(Permission::WebhooksManage), move |tx| {
            Box::pin(async move {
                let missing = Error::not_found::<id::Webhook>;
                let found = db::webhooks::get(tx.conn, tx.workspace, webhook).await?.ok_or_else(missing)?;
                must_be_active(Some(found.status))?;
                let page = db::deliveries::list(tx.conn, webhook, &wanted, &page).await?;
                let shown: Vec<_> = page.data.iter().map(|delivery| (delivery.id, delivery.state)).collect();
                let changed = db::deliveries::resend(tx.conn, &shown, tx.now).await?;
                if is_first && changed > 0 {
                    let data = json!({
                        "object": found.webhook, "state": replay.state, "event_type": replay.event_type,
                        "since": wanted.since, "until": wanted.until,
                    });
                    tx.record(EventType::WEBHOOK_REPLAYED, &data)?;
                } else {
                    tx.unchanged();
                }
                Ok((changed, page.next, page.data.last().map(|delivery| delivery.created_at)))
            })
        });
        let (changed, next, last) = step.await?;
        count += changed;
        if changed > 0 {
            tell(app, actor, webhook);
        }
        match next {
            None => return Ok(Replayed { count, next_since: None }),
            Some(_) if count >= MAX_REPLAY => return Ok(Replayed { count, next_since: last }),
            Some(next) => request = request.following(&next)?,
        }
    }
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
