//! Leases: which node has which pending deliveries in memory, and until when.
//!
//! A pending delivery is due at `due_at`. A node that takes it moves `due_at` to the end of its lease and writes itself into
//! `leased_by`; if the node dies, the delivery is due again when the lease ends, and needs no rescuer. `held` and "skipped" are
//! not stored: a claim passes over the deliveries of inactive webhooks and those made until `cancel_before`, except tests
//! and what somebody resends.
//!
//! Claims lock what they find and pass over the rows that another node has locked: two nodes of PostgreSQL never wait for each
//! other, and never both get a delivery.

use std::collections::BTreeMap;

use bellwire_core::{
    delivery::Reason,
    event::Body,
    id::{DeliveryId, EventId, NodeId, WebhookId, WorkspaceId},
    time::Timestamp,
};
use bytes::Bytes;
use serde_json::value::RawValue;

use super::{
    Conn, DbError, Row, Value,
    dialect::{
        Column::{Int, Text},
        Many, SKIP_LOCKED, Twofold,
    },
};

/// A delivery that was claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Which.
    pub id: DeliveryId,
    /// To whom.
    pub webhook: WebhookId,
    /// Where.
    pub workspace: WorkspaceId,
    /// The event.
    pub event: EventId,
    /// Why the next attempt is made.
    pub reason: Reason,
    /// Automatic attempts made so far.
    pub tries: u32,
    /// All attempts made so far.
    pub attempts: u32,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Claimed {
    /// What [`Claimed::read`] needs.
    const COLUMNS: &str = "id, webhook_id, workspace_id, event_id, reason, tries, attempts, created_at";

    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.get("id")?,
            webhook: row.get("webhook_id")?,
            workspace: row.get("workspace_id")?,
            event: row.get("event_id")?,
            reason: row.parse("reason")?,
            tries: row.get("tries")?,
            attempts: row.get("attempts")?,
            created_at: row.get("created_at")?,
        })
    }
}

/// What a claim for one webhook got.
#[derive(Clone, Debug)]
pub struct Claim {
    /// For whom.
    pub webhook: WebhookId,
    /// No more than there was room for, in the order of their ids.
    pub deliveries: Vec<Claimed>,
    /// When to look again: the earliest `due_at` that is left, leases too. `None` when nothing is left or the webhook is not active,
    /// and when there was no room for more: then there may be.
    pub next: Option<Timestamp>,
}

const LEASED: Many = Many {
    sqlite: "UPDATE deliveries SET due_at = $2, leased_by = $3 WHERE id = $1",
    postgres: "UPDATE deliveries d SET due_at = t.b, leased_by = t.c \
               FROM UNNEST($1::text[], $2::bigint[], $3::text[]) AS t (a, b, c) WHERE d.id = t.a",
    columns: &[Text, Int, Text],
};

/// Leases due deliveries of some webhooks to `node` until `until`, the longest due first: of each up to as many as are wished for.
/// Returns a claim for each wish, in their order.
///
/// # Errors
/// See [`DbError`].
pub async fn claim(
    conn: &mut Conn,
    node: NodeId,
    wishes: &[(WebhookId, u32)],
    now: Timestamp,
    until: Timestamp,
) -> Result<Vec<Claim>, DbError> {
    let mut claims = Vec::with_capacity(wishes.len());
    let mut full = Vec::with_capacity(wishes.len());
    for (webhook, room) in wishes {
        let sql = "SELECT cancel_before FROM webhooks WHERE id = $1 AND status = 'active' AND deleted_at IS NULL";
        let mut claim = Claim { webhook: *webhook, deliveries: Vec::new(), next: None };
        if let Some(row) = conn.query_opt(sql, &[(*webhook).into()]).await? {
            let sql = format!(
                "SELECT {} FROM deliveries d WHERE d.webhook_id = $1 AND d.state = 'pending' AND d.due_at <= $2 \
                 AND (d.created_at > $3 OR d.reason <> 'automatic') ORDER BY d.due_at, d.id LIMIT $4{}",
                Claimed::COLUMNS,
                SKIP_LOCKED.of(conn)
            );
            let cancel_before: Timestamp = row.get("cancel_before")?;
            let parameters = [(*webhook).into(), now.into(), cancel_before.into(), i64::from(*room).into()];
            claim.deliveries = claimed(&conn.query(&sql, &parameters).await?)?;
            full.push(claim.deliveries.len() >= *room as usize);
        } else {
            full.push(true);
        }
        claims.push(claim);
    }
    lease(conn, node, &claims, until).await?;
    for (claim, _) in claims.iter_mut().zip(full).filter(|(_, full)| !full) {
        let sql =
            "SELECT MIN(due_at) AS due_at FROM deliveries WHERE webhook_id = $1 AND state = 'pending' AND due_at > $2";
        claim.next = conn.query_one(sql, &[claim.webhook.into(), now.into()]).await?.get("due_at")?;
    }
    Ok(claims)
}

