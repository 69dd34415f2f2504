//! Publishing: events that other systems tell of, at the rate of the disk.
//!
//! Publishes that arrive while a commit is under way share the next one ([`group_commit`]), with one append for each workspace.
//!
//! What always holds: an answer means that the event is on disk; the events of one publish stand together or not at all; with
//! an idempotency key a publish can be repeated for [`KEY_LIFETIME`] and happens once; what waits is bounded, in events and in
//! bytes, and more is refused.

pub(super) mod data;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bellwire_core::{
    catalogue::EventType,
    event::{By, EventActor},
    id::{EventId, WorkspaceId},
    permission::Permission,
    text::Name,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use super::idempotency::{IdempotencyKey, KEY_LIFETIME};
use super::{
    Actor,
    group_commit::{self, Allowed, Line, Shared, Written},
    idempotency::{self, Earlier, Key, Seen},
    journal,
};
use crate::{
    app::App,
    db::{
        self, Conn,
        events::{Audience, NewEvent},
    },
    error::Error,
};

/// The most bytes of an event's data, as compact JSON.
pub const MAX_DATA: usize = 256 * 1024;
/// The most events of a batch.
pub const MAX_BATCH: usize = 1_000;
/// How far ahead of our clock an event may say that it happened.
pub const MAX_AHEAD: Duration = Duration::from_hours(1);
/// An event to publish.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPublish {
    /// A type of the catalogue, but not one of `webhook.*`.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// What happened: a JSON object of up to 256 KiB. It is passed on as it is, without being held against the catalogue.
    #[schema(value_type = Object)]
    pub data: Box<RawValue>,
    /// Who did it; whoever publishes it when nobody is named.
    #[serde(default)]
    pub actor: Option<EventActor>,
    /// When it happened, at most an hour ahead; now when nothing is said.
    #[serde(default)]
    pub occurred_at: Option<Timestamp>,
}

/// An event that was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Published {
    /// The event's id.
    pub id: EventId,
    /// Its number in the workspace.
    pub sequence: i64,
}

/// Publishes that wait for the next commit.
pub type Publishing = Line<Publish>;

/// Publishes share commits.
pub struct Publish;

/// One publish: events that stand together.
pub struct Part {
    actor: Actor,
    events: Vec<Checked>,
    bytes: usize,
    key: Option<Key>,
}

/// An event that may be written.
struct Checked {
    event_type: EventType,
    by: Arc<By>,
    data: Box<RawValue>,
    occurred_at: Timestamp,
}

impl Checked {
    /// Ids are made as numbers are given, so that they sort alike.
    fn with_id(self, id: EventId) -> NewEvent {
        let Self { event_type, by, data, occurred_at } = self;
        NewEvent { id, event_type, by, data, occurred_at, correlation: None, audience: Audience::Subscribers }
    }
}

type Answer = Result<Vec<Published>, Error>;

/// Publishes an event. Returns when it is on disk.
///
/// # Errors
/// [`Error::Forbidden`]; [`Error::Invalid`] for `type`, `data`, `actor` and `occurred_at`; [`Error::Conflict`] with
/// `idempotency_key_reused`; [`Error::Unavailable`] when too much waits already.
pub async fn publish(
    app: &App,
    actor: &Actor,
    new: NewPublish,
    key: Option<IdempotencyKey>,
) -> Result<Published, Error> {
    let published = submit(app, actor, vec![new], key, false).await?;
    published.into_iter().next().ok_or_else(|| Error::Internal("a publish had no answer".to_owned()))
}

/// Publishes up to [`MAX_BATCH`] events, all or none, with numbers that follow each other.
///
/// # Errors
/// As [`publish`], with the fields as `events[3].data`, and for `events`.
pub async fn publish_batch(
    app: &App,
    actor: &Actor,
    batch: Vec<NewPublish>,
    key: Option<IdempotencyKey>,
) -> Result<Vec<Published>, Error> {
    if !(1..=MAX_BATCH).contains(&batch.len()) {
        return Err(Error::invalid("events", format!("must be 1 to {MAX_BATCH} events")));
    }
    submit(app, actor, batch, key, true).await
}

