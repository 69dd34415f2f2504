//! Deliveries as people see them, and what people do with them: send again, skip.
//!
//! What is stored and what is shown differ in two ways, and [`STATE`] is the one place that knows: a pending delivery of an
//! inactive webhook is `held`, and one that was skipped (or whose webhook was deleted) is `cancelled` even before anybody has
//! written that down. So turning a webhook off or skipping a million missed events changes one row.
//!
//! A resend keeps aside what it interrupts (`prior_state`, `prior_due_at`), so that a resend that fails takes nothing away. It
//! never touches a delivery that is in flight: the answer to that one is as good.

use bellwire_core::{
    delivery::{Reason, State},
    id::{DeliveryId, EventId, WebhookId, WorkspaceId},
    time::Timestamp,
};
use serde::Serialize;

use super::{
    Conn, DbError, Row,
    dialect::{
        Column::{Int, Text},
        FOUND, Many,
    },
    page::{self, Filter, Listing, Page, PageRequest, Sieve},
    status_changes::Status,
};

/// The state that is shown, in SQL, for a row of `deliveries d` joined with its `webhooks w`.
pub const STATE: &str = "CASE WHEN d.state <> 'pending' THEN d.state \
     WHEN w.deleted_at IS NOT NULL THEN 'cancelled' \
     WHEN d.reason = 'test' THEN 'pending' \
     WHEN d.reason = 'automatic' AND d.created_at <= w.cancel_before THEN 'cancelled' \
     WHEN w.status = 'inactive' THEN 'held' \
     ELSE 'pending' END";

/// One event owed to one webhook.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// To whom.
    pub webhook_id: WebhookId,
    /// Of what.
    pub event_id: EventId,
    /// The event's type.
    pub event_type: String,
    /// How it stands.
    pub state: State,
    /// Why the last attempt was made, or the next one will be.
    pub reason: Reason,
    /// How many attempts were made.
    pub attempt_count: u32,
    /// When the next attempt is due; null when none is, or when one is being made now.
    pub next_attempt_at: Option<Timestamp>,
    /// The last attempt; null before the first.
    pub last_attempt: Option<LastAttempt>,
    /// When it became owed.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
}

/// The last attempt of a delivery, in short.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct LastAttempt {
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: f64,
    /// The status of the answer; null when there was none.
    pub status: Option<u32>,
    /// Why there was no whole answer, in words.
    pub error: Option<String>,
}

/// A delivery and what must be known to send it again.
#[derive(Clone, Debug)]
pub struct Record {
    /// What is shown.
    pub delivery: Delivery,
    /// Whether its webhook is active; `None` when it was deleted.
    pub webhook_status: Option<Status>,
}

/// The order of the lists: by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByTime;

impl page::Sort for ByTime {
    fn name(self) -> &'static str {
        "created_at"
    }

    fn column(self) -> &'static str {
        "d.created_at"
    }

    fn is_number(self) -> bool {
        true
    }

    fn id(self) -> &'static str {
        "d.id"
    }
}

/// Which deliveries to list.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only those of this state.
    pub state: Option<State>,
    /// Only those of events of this type: an exact name.
    pub event_type: Option<String>,
    /// Only those made at this time or later.
    pub since: Option<Timestamp>,
    /// Only those made before this time.
    pub until: Option<Timestamp>,
    /// No tests: only what really happened.
    pub no_tests: bool,
}

const FROM: &str = "deliveries d JOIN webhooks w ON w.id = d.webhook_id \
     LEFT JOIN attempts a ON a.delivery_id = d.id AND a.number = d.attempts";

/// The ids of the deliveries of event `$1`: in the range of [`DeliveryId::all_of`], and those that were made before there was one.
const OF_EVENT: &str = "SELECT id FROM deliveries WHERE id BETWEEN $2 AND $3 AND event_id = $1 \
     UNION ALL SELECT id FROM deliveries WHERE event_id = $1 AND apart = 1";