fn claimed(rows: &[Row]) -> Result<Vec<Claimed>, DbError> {
    let mut claimed = rows.iter().map(Claimed::read).collect::<Result<Vec<_>, _>>()?;
    claimed.sort_unstable_by_key(|claimed| claimed.id);
    Ok(claimed)
}

/// Writes the leases of what was found, all in the order of their ids: what lies beside each other is written together.
async fn lease(conn: &mut Conn, node: NodeId, claims: &[Claim], until: Timestamp) -> Result<(), DbError> {
    let mut ids: Vec<DeliveryId> = claims.iter().flat_map(|claim| &claim.deliveries).map(|it| it.id).collect();
    ids.sort_unstable();
    let rows = ids.into_iter().map(|id| vec![id.into(), until.into(), node.into()]).collect();
    conn.many(&LEASED, rows).await.map(drop)
}

/// As [`claim`], for the tests of all webhooks: they are sent to inactive ones too.
///
/// # Errors
/// See [`DbError`].
pub async fn claim_tests(
    conn: &mut Conn,
    node: NodeId,
    now: Timestamp,
    until: Timestamp,
    room: u32,
) -> Result<Vec<Claim>, DbError> {
    let sql = format!(
        "SELECT {} FROM deliveries d WHERE d.state = 'pending' AND d.reason = 'test' AND d.due_at <= $1 \
         AND EXISTS (SELECT 1 FROM webhooks w WHERE w.id = d.webhook_id AND w.deleted_at IS NULL) \
         ORDER BY d.due_at LIMIT $2{}",
        Claimed::COLUMNS,
        SKIP_LOCKED.of(conn)
    );
    let mut claims: BTreeMap<WebhookId, Vec<Claimed>> = BTreeMap::new();
    for claimed in claimed(&conn.query(&sql, &[now.into(), i64::from(room).into()]).await?)? {
        claims.entry(claimed.webhook).or_default().push(claimed);
    }
    let claims = claims.into_iter().map(|(webhook, deliveries)| Claim { webhook, deliveries, next: None });
    let claims: Vec<Claim> = claims.collect();
    lease(conn, node, &claims, until).await?;
    Ok(claims)
}

/// The webhooks that tests are owed to, and when these are due: at most `limit`, the longest due first.
///
/// # Errors
/// See [`DbError`].
pub async fn pending_tests(conn: &mut Conn, limit: u32) -> Result<Vec<(WorkspaceId, WebhookId, Timestamp)>, DbError> {
    let sql = "SELECT workspace_id, webhook_id, due_at FROM deliveries WHERE state = 'pending' AND reason = 'test' \
               ORDER BY due_at LIMIT $1";
    let rows = conn.query(sql, &[i64::from(limit).into()]).await?;
    rows.iter().map(|row| Ok((row.get("workspace_id")?, row.get("webhook_id")?, row.get("due_at")?))).collect()
}