async fn submit(
    app: &App,
    actor: &Actor,
    batch: Vec<NewPublish>,
    key: Option<IdempotencyKey>,
    is_batch: bool,
) -> Answer {
    actor.require(Permission::EventsPublish)?;
    let key = key.map(|key| Ok::<_, Error>(Key::new(key, &asked(&batch)?))).transpose()?;
    let now = app.clock.now();
    let (mut events, mut wrong, mut bytes) = (Vec::with_capacity(batch.len()), Vec::new(), 0);
    let by = Arc::new(actor.by());
    for (index, new) in batch.into_iter().enumerate() {
        match check(&by, new, now) {
            Ok(event) => {
                bytes += event.data.get().len();
                events.push(event);
            }
            Err(Error::Invalid(fields)) => wrong.extend(fields.into_iter().map(|mut field| {
                if is_batch {
                    field.field = format!("events[{index}].{}", field.field);
                }
                field
            })),
            Err(error) => return Err(error),
        }
    }
    if !wrong.is_empty() {
        return Err(Error::Invalid(wrong));
    }
    group_commit::submit::<Publish>(app, Part { actor: actor.clone(), events, bytes, key }).await
}

/// What an idempotency key stands for: every field, and the data byte for byte.
fn asked(batch: &[NewPublish]) -> Result<String, Error> {
    let part = |new: &NewPublish| serde_json::to_string(&(new.event_type, &new.data, &new.actor, new.occurred_at));
    Ok(batch.iter().map(part).collect::<Result<Vec<_>, _>>()?.join(","))
}

fn check(by: &Arc<By>, new: NewPublish, now: Timestamp) -> Result<Checked, Error> {
    if new.event_type.entry().actor_type.is_none() {
        return Err(Error::invalid("type", format!("{} is told by Bellwire only", new.event_type)));
    }
    let data = data::check(new.data).map_err(|error| Error::invalid("data", error))?;
    let occurred_at = new.occurred_at.unwrap_or(now);
    if occurred_at > now.saturating_add(MAX_AHEAD) {
        return Err(Error::invalid("occurred_at", "must not be more than an hour ahead"));
    }
    if occurred_at < Timestamp::from_micros(0) {
        return Err(Error::invalid("occurred_at", "must not be before 1970"));
    }
    let by = match new.actor.map(check_actor).transpose()? {
        Some(other) => Arc::new(By { actor: other, origin: by.origin.clone() }),
        None => Arc::clone(by),
    };
    Ok(Checked { event_type: new.event_type, by, data, occurred_at })
}

fn check_actor(actor: EventActor) -> Result<EventActor, Error> {
    const MAX_ID: usize = 255;
    let name = Name::parse(&actor.name).map_err(|error| Error::invalid("actor.name", error))?;
    let id_fits = |id: &String| (1..=MAX_ID).contains(&id.chars().count()) && !id.chars().any(char::is_control);
    if !actor.id.as_ref().is_none_or(id_fits) {
        return Err(Error::invalid("actor.id", format!("must be 1 to {MAX_ID} characters")));
    }
    Ok(EventActor { name: name.to_string(), ..actor })
}

impl Shared for Publish {
    type Part = Part;
    type Answer = Vec<Published>;

    const NAME: &'static str = "publishes";
    const GROUP: usize = 1_000;
    const MAX_WAITING: usize = 20_000;
    const MAX_WAITING_BYTES: usize = 64 * 1024 * 1024;

    fn line(app: &App) -> &Line<Self> {
        &app.publishing
    }

    fn size(part: &Part) -> (usize, usize) {
        (part.events.len(), part.bytes)
    }

