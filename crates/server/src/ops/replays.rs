//! Replays: sending many deliveries of a webhook again.
//!
//! Asking for one writes one row. The engine does the rest, step by step: it reads the next few deliveries that are wanted,
//! then in one short transaction makes them due and writes down how far it is. So a replay of a million deliveries holds
//! nobody up, goes on where it was after a restart, and can be ended. Two nodes may try the same step: one of them makes it.
//!
//! What is made due waits in the database until its lane has room, like everything else. A webhook that is turned off pauses its
//! replay, one that is deleted ends it.

use bellwire_core::{
    catalogue::EventType,
    delivery::State,
    event::By,
    id::{self, ReplayId, WebhookId},
    permission::Permission,
    time::Timestamp,
};
use serde_json::json;

use super::{
    Actor,
    deliveries::{must_be_active, tell},
    journal::transact,
};
use crate::{
    app::{App, Signal},
    db::{
        self,
        deliveries::{self, Wanted},
        page::{Page, PageRequest, Position},
        replays::{ByTime, Progress, Replay, ReplayStatus, Running},
    },
    error::Error,
    ops,
};

/// Deliveries in one step: bounds how long a transaction keeps others from writing.
const STEP: u32 = 200;
/// Beyond this nobody counts how many there are.
pub const MAX_TOTAL: u32 = 100_000;

/// What to send again.
#[derive(Clone, Copy, Debug)]
pub struct NewReplay {
    /// Deliveries made at this time or later.
    pub since: Timestamp,
    /// Deliveries made before this time; `None` is now.
    pub until: Option<Timestamp>,
    /// Those that failed, were cancelled (what was held, and then skipped) or were delivered.
    pub state: State,
    /// Only those of this type of event.
    pub event_type: Option<EventType>,
}

/// Begins to send many deliveries of a webhook again, oldest first.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`], [`Error::Invalid`] for `state`, [`Error::Conflict`] with `webhook_inactive`, or
/// `replay_running` when the webhook has one that has not ended.
pub async fn create(app: &App, actor: &Actor, webhook: WebhookId, new: NewReplay) -> Result<Replay, Error> {
    actor.require(Permission::WebhooksManage)?;
    if !matches!(new.state, State::Failed | State::Cancelled | State::Delivered) {
        return Err(Error::invalid("state", "must be failed, cancelled or delivered: the others will be sent anyway"));
    }
    let now = app.clock.now();
    let event_type = new.event_type.map(|event_type| event_type.as_str().to_owned());
    let until = new.until.map_or(now, |until| until.min(now));
    let wanted = wanted(new.state, event_type.clone(), new.since, until);
    let workspace = actor.workspace;
    let count = app.db.read(move |conn| {
        Box::pin(async move {
            let found = db::webhooks::get(conn, workspace, webhook).await?;
            must_be_active(Some(found.ok_or_else(Error::not_found::<id::Webhook>)?.status))?;
            Ok::<_, Error>(deliveries::wanted_count(conn, webhook, &wanted, MAX_TOTAL).await?)
        })
    });
    let total = count.await?;
    let replay = ops::change(app, actor, Some(Permission::WebhooksManage), move |tx| {
        Box::pin(async move {
            let found = db::webhooks::get(tx.conn, tx.workspace, webhook).await?;
            let found = found.ok_or_else(Error::not_found::<id::Webhook>)?;
            must_be_active(Some(found.status))?;
            let replay = Replay {
                id: tx.app.random.id(tx.now),
                webhook_id: webhook,
                by: tx.actor().clone(),
                state: new.state,
                event_type,
                since: new.since,
                until,
                status: if total == 0 { ReplayStatus::Done } else { ReplayStatus::Running },
                total,
                looked_at: 0,
                sent: 0,
                created_at: tx.now,
                updated_at: tx.now,
                ended_at: (total == 0).then_some(tx.now),
            };
            if db::replays::is_running(tx.conn, webhook).await? {
                return Err(Error::conflict("replay_running", "this webhook has a replay that has not ended"));
            }
            db::replays::insert(tx.conn, tx.workspace, &replay).await?;
            let data = json!({
                "object": found.webhook, "replay_id": replay.id, "state": replay.state,
                "event_type": replay.event_type, "since": replay.since, "until": replay.until,
            });
            tx.record(EventType::WEBHOOK_REPLAYED, &data)?;
            Ok(replay)
        })
    })
    .await?;
    app.wake.send(Signal::Replay);
    app.changed(workspace, "deliveries");
    Ok(replay)
}

