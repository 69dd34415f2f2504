//! Events as people and programs read them: the workspace's feed, which is its audit log too. Writing is `db::events`.
//!
//! The feed is numbered without gaps, so its order is the number, and it has no other.

use std::time::Duration;

use bellwire_core::{
    catalogue::EventTypes,
    event::{EventActor, Origin},
    id::{CorrelationId, EventId, WorkspaceId},
    time::Timestamp,
};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    Conn, DbError, Row,
    page::{self, Filter, Listing, Page, PageRequest, Sieve, Sort},
};

/// One thing that happened, as receivers get it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Event)]
pub struct EventView {
    /// Its id, which is the `webhook-id` header of its deliveries too.
    pub id: EventId,
    /// Its type: a name of the catalogue.
    #[serde(rename = "type")]
    pub event_type: String,
    /// When it happened.
    pub timestamp: Timestamp,
    /// Where.
    pub workspace_id: WorkspaceId,
    /// Its number in the workspace: 1, 2, 3, … without gaps.
    pub sequence: i64,
    /// Who did it.
    pub actor: EventActor,
    /// What happened, as the catalogue describes it.
    #[schema(value_type = Object)]
    pub data: Box<RawValue>,
    /// Shared by all events that one action caused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<CorrelationId>,
    /// Present, and true, only when somebody pressed *Send test*: nothing of this happened.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub test: bool,
}

/// The order of the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BySequence;

impl Sort for BySequence {
    fn name(self) -> &'static str {
        "sequence"
    }

    fn column(self) -> &'static str {
        "e.sequence"
    }

    fn is_number(self) -> bool {
        true
    }

    fn id(self) -> &'static str {
        "e.id"
    }
}

/// Which events to list.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only those of these types.
    pub event_types: Option<EventTypes>,
    /// Only what this user or API key did.
    pub actor_id: Option<String>,
    /// Only those about the thing with this id.
    pub object_id: Option<String>,
    /// Only those with this text among their ids, the name of their actor or their data, whatever the case.
    pub search: Option<String>,
    /// Only those that were written at this time or later.
    pub since: Option<Timestamp>,
    /// Only those that were written before this time.
    pub until: Option<Timestamp>,
}

const COLUMNS: &str = "e.id AS id, e.type AS type, e.occurred_at AS occurred_at, e.workspace_id AS workspace_id, \
     e.sequence AS sequence, e.actor AS actor, e.data AS data, e.correlation_id AS correlation_id, e.test AS test";

fn read(row: &Row) -> Result<EventView, DbError> {
    Ok(EventView {
        id: row.get("id")?,
        event_type: row.get("type")?,
        timestamp: row.get("occurred_at")?,
        workspace_id: row.get("workspace_id")?,
        sequence: row.get("sequence")?,
        actor: row.json("actor")?,
        data: row.json("data")?,
        correlation_id: row.get("correlation_id")?,
        test: row.get("test")?,
    })
}

/// One page of the feed.
///
/// # Errors
/// See [`DbError`].
pub async fn list(
    conn: &mut Conn,
    workspace: WorkspaceId,
    wanted: &Wanted,
    request: &PageRequest<BySequence>,
) -> Result<Page<EventView>, DbError> {
    let bounds = bounds(conn, workspace, wanted).await?;
    page::list(conn, listing(workspace, wanted, bounds), request, read).await
}

pub(super) fn listing(workspace: WorkspaceId, wanted: &Wanted, (first, last): Bounds) -> Listing {
    let mut filter = Filter::default();
    let mut sieve = Sieve::new("events e");
    filter.and("e.workspace_id = $?", workspace);
    if let Some(first) = first {
        filter.and("e.sequence >= $?", first);
    }
    if let Some(last) = last {
        filter.and("e.sequence < $?", last);
    }
    if let Some(event_types) = wanted.event_types {
        // Names of the catalogue: nothing in them needs quoting. No name is of no event.
        let names: Vec<String> = event_types.iter().map(|event_type| format!("'{event_type}'")).collect();
        sieve.and_always(&format!("e.type IN ({})", if names.is_empty() { "''".to_owned() } else { names.join(", ") }));
    }
    // Actors and data are stored as compact JSON, and an id has nothing in it that JSON would escape.
    if let Some(id) = wanted.actor_id.as_deref() {
        sieve.and("e.actor LIKE $? ESCAPE '\\'", like(&format!("\"id\":\"{id}\"")));
    }
    if let Some(id) = wanted.object_id.as_deref() {
        sieve.and("e.data LIKE $? ESCAPE '\\'", like(&format!("\"id\":\"{id}\"")));
    }
    match wanted.search.as_deref().map(str::trim) {
        None | Some("") => {}
        Some(text) => match text.parse::<EventId>() {
            Ok(id) => filter.and("e.id = $?", id),
            Err(_) => sieve
                .and("LOWER(e.data) LIKE $? ESCAPE '\\' OR LOWER(e.actor) LIKE $? ESCAPE '\\'", page::containing(text)),
        },
    }
    if let Some(since) = wanted.since {
        sieve.and("e.created_at >= $?", since);
    }
    if let Some(until) = wanted.until {
        sieve.and("e.created_at < $?", until);
    }
    Listing::new(COLUMNS, "events e", filter).sifted(sieve)
}