fn columns() -> String {
    format!(
        "d.id AS id, d.webhook_id AS webhook_id, d.event_id AS event_id, d.event_type AS event_type, {STATE} AS state, \
         d.reason AS reason, d.attempts AS attempts, d.due_at AS due_at, d.leased_by AS leased_by, \
         d.created_at AS created_at, d.updated_at AS updated_at, w.status AS webhook_status, \
         w.deleted_at AS webhook_deleted_at, a.started_at AS started_at, a.duration AS duration, a.status AS status, \
         a.message AS message"
    )
}

fn read(row: &Row) -> Result<Record, DbError> {
    let state: State = row.parse("state")?;
    let leased = row.get::<Option<String>>("leased_by")?.is_some();
    let due_at: Timestamp = row.get("due_at")?;
    let last_attempt = match row.get::<Option<Timestamp>>("started_at")? {
        None => None,
        Some(started_at) => Some(LastAttempt {
            started_at,
            duration_ms: milliseconds(row.get("duration")?),
            status: row.get("status")?,
            error: row.get("message")?,
        }),
    };
    let deleted = row.get::<Option<Timestamp>>("webhook_deleted_at")?.is_some();
    Ok(Record {
        delivery: Delivery {
            id: row.get("id")?,
            webhook_id: row.get("webhook_id")?,
            event_id: row.get("event_id")?,
            event_type: row.get("event_type")?,
            state,
            reason: row.parse("reason")?,
            attempt_count: row.get("attempts")?,
            next_attempt_at: (state == State::Pending && !leased).then_some(due_at),
            last_attempt,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
        },
        webhook_status: if deleted { None } else { Some(row.parse("webhook_status")?) },
    })
}

/// One page of a webhook's deliveries.
///
/// # Errors
/// See [`DbError`].
pub async fn list(
    conn: &mut Conn,
    webhook: WebhookId,
    wanted: &Wanted,
    request: &PageRequest<ByTime>,
) -> Result<Page<Delivery>, DbError> {
    page::list(conn, listing(webhook, wanted), request, |row| Ok(read(row)?.delivery)).await
}

pub(super) fn listing(webhook: WebhookId, wanted: &Wanted) -> Listing {
    let mut filter = Filter::default();
    let mut sieve = Sieve::new("deliveries d");
    filter.and("d.webhook_id = $?", webhook);
    if let Some(state) = wanted.state {
        sieve.and(&format!("{STATE} = $?"), state.as_str());
        // What is shown under these states is stored under the same word or as pending: an index knows the pending ones.
        match state {
            State::Pending | State::Held => sieve.and_always("d.state = 'pending'"),
            State::Delivered | State::Failed => sieve.and("d.state = $?", state.as_str()),
            State::Cancelled => {}
        }
    }
    if let Some(event_type) = &wanted.event_type {
        sieve.and("d.event_type = $?", event_type);
    }
    if wanted.no_tests {
        sieve.and_always("NOT EXISTS (SELECT 1 FROM events e WHERE e.id = d.event_id AND e.test = 1)");
    }
    if let Some(since) = wanted.since {
        filter.and("d.created_at >= $?", since);
    }
    if let Some(until) = wanted.until {
        filter.and("d.created_at < $?", until);
    }
    Listing::new(columns(), FROM, filter).sifted(sieve)
}

/// How many deliveries of a webhook are wanted; counts no further than `limit`.
///
/// # Errors
/// See [`DbError`].
pub async fn wanted_count(conn: &mut Conn, webhook: WebhookId, wanted: &Wanted, limit: u32) -> Result<u32, DbError> {
    let filter = listing(webhook, wanted).whole();
    page::count_up_to(conn, "deliveries d JOIN webhooks w ON w.id = d.webhook_id", filter, limit).await
}