const BODIES: Twofold = Twofold {
    sqlite: "SELECT id, workspace_id, sequence, type, actor, data, occurred_at, correlation_id, test FROM events \
             WHERE id IN (SELECT value FROM json_each($1))",
    postgres: "SELECT id, workspace_id, sequence, type, actor, data, occurred_at, correlation_id, test FROM events \
               WHERE id = ANY(ARRAY(SELECT json_array_elements_text($1::text::json)))",
};

/// The bodies of events. Those that were pruned are missing.
///
/// # Errors
/// See [`DbError`].
pub async fn bodies(conn: &mut Conn, events: &[EventId]) -> Result<Vec<(EventId, Bytes)>, DbError> {
    let events = serde_json::to_string(events).map_err(|error| DbError::Fault(error.to_string()))?;
    let rows = conn.query(BODIES.of(conn), &[events.into()]).await?;
    rows.iter().map(to_body).collect()
}

/// The same bytes as when the event was written.
fn to_body(row: &Row) -> Result<(EventId, Bytes), DbError> {
    let raw = |column: &str| {
        RawValue::from_string(row.get(column)?).map_err(|error| DbError::corrupt(column, &error.to_string()))
    };
    let (actor, data) = (raw("actor")?, raw("data")?);
    // A newer node may know types that this one doesn't.
    let (id, event_type): (EventId, String) = (row.get("id")?, row.get("type")?);
    let body = Body {
        id,
        event_type: &event_type,
        timestamp: row.get("occurred_at")?,
        workspace_id: row.get("workspace_id")?,
        sequence: row.get("sequence")?,
        actor: &actor,
        data: &data,
        correlation_id: row.get("correlation_id")?,
        test: row.get("test")?,
    };
    Ok((id, body.to_bytes().into()))
}

const DELIVERED: Many = Many {
    sqlite: "UPDATE deliveries SET state = 'delivered', leased_by = NULL, prior_state = NULL, prior_due_at = NULL, \
             tries = MAX(tries, $2), attempts = MAX(attempts, $3), updated_at = $4 WHERE id = $1",
    postgres: "UPDATE deliveries d SET state = 'delivered', leased_by = NULL, prior_state = NULL, prior_due_at = NULL, \
               tries = GREATEST(d.tries, t.b), attempts = GREATEST(d.attempts, t.c), updated_at = t.d \
               FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::bigint[]) AS t (a, b, c, d) WHERE d.id = t.a",
    columns: &[Text, Int, Int, Int],
};

const UNDELIVERED: Many = Many {
    sqlite: "UPDATE deliveries SET state = $2, due_at = $3, leased_by = NULL, reason = 'automatic', prior_state = NULL, \
             prior_due_at = NULL, tries = $4, attempts = $5, updated_at = $6 \
             WHERE id = $1 AND leased_by = $7 AND due_at = $8 AND state = 'pending'",
    postgres: "UPDATE deliveries d SET state = t.b, due_at = t.c, leased_by = NULL, reason = 'automatic', prior_state = NULL, \
               prior_due_at = NULL, tries = t.d, attempts = t.e, updated_at = t.f \
               FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::bigint[]) \
               AS t (a, b, c, d, e, f, g, h) \
               WHERE d.id = t.a AND d.leased_by = t.g AND d.due_at = t.h AND d.state = 'pending'",
    columns: &[Text, Text, Int, Int, Int, Int, Text, Int],
};

