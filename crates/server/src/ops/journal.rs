//! The transaction that every change goes through: state, events and deliveries together or not at all.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bellwire_core::{
    catalogue::EventType,
    event::{By, EventActor},
    id::{CorrelationId, DeliveryId, EventId, WebhookId, WorkspaceId},
    permission::Permission,
    time::Timestamp,
};
use serde::Serialize;

use super::{Actor, group_commit::current, nodes};
use crate::{
    app::{App, Owed, Signal},
    db::{
        self, BoxFuture, Conn,
        events::{Audience, DeliveryRow, NewDelivery, NewEvent, Written},
    },
    error::Error,
};

/// How long a node may keep a delivery in memory before the others may take it. An exchange lasts 15 s at the most.
pub const LEASE: Duration = Duration::from_secs(60);

/// A transaction in one workspace.
pub struct Tx<'c> {
    /// The connection, inside the transaction.
    pub conn: &'c mut Conn,
    /// What everybody holds.
    pub app: App,
    /// Where.
    pub workspace: WorkspaceId,
    /// When: one time for all that happens in it.
    pub now: Timestamp,
    by: Arc<By>,
    events: Vec<NewEvent>,
    correlation: Option<CorrelationId>,
    changed: BTreeSet<WebhookId>,
    unchanged: bool,
}

impl Tx<'_> {
    /// Writes down that something happened.
    ///
    /// # Errors
    /// When the data can't be JSON.
    pub fn record(&mut self, event_type: EventType, data: &impl Serialize) -> Result<(), Error> {
        self.record_for(event_type, data, Audience::Subscribers).map(drop)
    }

    /// As [`Tx::record`], by somebody else than whoever does the rest: the clock has caught up.
    ///
    /// # Errors
    /// When the data can't be JSON.
    pub fn record_by(&mut self, by: By, event_type: EventType, data: &impl Serialize) -> Result<(), Error> {
        self.record(event_type, data)?;
        if let Some(event) = self.events.last_mut() {
            event.by = Arc::new(by);
        }
        Ok(())
    }

    /// As [`Tx::record`], for some webhooks only. Returns the event's id.
    ///
    /// # Errors
    /// When the data can't be JSON.
    pub fn record_for(
        &mut self,
        event_type: EventType,
        data: &impl Serialize,
        audience: Audience,
    ) -> Result<EventId, Error> {
        let id = self.app.random.id(self.now);
        self.events.push(NewEvent {
            id,
            event_type,
            by: Arc::clone(&self.by),
            data: serde_json::value::to_raw_value(data)?,
            occurred_at: self.now,
            correlation: self.correlation,
            audience,
        });
        Ok(id)
    }

    /// From here on, all events share one `correlation_id`: one action causes several.
    pub fn correlate(&mut self) {
        self.correlation = Some(self.app.random.id(self.now));
    }

    /// Says that what engines know of a webhook is old: they forget it after the commit, on every node.
    pub fn webhook_changed(&mut self, webhook: WebhookId) {
        self.changed.insert(webhook);
    }

    /// Says that there was nothing to change, so that there is no event.
    pub fn unchanged(&mut self) {
        self.unchanged = true;
    }

    /// Who is doing this, as events show them.
    pub fn actor(&self) -> &EventActor {
        &self.by.actor
    }

    /// Who is doing this, and how it came.
    pub fn by(&self) -> &By {
        &self.by
    }
}

/// Changes the account. Checks inside the transaction that `actor` may (`None`: anybody in the workspace, for what people do
/// to themselves). Returns after the commit is durable.
///
/// # Errors
/// What `work` returns (then nothing is changed), [`Error::Forbidden`], or a fault when `work` changed something without an event.
pub async fn change<T, F>(app: &App, actor: &Actor, permission: Option<Permission>, work: F) -> Result<T, Error>
where
    T: Send + 'static,
    F: for<'t, 'c> FnOnce(&'t mut Tx<'c>) -> BoxFuture<'t, Result<T, Error>> + Send + 'static,
{
    let checked = actor.clone();
    transact(app, actor.workspace, actor.by(), true, move |tx| {
        Box::pin(async move {
            let current = current(tx.conn, &checked).await?;
            let current = Actor { permissions: current.ok_or(Error::Unauthenticated)?, ..checked };
            if let Some(permission) = permission {
                current.require(permission)?;
            }
            work(tx).await
        })
    })
    .await
}