/// The deliveries of an event, in the order in which they became owed; at most `limit`.
///
/// # Errors
/// See [`DbError`].
pub async fn of_event(conn: &mut Conn, event: EventId, limit: u32) -> Result<Vec<Delivery>, DbError> {
    let sql = format!("SELECT {} FROM {FROM} WHERE d.id IN ({OF_EVENT}) ORDER BY d.id LIMIT $4", columns());
    let range = DeliveryId::all_of(event);
    let parameters = [event.into(), (*range.start()).into(), (*range.end()).into(), i64::from(limit).into()];
    let rows = conn.query(&sql, &parameters).await?;
    rows.iter().map(|row| Ok(read(row)?.delivery)).collect()
}

/// One delivery of the workspace.
///
/// # Errors
/// See [`DbError`].
pub async fn get(conn: &mut Conn, workspace: WorkspaceId, id: DeliveryId) -> Result<Option<Record>, DbError> {
    let sql = format!("SELECT {} FROM {FROM} WHERE d.id = $1 AND d.workspace_id = $2", columns());
    conn.query_opt(&sql, &[id.into(), workspace.into()]).await?.as_ref().map(read).transpose()
}

/// The delivery that a test made.
///
/// # Errors
/// See [`DbError`].
pub async fn of_test(conn: &mut Conn, event: EventId) -> Result<Option<DeliveryId>, DbError> {
    let range = DeliveryId::all_of(event);
    let row = conn.query_opt(OF_EVENT, &[event.into(), (*range.start()).into(), (*range.end()).into()]).await?;
    row.map(|row| row.get("id")).transpose()
}

/// How many events are held for a webhook; counts no further than `limit`.
///
/// # Errors
/// See [`DbError`].
pub async fn held_count(conn: &mut Conn, webhook: WebhookId, limit: u32) -> Result<u64, DbError> {
    count(conn, webhook, "= 'held'", limit).await
}

/// How many deliveries are still owed to a webhook, held ones too; counts no further than `limit`.
///
/// # Errors
/// See [`DbError`].
pub async fn owed_count(conn: &mut Conn, webhook: WebhookId, limit: u32) -> Result<u64, DbError> {
    count(conn, webhook, "IN ('pending', 'held')", limit).await
}

async fn count(conn: &mut Conn, webhook: WebhookId, states: &str, limit: u32) -> Result<u64, DbError> {
    let sql = format!(
        "SELECT COUNT(*) AS total FROM (SELECT 1 AS one FROM deliveries d JOIN webhooks w ON w.id = d.webhook_id \
         WHERE d.webhook_id = $1 AND d.state = 'pending' AND {STATE} {states} LIMIT $2) AS counted"
    );
    let total: i64 = conn.query_one(&sql, &[webhook.into(), i64::from(limit).into()]).await?.get("total")?;
    Ok(total.unsigned_abs())
}

/// When the newest delivery of a webhook was made.
///
/// # Errors
/// See [`DbError`].
pub async fn newest(conn: &mut Conn, webhook: WebhookId) -> Result<Option<Timestamp>, DbError> {
    let sql = "SELECT MAX(created_at) AS newest FROM deliveries WHERE webhook_id = $1";
    conn.query_one(sql, &[webhook.into()]).await?.get("newest")
}

// In both: what is leased and not yet due is in flight; what is pending by hand will be sent anyway.
const RESEND: Many = Many {
    sqlite: "UPDATE deliveries SET prior_state = $2, prior_due_at = due_at, state = 'pending', reason = 'resend', \
             due_at = $3, leased_by = NULL, updated_at = $3 \
             WHERE id = $1 AND (leased_by IS NULL OR due_at <= $3) AND NOT (state = 'pending' AND reason <> 'automatic')",
    postgres: "UPDATE deliveries d SET prior_state = t.b, prior_due_at = d.due_at, state = 'pending', reason = 'resend', \
               due_at = t.c, leased_by = NULL, updated_at = t.c \
               FROM UNNEST($1::text[], $2::text[], $3::bigint[]) AS t (a, b, c) \
               WHERE d.id = t.a AND (d.leased_by IS NULL OR d.due_at <= t.c) \
               AND NOT (d.state = 'pending' AND d.reason <> 'automatic')",
    columns: &[Text, Text, Int],
};

