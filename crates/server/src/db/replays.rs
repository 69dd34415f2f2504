//! Replays: what somebody sends again, many deliveries at a time, and how far that is.
//!
//! `paused` is not stored: it is a running replay of an inactive webhook.

use std::{fmt, str::FromStr};

use bellwire_core::{
    delivery::State,
    event::EventActor,
    id::{ReplayId, WebhookId, WorkspaceId},
    time::Timestamp,
};
use serde::Serialize;

use super::{
    Conn, DbError, Row, Value,
    page::{self, Filter, Listing, Page, PageRequest, Sort},
    status_changes::json,
};

/// How a replay stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReplayStatus {
    /// It goes on.
    Running,
    /// It goes on when the webhook is turned on.
    Paused,
    /// All deliveries were looked at.
    Done,
    /// Somebody ended it, or the webhook was deleted. What was sent again until then stays so.
    Cancelled,
}

impl ReplayStatus {
    const ALL: [Self; 4] = [Self::Running, Self::Paused, Self::Done, Self::Cancelled];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether there is nothing more to come.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Cancelled)
    }
}

impl FromStr for ReplayStatus {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let status = Self::ALL.into_iter().find(|status| status.as_str() == word);
        status.ok_or_else(|| format!("{word:?} is not a status of a replay"))
    }
}

impl fmt::Display for ReplayStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Deliveries of a webhook that are sent again, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Replay {
    /// Its id.
    pub id: ReplayId,
    /// Of which webhook.
    pub webhook_id: WebhookId,
    /// Who asked for it.
    pub by: EventActor,
    /// Which deliveries: those of this state,
    pub state: State,
    /// of this type of event (null: of any),
    #[serde(rename = "type")]
    pub event_type: Option<String>,
    /// made at this time or later,
    pub since: Timestamp,
    /// and before this time.
    pub until: Timestamp,
    /// How it stands.
    pub status: ReplayStatus,
    /// How many deliveries there were when it began; 100,000 stands for that many or more.
    pub total: u32,
    /// How many of them it has looked at so far.
    pub looked_at: i64,
    /// How many of those it has made due. The others were being sent at that moment, or waited to be sent by hand already.
    pub sent: i64,
    /// When it began.
    pub created_at: Timestamp,
    /// When it went on last.
    pub updated_at: Timestamp,
    /// When it ended; null while it has not.
    pub ended_at: Option<Timestamp>,
}

/// A replay that has something to do.
#[derive(Clone, Debug)]
pub struct Running {
    /// What is shown.
    pub replay: Replay,
    /// Where.
    pub workspace: WorkspaceId,
    /// Where it goes on in the list of deliveries; `None` is the beginning.
    pub cursor: Option<String>,
}

/// The order of the lists: by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByTime;

impl Sort for ByTime {
    fn name(self) -> &'static str {
        "created_at"
    }

    fn column(self) -> &'static str {
        "r.created_at"
    }

    fn is_number(self) -> bool {
        true
    }

    fn id(self) -> &'static str {
        "r.id"
    }
}

const FROM: &str = "replays r JOIN webhooks w ON w.id = r.webhook_id";
const COLUMNS: &str = "r.id AS id, r.workspace_id AS workspace_id, r.webhook_id AS webhook_id, r.asked_by AS asked_by, \
     r.state AS state, r.event_type AS event_type, r.since AS since, r.until AS until, \
     CASE WHEN r.status = 'running' AND w.status = 'inactive' THEN 'paused' ELSE r.status END AS status, r.total AS total, r.looked_at AS looked_at, \
     r.sent AS sent, r.cursor AS cursor, r.created_at AS created_at, r.updated_at AS updated_at, r.ended_at AS ended_at";

fn read(row: &Row) -> Result<Replay, DbError> {
    Ok(Replay {
        id: row.get("id")?,
        webhook_id: row.get("webhook_id")?,
        by: row.json("asked_by")?,
        state: row.parse("state")?,
        event_type: row.get("event_type")?,
        since: row.get("since")?,
        until: row.get("until")?,
        status: row.parse("status")?,
        total: row.get("total")?,
        looked_at: row.get("looked_at")?,
        sent: row.get("sent")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        ended_at: row.get("ended_at")?,
    })
}

