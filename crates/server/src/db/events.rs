//! Events and what they make owed: the heart of every change and every publish.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bellwire_core::{
    catalogue::EventType,
    delivery::Reason,
    event::{Body, By},
    id::{CorrelationId, DeliveryId, EventId, WebhookId, WorkspaceId},
    time::Timestamp,
};
use bytes::Bytes;
use serde_json::value::RawValue;

use super::{
    Conn, DbError,
    dialect::{
        Column::{Int, Text},
        Many,
    },
};

/// An event that is about to be written.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Its id.
    pub id: EventId,
    /// Its type.
    pub event_type: EventType,
    /// Who did it, and how it came.
    pub by: Arc<By>,
    /// What happened, as the catalogue describes it.
    pub data: Box<RawValue>,
    /// When.
    pub occurred_at: Timestamp,
    /// Shared by the events of one action.
    pub correlation: Option<CorrelationId>,
    /// Who gets it.
    pub audience: Audience,
}

/// Who gets an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Every webhook that wants its type.
    Subscribers,
    /// As above, but not the webhook that it is about.
    SubscribersExcept(WebhookId),
    /// One webhook, whatever it wants and whether it is active or not: a test.
    Test(WebhookId),
}

/// An event that was written.
#[derive(Clone, Debug)]
pub struct Written {
    /// Its number in the workspace.
    pub sequence: i64,
    /// What is signed and sent.
    pub body: Bytes,
}

/// One delivery that an event makes owed.
#[derive(Clone, Copy, Debug)]
pub struct NewDelivery {
    /// Index of the event in the list given to [`append`].
    pub event: usize,
    /// To whom.
    pub webhook: WebhookId,
    /// `false` when the webhook is inactive: it is held.
    pub send: bool,
    /// Automatic, or a test.
    pub reason: Reason,
    /// When it became owed: now, or just after the webhook's `cancel_before`, so that it never counts as skipped however the
    /// clocks of the nodes differ.
    pub created_at: Timestamp,
}

const INSERT_EVENTS: Many = Many {
    sqlite: "INSERT OR FAIL INTO events (id, workspace_id, sequence, type, actor, data, occurred_at, created_at, correlation_id, test, origin) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    postgres: "INSERT INTO events (id, workspace_id, sequence, type, actor, data, occurred_at, created_at, correlation_id, test, origin) \
               SELECT * FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::text[], $10::bigint[], $11::text[])",
    columns: &[Text, Text, Int, Text, Text, Text, Int, Int, Text, Int, Text],
};

/// Takes the next numbers of the workspace, for so many events, and returns the first. Whoever else wants some waits until this
/// transaction ends.
///
/// # Errors
/// See [`DbError`].
pub async fn take_numbers(conn: &mut Conn, workspace: WorkspaceId, count: usize) -> Result<i64, DbError> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let sql = "UPDATE workspaces SET sequence = sequence + $2 WHERE id = $1 RETURNING sequence";
    let last: i64 = conn.query_one(sql, &[workspace.into(), count.into()]).await?.get("sequence")?;
    Ok(last - count + 1)
}

/// Writes events with the numbers from `first` on, and says which deliveries they make owed.
///
/// # Errors
/// See [`DbError`].
pub async fn append(
    conn: &mut Conn,
    workspace: WorkspaceId,
    first: i64,
    now: Timestamp,
    events: &[NewEvent],
) -> Result<(Vec<Written>, Vec<NewDelivery>), DbError> {
    let mut written = Vec::with_capacity(events.len());
    let mut rows = Vec::with_capacity(events.len());
    let mut by: Option<(&Arc<By>, Box<RawValue>, String)> = None;
    for (sequence, event) in (first..).zip(events) {
        // Events that are written together are mostly by the same.
        let (_, actor, origin) = match by.take() {
            Some(same) if Arc::ptr_eq(same.0, &event.by) || *same.0 == event.by => by.insert(same),
            _ => by.insert(to_json(&event.by)?),
        };
        let test = matches!(event.audience, Audience::Test(_));
        let body = Body {
            id: event.id,
            event_type: event.event_type.as_str(),
            timestamp: event.occurred_at,
            workspace_id: workspace,
            sequence,
            actor,
            data: &event.data,
            correlation_id: event.correlation,
            test,
        };
        written.push(Written { sequence, body: body.to_bytes().into() });
        rows.push(vec![
            event.id.into(),
            workspace.into(),
            sequence.into(),
            event.event_type.as_str().into(),
            actor.get().into(),
            event.data.get().into(),
            event.occurred_at.into(),
            now.into(),
            event.correlation.into(),
            test.into(),
            origin.as_str().into(),
        ]);
    }
    conn.many(&INSERT_EVENTS, rows).await?;
    Ok((written, owed(conn, workspace, now, events).await?))
}