    async fn write(app: &App, conn: &mut Conn, parts: Vec<Part>) -> Result<Written<Vec<Published>>, Error> {
        write(app, conn, parts).await
    }
}

/// Writes all parts, workspace by workspace (always in the same order, so that two nodes can't wait for each other). What is
/// wrong with one part is its own answer.
async fn write(app: &App, conn: &mut Conn, parts: Vec<Part>) -> Result<Written<Vec<Published>>, Error> {
    let now = app.clock.now();
    let mut groups: BTreeMap<WorkspaceId, Vec<(usize, Part)>> = BTreeMap::new();
    let count = parts.len();
    for (index, part) in parts.into_iter().enumerate() {
        groups.entry(part.actor.workspace).or_default().push((index, part));
    }
    let mut answers: Vec<Option<Answer>> = (0..count).map(|_| None).collect();
    let (mut accepted, mut signals, mut changed) = (0, Vec::new(), BTreeSet::new());
    for (workspace, group) in groups {
        changed.insert((workspace, "events"));
        let mut allowed = Allowed::new(Permission::EventsPublish);
        let mut events = Vec::with_capacity(group.iter().map(|(_, part)| part.events.len()).sum());
        let mut fresh = Vec::with_capacity(group.len());
        if group.iter().any(|(_, part)| part.key.is_some()) {
            // Publishes with the same key wait for each other: whoever is second sees what the first has written.
            db::workspaces::lock(conn, workspace).await?;
        }
        let keys = group.iter().filter_map(|(_, part)| part.key.as_ref());
        let mut seen = Seen::load(conn, workspace, keys, now).await?;
        for (index, part) in group {
            let decision = match (allowed.check(conn, &part.actor).await?, &part.key) {
                (Err(error), _) => Err(error),
                (Ok(()), None) => Ok(None),
                (Ok(()), Some(key)) => seen.look(key),
            };
            match decision {
                Err(error) => answers[index] = Some(Err(error)),
                Ok(Some(Earlier::Stored(answer))) => answers[index] = Some(Ok(serde_json::from_str(answer)?)),
                Ok(Some(Earlier::SameGroup(first))) => {
                    fresh.push(Fresh { index, key: None, like: Some(*first), from: 0, count: 0 });
                }
                Ok(None) => {
                    if let Some(key) = &part.key {
                        seen.note(key, index);
                    }
                    fresh.push(Fresh {
                        index,
                        key: part.key,
                        like: None,
                        from: events.len(),
                        count: part.events.len(),
                    });
                    events.extend(part.events.into_iter().map(|event| event.with_id(app.random.id(now))));
                }
            }
        }
        if events.is_empty() {
            continue;
        }
        let (written, more) = journal::append(app, conn, workspace, &events).await?;
        signals.extend(more);
        accepted += events.len();
        let published: Vec<Published> = events
            .iter()
            .zip(&written)
            .map(|(event, written)| Published { id: event.id, sequence: written.sequence })
            .collect();
        let mut keys = Vec::new();
        for Fresh { index, key, like, from, count } in fresh {
            let answer = match like {
                Some(first) => {
                    answers[first].as_ref().and_then(|answer| answer.as_ref().ok()).cloned().unwrap_or_default()
                }
                None => published[from..from + count].to_vec(),
            };
            if let Some(key) = key {
                keys.push((key, serde_json::to_string(&answer)?));
            }
            answers[index] = Some(Ok(answer));
        }
        idempotency::store(conn, workspace, &keys, now).await?;
    }
    let unanswered = || Err(Error::Internal("a publish was overlooked".to_owned()));
    let answers = answers.into_iter().map(|answer| answer.unwrap_or_else(unanswered)).collect();
    Ok(Written { answers, events: accepted, signals, changed })
}

/// A part that is written now (or was, by an earlier part with the same key).
struct Fresh {
    index: usize,
    key: Option<Key>,
    like: Option<usize>,
    from: usize,
    count: usize,
}