const RESTORED: Many = Many {
    sqlite: "UPDATE deliveries SET state = COALESCE(prior_state, 'pending'), due_at = COALESCE(prior_due_at, $2), \
             leased_by = NULL, reason = 'automatic', prior_state = NULL, prior_due_at = NULL, attempts = $3, updated_at = $2 \
             WHERE id = $1 AND leased_by = $4 AND due_at = $5 AND state = 'pending'",
    postgres: "UPDATE deliveries d SET state = COALESCE(d.prior_state, 'pending'), due_at = COALESCE(d.prior_due_at, t.b), \
               leased_by = NULL, reason = 'automatic', prior_state = NULL, prior_due_at = NULL, attempts = t.c, updated_at = t.b \
               FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[]) AS t (a, b, c, d, e) \
               WHERE d.id = t.a AND d.leased_by = t.d AND d.due_at = t.e AND d.state = 'pending'",
    columns: &[Text, Int, Int, Text, Int],
};

/// Attempts that were made all the same.
const MADE: Many = Many {
    sqlite: "UPDATE deliveries SET attempts = $2 WHERE id = $1 AND attempts < $2",
    postgres: "UPDATE deliveries d SET attempts = t.b \
               FROM (SELECT a, MAX(b) AS b FROM UNNEST($1::text[], $2::bigint[]) AS u (a, b) GROUP BY a) t \
               WHERE d.id = t.a AND d.attempts < t.b",
    columns: &[Text, Int],
};

const RELEASED: Many = Many {
    sqlite: "UPDATE deliveries SET due_at = $2, leased_by = NULL \
             WHERE id = $1 AND leased_by = $3 AND due_at = $4 AND state = 'pending'",
    postgres: "UPDATE deliveries d SET due_at = t.b, leased_by = NULL \
               FROM UNNEST($1::text[], $2::bigint[], $3::text[], $4::bigint[]) AS t (a, b, c, d) \
               WHERE d.id = t.a AND d.leased_by = t.c AND d.due_at = t.d AND d.state = 'pending'",
    columns: &[Text, Int, Text, Int],
};

/// What becomes of one delivery; see [`bellwire_core::delivery::Next`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Delivered, whoever holds the lease.
    Delivered,
    /// Pending; due at this time.
    Retry(Timestamp),
    /// Failed.
    Failed,
    /// As it was before the attempt; what was pending by the schedule is due now.
    Restored,
}

/// A delivery that was leased to a node. When it ends is what tells a lease from a later one of the same node, which may have taken the
/// delivery again before it wrote down what became of it.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// When it ends: the delivery's `due_at`.
    pub until: Timestamp,
}

/// One delivery after an attempt.
#[derive(Clone, Copy, Debug)]
pub struct Settled {
    /// Which, and the lease under which the attempt was made.
    pub lease: Lease,
    /// What becomes of it.
    pub fate: Fate,
    /// Automatic attempts made, this one included.
    pub tries: u32,
    /// All attempts made, this one included.
    pub attempts: u32,
    /// When the attempt ended.
    pub at: Timestamp,
}

/// Writes what became of deliveries, and gives the leases back. When a lease is not that any more, because the delivery was cancelled or
/// taken again, only a success is written, and how many attempts there were.
///
/// # Errors
/// See [`DbError`].
pub async fn settle(conn: &mut Conn, node: NodeId, settled: &[Settled]) -> Result<(), DbError> {
    let (mut delivered, mut undelivered, mut restored) = (Vec::with_capacity(settled.len()), Vec::new(), Vec::new());
    let mut made = Vec::new();
    for Settled { lease, fate, tries, attempts, at } in settled {
        let (id, until): (Value, Value) = (lease.delivery.into(), lease.until.into());
        let (tries, attempts): (Value, Value) = ((*tries).into(), (*attempts).into());
        if *fate != Fate::Delivered {
            made.push(vec![id.clone(), attempts.clone()]);
        }
        match fate {
            Fate::Delivered => delivered.push(vec![id, tries, attempts, (*at).into()]),
            Fate::Restored => restored.push(vec![id, (*at).into(), attempts, node.into(), until]),
            Fate::Retry(due) => {
                let row = vec![id, "pending".into(), (*due).into(), tries, attempts, (*at).into(), node.into(), until];
                undelivered.push(row);
            }
            Fate::Failed => {
                let row = vec![id, "failed".into(), (*at).into(), tries, attempts, (*at).into(), node.into(), until];
                undelivered.push(row);
            }
        }
    }
    conn.many(&DELIVERED, delivered).await?;
    let ours = conn.many(&UNDELIVERED, undelivered).await? + conn.many(&RESTORED, restored).await?;
    if ours < made.len() as u64 {
        conn.many(&MADE, made).await?;
    }
    Ok(())
}