/// Writes a new one. A webhook that has one which runs refuses another as a conflict.
///
/// # Errors
/// See [`DbError`].
pub async fn insert(conn: &mut Conn, workspace: WorkspaceId, replay: &Replay) -> Result<(), DbError> {
    let sql = "INSERT INTO replays (id, workspace_id, webhook_id, asked_by, state, event_type, since, until, status, total, \
               created_at, updated_at, ended_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12)";
    let values: [Value; 12] = [
        replay.id.into(),
        workspace.into(),
        replay.webhook_id.into(),
        json(&replay.by)?.into(),
        replay.state.as_str().into(),
        replay.event_type.clone().into(),
        replay.since.into(),
        replay.until.into(),
        replay.status.as_str().into(),
        replay.total.into(),
        replay.created_at.into(),
        replay.ended_at.into(),
    ];
    conn.execute(sql, &values).await.map(drop)
}

/// Whether a webhook has a replay that has not ended.
///
/// # Errors
/// See [`DbError`].
pub async fn is_running(conn: &mut Conn, webhook: WebhookId) -> Result<bool, DbError> {
    let sql = "SELECT id FROM replays WHERE webhook_id = $1 AND status = 'running'";
    Ok(conn.query_opt(sql, &[webhook.into()]).await?.is_some())
}

/// One replay of the workspace.
///
/// # Errors
/// See [`DbError`].
pub async fn get(conn: &mut Conn, workspace: WorkspaceId, id: ReplayId) -> Result<Option<Replay>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM {FROM} WHERE r.id = $1 AND r.workspace_id = $2");
    conn.query_opt(&sql, &[id.into(), workspace.into()]).await?.as_ref().map(read).transpose()
}

/// One page of a webhook's replays.
///
/// # Errors
/// See [`DbError`].
pub async fn list(conn: &mut Conn, webhook: WebhookId, request: &PageRequest<ByTime>) -> Result<Page<Replay>, DbError> {
    let mut filter = Filter::default();
    filter.and("r.webhook_id = $?", webhook);
    page::list(conn, Listing::new(COLUMNS, FROM, filter), request, read).await
}

/// The replay that waits longest for its next step; none of an inactive webhook.
///
/// # Errors
/// See [`DbError`].
pub async fn next(conn: &mut Conn) -> Result<Option<Running>, DbError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM {FROM} WHERE r.status = 'running' AND w.status = 'active' \
         ORDER BY r.updated_at, r.id LIMIT 1"
    );
    let Some(row) = conn.query_opt(&sql, &[]).await? else { return Ok(None) };
    Ok(Some(Running { replay: read(&row)?, workspace: row.get("workspace_id")?, cursor: row.get("cursor")? }))
}

/// A step that was made.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Deliveries that it looked at.
    pub looked_at: u32,
    /// Where the next one goes on; `None` when it was the last.
    pub cursor: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Writes down that a step is made by this transaction and by no other: `false` when somebody else made it, or ended the
/// replay, since `before` was read.
///
/// # Errors
/// See [`DbError`].
pub async fn advance(conn: &mut Conn, before: &Running, step: &Progress) -> Result<bool, DbError> {
    let done = step.cursor.is_none();
    let status = if done { ReplayStatus::Done } else { ReplayStatus::Running };
    let sql = "UPDATE replays SET looked_at = looked_at + $3, cursor = $4, status = $5, updated_at = $6, ended_at = $7 \
               WHERE id = $1 AND status = 'running' AND COALESCE(cursor, '') = $2";
    let values: [Value; 7] = [
        before.replay.id.into(),
        before.cursor.clone().unwrap_or_default().into(),
        step.looked_at.into(),
        step.cursor.clone().into(),
        status.as_str().into(),
        step.at.into(),
        done.then_some(step.at).into(),
    ];
    Ok(conn.execute(sql, &values).await? > 0)
}

/// Adds what a step made due.
///
/// # Errors
/// See [`DbError`].
pub async fn add_sent(conn: &mut Conn, id: ReplayId, sent: u64) -> Result<(), DbError> {
    let sent = i64::try_from(sent).unwrap_or(i64::MAX);
    conn.execute("UPDATE replays SET sent = sent + $2 WHERE id = $1", &[id.into(), sent.into()]).await.map(drop)
}

/// Ends the replay of a webhook that runs, if any.
///
/// # Errors
/// See [`DbError`].
pub async fn cancel(conn: &mut Conn, webhook: WebhookId, now: Timestamp) -> Result<(), DbError> {
    let sql = "UPDATE replays SET status = 'cancelled', updated_at = $2, ended_at = $2 \
               WHERE webhook_id = $1 AND status = 'running'";
    conn.execute(sql, &[webhook.into(), now.into()]).await.map(drop)
}