/// Who did it, and how it came, as they are stored.
fn to_json(by: &Arc<By>) -> Result<(&Arc<By>, Box<RawValue>, String), DbError> {
    let fault = |error: serde_json::Error| DbError::Fault(error.to_string());
    let actor = serde_json::value::to_raw_value(&by.actor).map_err(fault)?;
    Ok((by, actor, serde_json::to_string(&by.origin).map_err(fault)?))
}

async fn owed(
    conn: &mut Conn,
    workspace: WorkspaceId,
    now: Timestamp,
    events: &[NewEvent],
) -> Result<Vec<NewDelivery>, DbError> {
    // What nobody can want is looked for nowhere.
    let types = events.iter().map(|event| event.event_type).filter(|event_type| event_type.entry().subscribable);
    let types: BTreeSet<EventType> = types.collect();
    let mut subscribers: BTreeMap<EventType, Vec<(WebhookId, bool, Timestamp)>> = BTreeMap::new();
    for event_type in types {
        let sql = "SELECT w.id AS id, w.status AS status, ABS(w.cancel_before) AS skipped FROM subscriptions s JOIN webhooks w ON w.id = s.webhook_id \
                   WHERE s.workspace_id = $1 AND s.event_type = $2 AND w.deleted_at IS NULL";
        let rows = conn.query(sql, &[workspace.into(), event_type.as_str().into()]).await?;
        let list = rows
            .iter()
            .map(|row| {
                let skipped: i64 = row.get("skipped")?;
                let created_at = now.max(Timestamp::from_micros(skipped.saturating_add(1)));
                Ok((row.get("id")?, row.get::<String>("status")? == "active", created_at))
            })
            .collect::<Result<_, DbError>>()?;
        subscribers.insert(event_type, list);
    }
    let mut owed = Vec::new();
    for (index, event) in events.iter().enumerate() {
        if let Audience::Test(webhook) = event.audience {
            owed.push(NewDelivery { event: index, webhook, send: true, reason: Reason::Test, created_at: now });
            continue;
        }
        for &(webhook, send, created_at) in subscribers.get(&event.event_type).into_iter().flatten() {
            if event.audience != Audience::SubscribersExcept(webhook) {
                owed.push(NewDelivery { event: index, webhook, send, reason: Reason::Automatic, created_at });
            }
        }
    }
    Ok(owed)
}

const INSERT_DELIVERIES: Many = Many {
    sqlite: "INSERT OR FAIL INTO deliveries (id, workspace_id, webhook_id, event_id, event_type, state, due_at, leased_by, reason, created_at, updated_at, apart) \
             VALUES ($1, $2, $3, $4, $5, 'pending', $6, $7, $8, $9, $10, 0)",
    postgres: "INSERT INTO deliveries (id, workspace_id, webhook_id, event_id, event_type, state, due_at, leased_by, reason, created_at, updated_at, apart) \
               SELECT a, b, c, d, e, 'pending', f, g, h, i, j, 0 \
               FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::bigint[], $10::bigint[]) AS t (a, b, c, d, e, f, g, h, i, j)",
    columns: &[Text, Text, Text, Text, Text, Int, Text, Text, Int, Int],
};

/// A delivery with its id and when it is looked at next: the end of the lease when a node has it in memory.
#[derive(Clone, Copy, Debug)]
pub struct DeliveryRow {
    /// Its id, made with [`DeliveryId::of`].
    pub id: DeliveryId,
    /// What it is.
    pub delivery: NewDelivery,
    /// When to look at it next.
    pub due_at: Timestamp,
    /// The node that has it in memory.
    pub leased_by: Option<bellwire_core::id::NodeId>,
}

/// Writes deliveries.
///
/// # Errors
/// See [`DbError`].
pub async fn owe(
    conn: &mut Conn,
    workspace: WorkspaceId,
    events: &[NewEvent],
    deliveries: &[DeliveryRow],
) -> Result<(), DbError> {
    let rows = deliveries.iter().filter_map(|row| {
        let event = events.get(row.delivery.event)?;
        Some(vec![
            row.id.into(),
            workspace.into(),
            row.delivery.webhook.into(),
            event.id.into(),
            event.event_type.as_str().into(),
            row.due_at.into(),
            row.leased_by.into(),
            row.delivery.reason.as_str().into(),
            row.delivery.created_at.into(),
            row.delivery.created_at.into(),
        ])
    });
    conn.many(&INSERT_DELIVERIES, rows.collect()).await?;
    Ok(())
}