/// Gives leases back without an attempt: the deliveries are due again at `due`.
///
/// # Errors
/// See [`DbError`].
pub async fn release(conn: &mut Conn, node: NodeId, leases: &[Lease], due: Timestamp) -> Result<(), DbError> {
    let row = |lease: &Lease| vec![lease.delivery.into(), due.into(), node.into(), lease.until.into()];
    conn.many(&RELEASED, leases.iter().map(row).collect()).await.map(drop)
}

/// What is pending of one webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Which.
    pub webhook: WebhookId,
    /// Where; `None` when there is no such webhook.
    pub workspace: Option<WorkspaceId>,
    /// The earliest `due_at`: a time that has passed, a retry's time, or the end of a lease.
    pub due_at: Timestamp,
    /// Whether it is active: what is due can be sent.
    pub active: bool,
}

/// The webhooks after `after` that have something pending, in the order of their ids; at most `limit`.
///
/// One step in an index for each webhook, however many deliveries it has.
///
/// # Errors
/// See [`DbError`].
pub async fn pending(conn: &mut Conn, after: Option<WebhookId>, limit: u32) -> Result<Vec<Pending>, DbError> {
    let sql = "WITH RECURSIVE walk (id, n) AS (\
                 SELECT (SELECT MIN(webhook_id) FROM deliveries WHERE state = 'pending' AND webhook_id > $1), CAST(1 AS BIGINT) \
                 UNION ALL \
                 SELECT (SELECT MIN(webhook_id) FROM deliveries WHERE state = 'pending' AND webhook_id > walk.id), n + 1 \
                 FROM walk WHERE walk.id IS NOT NULL AND n < CAST($2 AS BIGINT)) \
               SELECT walk.id AS id, \
                 (SELECT MIN(due_at) FROM deliveries WHERE state = 'pending' AND webhook_id = walk.id) AS due_at, \
                 w.workspace_id AS workspace_id, w.status AS status, w.deleted_at AS deleted_at \
               FROM walk LEFT JOIN webhooks w ON w.id = walk.id WHERE walk.id IS NOT NULL ORDER BY walk.id";
    let after = after.map_or_else(String::new, |id| id.to_string());
    let rows = conn.query(sql, &[after.into(), i64::from(limit).into()]).await?;
    rows.iter()
        .map(|row| {
            let status: Option<String> = row.get("status")?;
            let deleted: Option<Timestamp> = row.get("deleted_at")?;
            let active = deleted.is_none() && status.as_deref() == Some("active");
            Ok(Pending {
                webhook: row.get("id")?,
                workspace: row.get("workspace_id")?,
                due_at: row.get("due_at")?,
                active,
            })
        })
        .collect()
}

/// Ends the leases that other nodes hold on deliveries of these webhooks: when it is known that no other node lives, which
/// on SQLite is always so, for one process owns the file. Returns how many there were.
///
/// # Errors
/// See [`DbError`].
pub async fn end_leases_of_others(
    conn: &mut Conn,
    node: NodeId,
    webhooks: &[WebhookId],
    now: Timestamp,
) -> Result<u64, DbError> {
    let sql = "UPDATE deliveries SET due_at = $1, leased_by = NULL \
               WHERE webhook_id = $2 AND state = 'pending' AND due_at > $1 AND leased_by <> $3";
    let mut ended = 0;
    for webhook in webhooks {
        ended += conn.execute(sql, &[now.into(), (*webhook).into(), node.into()]).await?;
    }
    Ok(ended)
}