/// One page of a webhook's replays: the one that runs, if any, and those before it.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`]
pub async fn list(
    app: &App,
    actor: &Actor,
    webhook: WebhookId,
    request: PageRequest<ByTime>,
) -> Result<Page<Replay>, Error> {
    actor.require(Permission::WebhooksView)?;
    let workspace = actor.workspace;
    app.db
        .read(move |conn| {
            Box::pin(async move {
                let found = db::webhooks::get(conn, workspace, webhook).await?;
                found.ok_or_else(Error::not_found::<id::Webhook>)?;
                Ok::<_, Error>(db::replays::list(conn, webhook, &request).await?)
            })
        })
        .await
}

/// One replay.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`]
pub async fn get(app: &App, actor: &Actor, id: ReplayId) -> Result<Replay, Error> {
    actor.require(Permission::WebhooksView)?;
    let workspace = actor.workspace;
    let found = app.db.read(move |conn| Box::pin(async move { db::replays::get(conn, workspace, id).await }));
    found.await?.ok_or_else(Error::not_found::<id::Replay>)
}

/// Ends a replay. What it has made due is sent all the same. When it has ended already, nothing changes.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`]
pub async fn cancel(app: &App, actor: &Actor, id: ReplayId) -> Result<Replay, Error> {
    let replay = ops::change(app, actor, Some(Permission::WebhooksManage), move |tx| {
        Box::pin(async move {
            let missing = Error::not_found::<id::Replay>;
            let replay = db::replays::get(tx.conn, tx.workspace, id).await?.ok_or_else(missing)?;
            if replay.status.is_over() {
                tx.unchanged();
                return Ok(replay);
            }
            let found = db::webhooks::get(tx.conn, tx.workspace, replay.webhook_id).await?.ok_or_else(missing)?;
            db::replays::cancel(tx.conn, replay.webhook_id, tx.now).await?;
            tx.record(EventType::WEBHOOK_REPLAY_CANCELLED, &json!({"object": found.webhook, "replay_id": id}))?;
            db::replays::get(tx.conn, tx.workspace, id).await?.ok_or_else(missing)
        })
    })
    .await?;
    app.changed(actor.workspace, "deliveries");
    Ok(replay)
}

/// Makes one step of one replay. `false` when there was nothing to do.
///
/// # Errors
/// When the database fails; the step is then made another time.
pub async fn step(app: &App) -> Result<bool, Error> {
    let next = app.db.read(move |conn| {
        Box::pin(async move {
            let Some(running) = db::replays::next(conn).await? else { return Ok::<_, Error>(None) };
            let request = place(&running)?;
            let replay = &running.replay;
            let wanted = wanted(replay.state, replay.event_type.clone(), replay.since, replay.until);
            let page = deliveries::list(conn, replay.webhook_id, &wanted, &request).await?;
            Ok(Some((running, page)))
        })
    });
    let Some((running, page)) = next.await? else { return Ok(false) };
    let (workspace, webhook) = (running.workspace, running.replay.webhook_id);
    let sent = transact(app, workspace, By::system(), false, move |tx| {
        Box::pin(async move {
            let looked_at = u32::try_from(page.data.len()).unwrap_or(u32::MAX);
            let progress = Progress { looked_at, cursor: page.next, at: tx.now };
            if !db::replays::advance(tx.conn, &running, &progress).await? {
                return Ok(0);
            }
            let shown: Vec<_> = page.data.iter().map(|delivery| (delivery.id, delivery.state)).collect();
            let sent = deliveries::resend(tx.conn, &shown, tx.app.database_clock.now()).await?;
            db::replays::add_sent(tx.conn, running.replay.id, sent).await?;
            Ok(sent)
        })
    });
    if sent.await? > 0 {
        tell(app, workspace, webhook);
    } else {
        app.changed(workspace, "deliveries");
    }
    Ok(true)
}

/// Which deliveries a replay makes due: none of tests, of which nothing happened.
fn wanted(state: State, event_type: Option<String>, since: Timestamp, until: Timestamp) -> Wanted {
    Wanted { state: Some(state), event_type, since: Some(since), until: Some(until), no_tests: true }
}

/// The deliveries that the next step looks at.
fn place(running: &Running) -> Result<PageRequest<deliveries::ByTime>, Error> {
    let sort = deliveries::ByTime;
    let first = PageRequest { limit: STEP, position: Position::Offset(0), sort, descending: false };
    running.cursor.as_deref().map_or(Ok(first.clone()), |cursor| first.following(cursor))
}