/// The first number of a part of the feed, and the one behind its last.
pub(super) type Bounds = (Option<i64>, Option<i64>);

/// How far the times of events may be out of the order of their numbers: they are taken before the number is, by the clock of
/// the node.
const OUT_OF_ORDER: Duration = Duration::from_secs(60);

/// The part of the feed in which everything of a time is.
async fn bounds(conn: &mut Conn, workspace: WorkspaceId, wanted: &Wanted) -> Result<Bounds, DbError> {
    let first = match wanted.since {
        Some(since) => Some(first_since(conn, workspace, since.saturating_sub(OUT_OF_ORDER)).await?),
        None => None,
    };
    let last = match wanted.until {
        Some(until) => Some(first_since(conn, workspace, until.saturating_add(OUT_OF_ORDER)).await?),
        None => None,
    };
    Ok((first, last))
}

/// The number of the first event of this time or later, by halving the feed: a step for each doubling of its length.
async fn first_since(conn: &mut Conn, workspace: WorkspaceId, time: Timestamp) -> Result<i64, DbError> {
    let sql = "SELECT COALESCE(MIN(sequence), 0) AS low FROM events WHERE workspace_id = $1";
    let mut low: i64 = conn.query_one(sql, &[workspace.into()]).await?.get("low")?;
    let sql = "SELECT sequence + 1 AS high FROM workspaces WHERE id = $1";
    let mut high: i64 = conn.query_one(sql, &[workspace.into()]).await?.get("high")?;
    while low < high {
        let middle = low + (high - low) / 2;
        let sql = "SELECT sequence, created_at FROM events WHERE workspace_id = $1 AND sequence >= $2 \
                   ORDER BY sequence LIMIT 1";
        let row = conn.query_opt(sql, &[workspace.into(), middle.into()]).await?;
        match row {
            Some(row) if row.get::<Timestamp>("created_at")? < time => low = row.get::<i64>("sequence")? + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// As [`page::containing`], with the case as it is.
fn like(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{}%", escaped.replace(char::is_control, ""))
}

/// One event of the workspace.
///
/// # Errors
/// See [`DbError`].
pub async fn get(conn: &mut Conn, workspace: WorkspaceId, id: EventId) -> Result<Option<EventView>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM events e WHERE e.id = $1 AND e.workspace_id = $2");
    conn.query_opt(&sql, &[id.into(), workspace.into()]).await?.as_ref().map(read).transpose()
}

/// How an event of the workspace came about; `None` for events that are older than this is written down.
///
/// # Errors
/// See [`DbError`].
pub async fn origin(conn: &mut Conn, workspace: WorkspaceId, id: EventId) -> Result<Option<Origin>, DbError> {
    let sql = "SELECT origin FROM events WHERE id = $1 AND workspace_id = $2 AND origin IS NOT NULL";
    conn.query_opt(sql, &[id.into(), workspace.into()]).await?.map(|row| row.json("origin")).transpose()
}

/// The events that one action caused, in their order; at most `limit`.
///
/// # Errors
/// See [`DbError`].
pub async fn correlated(
    conn: &mut Conn,
    event: &EventView,
    correlation: CorrelationId,
    limit: u32,
) -> Result<Vec<EventView>, DbError> {
    // They were written in one transaction, so their numbers are near: no index of correlations is needed.
    let reach = i64::from(limit);
    let sql = format!(
        "SELECT {COLUMNS} FROM events e WHERE e.workspace_id = $1 AND e.sequence BETWEEN $2 AND $3 \
         AND e.correlation_id = $4 ORDER BY e.sequence LIMIT $5"
    );
    let values = [
        event.workspace_id.into(),
        event.sequence.saturating_sub(reach).into(),
        event.sequence.saturating_add(reach).into(),
        correlation.into(),
        reach.into(),
    ];
    conn.query(&sql, &values).await?.iter().map(read).collect()
}