/// The transaction behind [`change`], for the system itself (clocks, set-up, accepting an invite): nobody is checked. Whoever asked
/// may go away at any moment: what was committed is told to the engine and the pages all the same.
///
/// # Errors
/// As [`change`].
pub async fn transact<T, F>(app: &App, workspace: WorkspaceId, by: By, must_record: bool, work: F) -> Result<T, Error>
where
    T: Send + 'static,
    F: for<'t, 'c> FnOnce(&'t mut Tx<'c>) -> BoxFuture<'t, Result<T, Error>> + Send + 'static,
{
    let held = app.clone();
    let task = app.committing.spawn(async move { commit(&held, workspace, by, must_record, work).await });
    task.await.unwrap_or_else(|_| Err(Error::Internal("a change panicked".to_owned())))
}

async fn commit<T, F>(app: &App, workspace: WorkspaceId, by: By, must_record: bool, work: F) -> Result<T, Error>
where
    T: Send + 'static,
    F: for<'t, 'c> FnOnce(&'t mut Tx<'c>) -> BoxFuture<'t, Result<T, Error>> + Send + 'static,
{
    let now = app.clock.now();
    let held = app.clone();
    let (value, events, signals) = app
        .db
        .write(move |conn| {
            Box::pin(async move {
                // One change of a workspace after the other: each sees what those before it did, and none waits for rows that
                // another took in another order.
                db::workspaces::lock(conn, workspace).await?;
                let mut tx = Tx {
                    conn,
                    app: held,
                    workspace,
                    now,
                    by: Arc::new(by),
                    events: Vec::new(),
                    correlation: None,
                    changed: BTreeSet::new(),
                    unchanged: !must_record,
                };
                let value = work(&mut tx).await?;
                if tx.events.is_empty() && !tx.unchanged {
                    return Err(Error::Internal("a change was about to be made without an event".to_owned()));
                }
                let Tx { conn, app, events, changed, .. } = tx;
                let mut signals: Vec<Signal> = changed.iter().copied().map(Signal::Changed).collect();
                if !events.is_empty() {
                    signals.extend(append(&app, conn, workspace, &events).await?.1);
                    nodes::announce(&app, conn, changed).await?;
                }
                Ok::<_, Error>((value, events.len(), signals))
            })
        })
        .await?;
    nodes::wake(app, signals);
    if events > 0 {
        app.known_keys.forget();
        app.metrics.events.add(events);
        app.changed(workspace, "events");
    }
    Ok(value)
}

/// Writes events and their deliveries inside a transaction. The signals are to be sent after the commit, never before.
///
/// Deliveries of active webhooks are leased to this node at once when there is room in memory for all of them; otherwise they
/// are left for the engine to fetch. Those of inactive webhooks are held.
///
/// The time is asked for once the numbers are taken, for which others wait: what is sorted by time stands in the order of the
/// numbers.
///
/// # Errors
/// When the database fails.
pub async fn append(
    app: &App,
    conn: &mut Conn,
    workspace: WorkspaceId,
    events: &[NewEvent],
) -> Result<(Vec<Written>, Vec<Signal>), Error> {
    let first = db::events::take_numbers(conn, workspace, events.len()).await?;
    let (written, deliveries) = db::events::append(conn, workspace, first, app.clock.now(), events).await?;
    let size = |delivery: &NewDelivery| Owed::size(written[delivery.event].body.len());
    let to_send: usize = deliveries.iter().filter(|delivery| delivery.send).map(size).sum();
    let mut places = if to_send == 0 { None } else { app.wake.places.take(workspace, to_send) };
    let due_at = app.database_clock.now();
    let leased_until = due_at.saturating_add(LEASE);
    let leased = places.is_some();
    let row = |delivery: &NewDelivery| {
        let lease = leased && delivery.send;
        DeliveryRow {
            id: DeliveryId::of(events[delivery.event].id, app.random.bytes()),
            delivery: *delivery,
            due_at: if lease { leased_until } else { due_at },
            leased_by: lease.then_some(app.node),
        }
    };
    let rows: Vec<DeliveryRow> = deliveries.iter().map(row).collect();
    db::events::owe(conn, workspace, events, &rows).await?;

    let mut owed = Vec::new();
    let mut due = BTreeSet::new();
    for DeliveryRow { id, delivery, .. } in rows.iter().filter(|row| row.delivery.send) {
        let Some(place) = places.as_mut().and_then(|places| places.split(size(delivery))) else {
            due.insert((workspace, delivery.webhook));
            continue;
        };
        owed.push(Owed {
            id: *id,
            webhook: delivery.webhook,
            workspace,
            event: events[delivery.event].id,
            body: written[delivery.event].body.clone(),
            reason: delivery.reason,
            tries: 0,
            attempts: 0,
            created_at: delivery.created_at,
            leased_until,
            place,
        });
    }
    let mut signals = Vec::new();
    if !owed.is_empty() {
        signals.push(Signal::Owed(owed));
    }
    if !due.is_empty() {
        signals.push(Signal::Due(due));
    }
    Ok((written, signals))
}