/// Makes deliveries of an active webhook due at once, by hand; `shown` is the state that each had before. Those that are in
/// flight, or wait to be sent by hand already, are left alone. Returns how many were changed.
///
/// # Errors
/// See [`DbError`].
pub async fn resend(conn: &mut Conn, shown: &[(DeliveryId, State)], now: Timestamp) -> Result<u64, DbError> {
    let rows = shown.iter().map(|(id, state)| vec![(*id).into(), state.as_str().into(), now.into()]);
    conn.many(&RESEND, rows.collect()).await
}

/// Writes down that what was skipped, or is owed to a deleted webhook, is cancelled: at most `limit` deliveries, none that is
/// in flight. Returns how many; zero when there is nothing left to do.
///
/// # Errors
/// See [`DbError`].
pub async fn cancel_skipped(conn: &mut Conn, now: Timestamp, limit: u32) -> Result<u64, DbError> {
    // Hops from webhook to webhook through the index of what is pending.
    let sql = "WITH RECURSIVE owed (webhook_id) AS ( \
                 SELECT MIN(webhook_id) FROM deliveries WHERE state = 'pending' \
                 UNION ALL \
                 SELECT (SELECT MIN(d.webhook_id) FROM deliveries d WHERE d.state = 'pending' AND d.webhook_id > o.webhook_id) \
                 FROM owed o WHERE o.webhook_id IS NOT NULL) \
               SELECT w.id AS id, w.cancel_before AS cancel_before, w.deleted_at AS deleted_at \
               FROM owed o JOIN webhooks w ON w.id = o.webhook_id WHERE w.deleted_at IS NOT NULL OR w.cancel_before > 0";
    let mut left = i64::from(limit);
    for row in conn.query(sql, &[]).await? {
        if left <= 0 {
            break;
        }
        let (id, cancel_before): (WebhookId, Timestamp) = (row.get("id")?, row.get("cancel_before")?);
        let deleted = row.get::<Option<Timestamp>>("deleted_at")?.is_some();
        let which =
            if deleted { "CAST($2 AS BIGINT) IS NOT NULL" } else { "reason = 'automatic' AND created_at <= $2" };
        let [begin, end] = FOUND.map(|part| part.of(conn));
        let sql = format!(
            "UPDATE deliveries SET state = 'cancelled', leased_by = NULL, updated_at = $3 WHERE id {begin}\
               SELECT id FROM deliveries WHERE webhook_id = $1 AND state = 'pending' AND {which} \
               AND (leased_by IS NULL OR due_at <= $3) LIMIT $4{end} AND state = 'pending'"
        );
        let cancelled = conn.execute(&sql, &[id.into(), cancel_before.into(), now.into(), left.into()]).await?;
        left -= i64::try_from(cancelled).unwrap_or(i64::MAX);
        if !deleted {
            // Written down entirely: from here on this webhook is passed over. What is in flight might still come back.
            let sql = "UPDATE webhooks SET cancel_before = -cancel_before WHERE id = $1 AND cancel_before = $2 \
                       AND NOT EXISTS (SELECT 1 FROM deliveries WHERE webhook_id = $1 AND state = 'pending' \
                                       AND created_at <= $2)";
            conn.execute(sql, &[id.into(), cancel_before.into()]).await?;
        }
    }
    Ok((i64::from(limit) - left).unsigned_abs())
}

/// An exchange lasts seconds: far less than a `u32` of microseconds, which is more than an hour.
fn milliseconds(micros: i64) -> f64 {
    f64::from(u32::try_from(micros.max(0)).unwrap_or(u32::MAX)) / 1000.0
}
