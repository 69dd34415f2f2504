//! Publishing: events that other systems tell of, at the rate of the disk.
//!
//! Publishes that arrive while a commit is under way share the next one (group commit): the first that finds nobody at work
//! starts a task that takes what waits, writes it in one transaction (one append for each workspace), answers, and goes on
//! until nothing waits. The task belongs to nobody's request, so a caller who goes away harms nobody else.
//!
//! What always holds: an answer means that the event is on disk; the events of one publish stand together or not at all; with
//! an idempotency key a publish can be repeated for [`KEY_LIFETIME`] and happens once; what waits is bounded, in events and in
//! bytes, and more is refused.

mod data;
mod idempotency;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bellwire_core::{
    catalogue::EventType,
    event::EventActor,
    id::{EventId, WorkspaceId},
    permission::Permission,
    text::Name,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use self::idempotency::Key;
pub use self::idempotency::{IdempotencyKey, KEY_LIFETIME};
use super::{Actor, journal};
use crate::{
    app::{App, Signal},
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
/// Events that one transaction writes, unless a single publish has more.
const GROUP: usize = 1_000;
/// What may wait: events, and bytes of their data.
const MAX_WAITING: usize = 20_000;
const MAX_WAITING_BYTES: usize = 64 * 1024 * 1024;

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
#[derive(Default)]
pub struct Publishing(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    events: usize,
    bytes: usize,
    /// Whether a task is at work.
    busy: bool,
}

/// One publish: events that stand together.
struct Job {
    actor: Actor,
    events: Vec<NewEvent>,
    bytes: usize,
    key: Option<Key>,
    reply: oneshot::Sender<Answer>,
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
    let key = key.map(|key| Key::new(key, &batch)).transpose()?;
    let now = app.clock.now();
    let (mut events, mut wrong, mut bytes) = (Vec::with_capacity(batch.len()), Vec::new(), 0);
    for (index, new) in batch.into_iter().enumerate() {
        match prepare(app, actor, new, now) {
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
    let (reply, answer) = oneshot::channel();
    app.publishing.push(Job { actor: actor.clone(), events, bytes, key, reply }, || {
        tokio::spawn(work(app.clone()));
    })?;
    answer.await.unwrap_or_else(|_| Err(Error::Internal("a publish was dropped".to_owned())))
}

fn prepare(app: &App, actor: &Actor, new: NewPublish, now: Timestamp) -> Result<NewEvent, Error> {
    if new.event_type.entry().actor_type.is_none() {
        return Err(Error::invalid("type", format!("{} is told by Bellwire only", new.event_type)));
    }
    let data = data::check(&new.data).map_err(|error| Error::invalid("data", error))?;
    let occurred_at = new.occurred_at.unwrap_or(now);
    if occurred_at > now.saturating_add(MAX_AHEAD) {
        return Err(Error::invalid("occurred_at", "must not be more than an hour ahead"));
    }
    if occurred_at < Timestamp::from_micros(0) {
        return Err(Error::invalid("occurred_at", "must not be before 1970"));
    }
    let event_actor = new.actor.map(check_actor).transpose()?.unwrap_or_else(|| actor.as_event_actor());
    Ok(NewEvent {
        id: app.random.id(now),
        event_type: new.event_type,
        actor: event_actor,
        data,
        occurred_at,
        correlation: None,
        audience: Audience::Subscribers,
    })
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

impl Publishing {
    /// Lets a job wait; calls `start` when nobody is at work.
    fn push(&self, job: Job, start: impl FnOnce()) -> Result<(), Error> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = waiting.jobs.is_empty()
            || (waiting.events + job.events.len() <= MAX_WAITING && waiting.bytes + job.bytes <= MAX_WAITING_BYTES);
        if !has_room {
            return Err(Error::Unavailable("too many publishes are waiting".to_owned()));
        }
        waiting.events += job.events.len();
        waiting.bytes += job.bytes;
        waiting.jobs.push_back(job);
        if !std::mem::replace(&mut waiting.busy, true) {
            start();
        }
        Ok(())
    }

    /// Takes what fits into one transaction; when nothing waits, whoever asked is at work no more.
    fn take(&self) -> Vec<Job> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut jobs, mut events): (Vec<Job>, usize) = (Vec::new(), 0);
        while let Some(job) = waiting.jobs.pop_front_if(|job| jobs.is_empty() || events + job.events.len() <= GROUP) {
            events += job.events.len();
            waiting.events -= job.events.len();
            waiting.bytes -= job.bytes;
            jobs.push(job);
        }
        waiting.busy = !jobs.is_empty();
        jobs
    }
}

/// Writes what waits until nothing does.
async fn work(app: App) {
    loop {
        let jobs = app.publishing.take();
        if jobs.is_empty() {
            return;
        }
        let (replies, parts): (Vec<_>, Vec<_>) =
            jobs.into_iter().map(|Job { actor, events, key, reply, .. }| (reply, Part { actor, events, key })).unzip();
        let workspaces: BTreeSet<WorkspaceId> = parts.iter().map(|part| part.actor.workspace).collect();
        let held = app.clone();
        let written = app.db.write(move |conn| Box::pin(async move { write(&held, conn, parts).await })).await;
        match written {
            Ok((answers, signals)) => {
                for signal in signals {
                    app.wake.send(signal);
                }
                for (reply, answer) in replies.into_iter().zip(answers) {
                    // Whoever asked may have gone away.
                    let _ = reply.send(answer);
                }
                for workspace in workspaces {
                    app.changed(workspace, "events");
                }
            }
            Err(error) => {
                for reply in replies {
                    let _ = reply.send(Err(again(&error)));
                }
            }
        }
    }
}

/// The same error for everybody who shared the transaction.
fn again(error: &Error) -> Error {
    match error {
        Error::StorageFull => Error::StorageFull,
        Error::Unavailable(detail) => Error::Unavailable(detail.clone()),
        other => Error::Internal(match other {
            Error::Internal(detail) => detail.clone(),
            other => other.to_string(),
        }),
    }
}

/// A job without the way back.
struct Part {
    actor: Actor,
    events: Vec<NewEvent>,
    key: Option<Key>,
}

/// Writes all parts, workspace by workspace (always in the same order, so that two nodes can't wait for each other). What is
/// wrong with one part is its own answer.
async fn write(app: &App, conn: &mut Conn, parts: Vec<Part>) -> Result<(Vec<Answer>, Vec<Signal>), Error> {
    let now = app.clock.now();
    let mut groups: BTreeMap<WorkspaceId, Vec<(usize, Part)>> = BTreeMap::new();
    let count = parts.len();
    for (index, part) in parts.into_iter().enumerate() {
        groups.entry(part.actor.workspace).or_default().push((index, part));
    }
    let mut answers: Vec<Option<Answer>> = (0..count).map(|_| None).collect();
    let mut signals = Vec::new();
    for (workspace, group) in groups {
        let mut known = Vec::new();
        let mut seen = idempotency::Seen::default();
        let mut events = Vec::with_capacity(group.iter().map(|(_, part)| part.events.len()).sum());
        let mut fresh = Vec::with_capacity(group.len());
        if group.iter().any(|(_, part)| part.key.is_some()) {
            // Publishes with the same key wait for each other: whoever is second sees what the first has written.
            db::webhooks::lock_workspace(conn, workspace).await?;
        }
        for (index, part) in group {
            let allowed = permission(conn, &mut known, &part.actor).await?;
            let decision = match (allowed, &part.key) {
                (Err(error), _) => Some(Err(error)),
                (Ok(()), None) => None,
                (Ok(()), Some(key)) => seen.look(conn, workspace, key, index, now).await?,
            };
            match decision {
                Some(Err(error)) => answers[index] = Some(Err(error)),
                Some(Ok(idempotency::Earlier::Stored(published))) => answers[index] = Some(Ok(published)),
                Some(Ok(idempotency::Earlier::SameGroup(first))) => {
                    fresh.push(Fresh { index, key: None, like: Some(first), from: 0, count: 0 });
                }
                None => {
                    fresh.push(Fresh {
                        index,
                        key: part.key,
                        like: None,
                        from: events.len(),
                        count: part.events.len(),
                    });
                    events.extend(part.events);
                }
            }
        }
        if events.is_empty() {
            continue;
        }
        let (written, more) = journal::append(app, conn, workspace, now, &events).await?;
        signals.extend(more);
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
    Ok((answers.into_iter().map(|answer| answer.unwrap_or_else(unanswered)).collect(), signals))
}

/// A part that is written now (or was, by an earlier part with the same key).
struct Fresh {
    index: usize,
    key: Option<Key>,
    like: Option<usize>,
    from: usize,
    count: usize,
}

/// Whether the actor may publish now; asked once for each actor of a transaction.
async fn permission(
    conn: &mut Conn,
    known: &mut Vec<(bellwire_core::event::PrincipalId, Option<bool>)>,
    actor: &Actor,
) -> Result<Result<(), Error>, Error> {
    let allowed = match known.iter().find(|(principal, _)| *principal == actor.principal) {
        Some((_, allowed)) => *allowed,
        None => {
            let permissions = db::principals::permissions(conn, actor.workspace, actor.principal).await?;
            let allowed = permissions.map(|permissions| permissions.allow(Permission::EventsPublish));
            known.push((actor.principal, allowed));
            allowed
        }
    };
    Ok(match allowed {
        Some(true) => Ok(()),
        Some(false) => Err(Error::Forbidden(Permission::EventsPublish.as_str())),
        None => Err(Error::Unauthenticated),
    })
}
