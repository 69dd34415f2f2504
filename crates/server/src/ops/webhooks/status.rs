//! Turning webhooks on and off, by hand and by the engine. Turning off destroys nothing: what happens meanwhile is held.

use bellwire_core::{catalogue::EventType, id::WebhookId, permission::Permission, text::Reason, time::Timestamp};
use serde::{Deserialize, Serialize};

use super::{WebhookDetails, details, find, tell, tell_due};
use crate::{
    app::App,
    db::{
        self,
        events::Audience,
        page::{Page, PageRequest},
        status_changes::{ByTime, Evidence, Status, StatusChange, StatusCode, StatusReason},
    },
    error::Error,
    ops::{self, Actor, Tx},
};

/// What becomes of the events that a webhook missed while it was inactive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// They are sent now.
    #[default]
    Send,
    /// They are cancelled. What somebody asked to be sent again is sent all the same.
    Skip,
}

/// Turns a webhook on. When it is active already, nothing changes.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`]
pub async fn activate(app: &App, actor: &Actor, id: WebhookId, missed: Missed) -> Result<WebhookDetails, Error> {
    let (record, changed) = ops::change(app, actor, Some(Permission::WebhooksManage), move |tx| {
        Box::pin(async move {
            find(tx, id).await?;
            let changed = turn_on(tx, id, missed).await?;
            if !changed {
                tx.unchanged();
            }
            Ok((find(tx, id).await?, changed))
        })
    })
    .await?;
    if changed {
        tell(app, actor.workspace);
        tell_due(app, actor.workspace, id);
    }
    details(app, actor.workspace, record)
}

/// Turns a webhook on inside a transaction: status, history and the event `webhook.activated`. Does nothing, and returns `false`, when it is active already or deleted.
pub(super) async fn turn_on(tx: &mut Tx<'_>, id: WebhookId, missed: Missed) -> Result<bool, Error> {
    let Some(record) = db::webhooks::get(tx.conn, tx.workspace, id).await? else { return Ok(false) };
    if record.status == Status::Active {
        return Ok(false);
    }
    let (cancel_before, message) = match missed {
        Missed::Send => (record.cancel_before, "Turned on; what it missed is sent."),
        Missed::Skip => (skip_until(tx, id).await?, "Turned on; what it missed is skipped."),
    };
    db::webhooks::activate(tx.conn, id, cancel_before, tx.now).await?;
    insert_change(tx, id, Status::Active, manual(tx, message.to_owned())).await?;
    let webhook = find(tx, id).await?.webhook;
    let data = serde_json::json!({"object": webhook, "missed": missed});
    tx.record(EventType::WEBHOOK_ACTIVATED, &data)?;
    tx.webhook_changed(id);
    Ok(true)
}

/// Covers all deliveries that there are, also those made by a node whose clock is ahead.
async fn skip_until(tx: &mut Tx<'_>, id: WebhookId) -> Result<Timestamp, Error> {
    let newest = db::deliveries::newest(tx.conn, id).await?;
    Ok(newest.map_or(tx.now, |newest| newest.max(tx.now)))
}

/// What stands where somebody who turned a webhook off wrote nothing.
pub(super) const BY_HAND: &str = "Turned off by hand.";

/// Turns a webhook off by hand. When it is inactive already, nothing changes.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`]
pub async fn deactivate(app: &App, actor: &Actor, id: WebhookId, reason: Reason) -> Result<WebhookDetails, Error> {
    let (record, changed) = ops::change(app, actor, Some(Permission::WebhooksManage), move |tx| {
        Box::pin(async move {
            let message = if reason.as_str().is_empty() { BY_HAND } else { reason.as_str() };
            find(tx, id).await?;
            let changed = turn_off(tx, id, StatusCode::Manual, message, None).await?;
            if !changed {
                tx.unchanged();
            }
            Ok((find(tx, id).await?, changed))
        })
    })
    .await?;
    if changed {
        tell(app, actor.workspace);
    }
    details(app, actor.workspace, record)
}

/// Turns a webhook off inside a transaction: status, reason, history and the event `webhook.deactivated`, which every
/// webhook that wants it gets but this one. Changes nothing, and returns `false`, when it is inactive already or deleted. The engine
/// of this node forgets what it knew of it in any case.
///
/// After the commit the caller tells open pages that `webhooks` changed.
///
/// # Errors
/// When the database fails.
pub async fn turn_off(
    tx: &mut Tx<'_>,
    id: WebhookId,
    code: StatusCode,
    message: impl Into<String> + Send,
    evidence: Option<Evidence>,
) -> Result<bool, Error> {
    let Some(record) = db::webhooks::get(tx.conn, tx.workspace, id).await? else { return Ok(false) };
    // Another node may have turned it off a moment ago: this one stops sending before it answers, too.
    tx.webhook_changed(id);
    if record.status == Status::Inactive {
        return Ok(false);
    }
    let reason = StatusReason { code, message: message.into(), at: tx.now, by: tx.actor().clone(), evidence };
    // Two nodes may have seen it active: only one of them changes it.
    if !db::webhooks::deactivate(tx.conn, id, &reason).await? {
        return Ok(false);
    }
    insert_change(tx, id, Status::Inactive, reason.clone()).await?;
    let mut webhook = record.webhook;
    webhook.status = Status::Inactive;
    webhook.updated_at = reason.at;
    webhook.status_reason = Some(reason.clone());
    let data = serde_json::json!({"object": webhook, "reason": reason});
    tx.record_for(EventType::WEBHOOK_DEACTIVATED, &data, Audience::SubscribersExcept(id))?;
    Ok(true)
}

/// The first entry of a webhook's history.
pub(super) async fn created(tx: &mut Tx<'_>, id: WebhookId) -> Result<(), Error> {
    tx.webhook_changed(id);
    insert_change(tx, id, Status::Active, manual(tx, "Created.".to_owned())).await
}

fn manual(tx: &Tx<'_>, message: String) -> StatusReason {
    StatusReason { code: StatusCode::Manual, message, at: tx.now, by: tx.actor().clone(), evidence: None }
}

async fn insert_change(
    tx: &mut Tx<'_>,
    webhook_id: WebhookId,
    status: Status,
    reason: StatusReason,
) -> Result<(), Error> {
    let change = StatusChange { id: tx.app.random.id(tx.now), webhook_id, status, reason };
    Ok(db::status_changes::insert(tx.conn, &change).await?)
}

/// The history of a webhook's status.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`]
pub async fn status_changes(
    app: &App,
    actor: &Actor,
    id: WebhookId,
    request: PageRequest<ByTime>,
) -> Result<Page<StatusChange>, Error> {
    actor.require(Permission::WebhooksView)?;
    super::record(app, actor, id).await?;
    Ok(app.db.read(move |conn| Box::pin(async move { db::status_changes::list(conn, id, &request).await })).await?)
}
