//! Writes what became of deliveries: attempts, new states, the health of webhooks.
//!
//! One task, one transaction at a time, and no more than one in a few milliseconds: it writes all that has come in meanwhile, so
//! that batches grow with the load, and it shares the commit of a publish when there is one ([`db::Db::write_along`]). A healthy webhook that goes on answering costs an
//! attempt and a state, nothing else. When the database can't be reached it waits and tries again: the places of what it holds
//! stay taken, and so nothing piles up behind it.
//!
//! Webhooks that are gone are turned off before the outcomes are written: a crash in between leaves leases that end, not
//! deliveries that are sent to who asked for no more.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use bellwire_core::{
    delivery::{self, Health, Next, Outcome, Reason},
    id::{WebhookId, WorkspaceId},
    retry::Jitter,
    time::Timestamp,
};
use futures_util::future::join_all;
use tokio::sync::mpsc::UnboundedReceiver;

use super::{agenda::Agenda, lane::Lane, send::Answer, tick};
use crate::{
    app::{App, Owed},
    clock::Moment,
    db::{
        self, Conn, DbError,
        attempts::{AttemptResult, NewAttempt},
        health::{HealthRow, LastError},
        leases::{Fate, Lease, Settled},
    },
    metrics::{self, Metrics},
};

/// Outcomes that are taken at once.
const TAKEN: usize = 8_192;
/// Outcomes in one transaction at the most: bounds how long it keeps others from writing.
const BATCH: usize = 2_048;
/// What is taken at once is taken no closer to each other: a transaction costs as much as a dozen outcomes, however few are in it.
const APART: Duration = Duration::from_millis(5);
/// And no closer than this when there were so many the last time, up to the second when they were of many webhooks.
const MANY: usize = 64;
const MANY_APART: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(100)];
/// How long to wait after the database failed.
const PAUSE: Duration = Duration::from_millis(200);
/// Open pages are told of changes no more often.
const LIVE: Duration = Duration::from_millis(250);

/// What a lane is done with. Its place in memory is free when this is dropped.
pub(super) enum Finished {
    /// There was an attempt.
    Attempt(Box<Attempted>),
    /// There was none: it is due again at this time.
    Release(Owed, Timestamp),
}

impl Finished {
    fn owed(&self) -> &Owed {
        match self {
            Self::Attempt(attempted) => &attempted.owed,
            Self::Release(owed, _) => owed,
        }
    }

    /// Whether it says something of the webhook's health.
    fn is_news(&self, now: Moment) -> bool {
        match self {
            Self::Attempt(attempted) => attempted.is_news(now),
            Self::Release(..) => false,
        }
    }
}

/// An attempt that has ended.
pub(super) struct Attempted {
    pub(super) owed: Owed,
    pub(super) lane: Arc<Lane>,
    /// How often the webhook had been turned on, as far as the lane knew.
    pub(super) activations: i64,
    pub(super) started_at: Timestamp,
    pub(super) ended_at: Timestamp,
    /// The same by the database's clock: the next try counts from here.
    pub(super) due_from: Timestamp,
    pub(super) outcome: Outcome,
    /// When there was one.
    pub(super) answer: Option<Answer>,
}

impl Attempted {
    /// Whether it says something of the webhook's health: a success does after failures, which another node may have written down.
    fn is_news(&self, now: Moment) -> bool {
        !self.outcome.is_success() || self.owed.attempts > 0 || !self.lane.is_healthy(now)
    }
}

/// Runs until nobody can hand in anything any more.
pub(super) async fn run(app: &App, agenda: &Agenda, finished: &mut UnboundedReceiver<Finished>) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut news = News::default();
    let mut next = app.clock.moment();
    loop {
        tokio::select! {
            biased;
            count = finished.recv_many(&mut batch, TAKEN) => if count == 0 { break },
            () = news.due(app) => {
                news.tell(app);
                continue;
            }
        }
        app.clock.rest_until(next).await;
        while batch.len() < TAKEN
            && let Ok(more) = finished.try_recv()
        {
            batch.push(more);
        }
        next = app.clock.moment().plus(pause(&batch));
        if batch.len() > BATCH {
            sort(app, &mut batch);
        }
        for part in batch.chunks(BATCH) {
            write(app, agenda, part, &mut news).await;
        }
        batch.clear();
        if app.clock.moment() >= news.next {
            news.tell(app);
        }
    }
    news.tell(app);
}

/// How long to wait after these.
fn pause(batch: &[Finished]) -> Duration {
    if batch.len() < MANY {
        return APART;
    }
    let webhooks: HashSet<WebhookId> = batch.iter().map(|finished| finished.owed().webhook).collect();
    super::apart(MANY_APART, webhooks.len())
}

/// So that each transaction writes pages of its own. What says something of a webhook's health comes first, in the order in which it
/// was said.
fn sort(app: &App, batch: &mut [Finished]) {
    let now = app.clock.moment();
    batch.sort_by_cached_key(|finished| (!finished.is_news(now)).then_some(finished.owed().id));
}

async fn write(app: &App, agenda: &Agenda, batch: &[Finished], news: &mut News) {
    turn_off_gone(app, batch).await;
    // A fault in one row must not keep the others from being written.
    let mut parts: Vec<&[Finished]> = vec![batch];
    while let Some(part) = parts.pop() {
        let (plan, notes) = Plan::of(app, part);
        let fates = plan.fates.clone();
        match app.db.write_along(move |conn| Box::pin(async move { plan.write(conn).await })).await {
            Ok(judged) => {
                after(app, part, &judged, news);
                count(&app.metrics, part, &fates);
                notes.into_iter().for_each(|(workspace, webhook, at)| agenda.note(workspace, webhook, at));
            }
            Err(DbError::Fault(detail)) if part.len() == 1 => {
                tracing::error!(detail, "an outcome can't be written; the delivery is sent again when its lease ends");
            }
            Err(DbError::Fault(_)) => {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
            }
            Err(error) => {
                tracing::warn!(%error, "outcomes can't be written yet");
                app.clock.sleep(PAUSE).await;
                parts.push(part);
            }
        }
    }
}

/// What is to be written of a batch.
struct Plan {
    node: bellwire_core::id::NodeId,
    attempts: Vec<NewAttempt>,
    settled: Vec<Settled>,
    /// Of the attempts, in their order.
    fates: Vec<Fate>,
    released: BTreeMap<Timestamp, Vec<Lease>>,
    health: BTreeMap<WebhookId, Vec<Sign>>,
}

/// Webhooks of whose health a batch said something.
#[derive(Default)]
struct Judged {
    changed: BTreeSet<WebhookId>,
    /// The database says now that they work.
    well: BTreeSet<WebhookId>,
}

/// What an attempt says of its webhook.
enum Sign {
    Good,
    /// `at` is by the database's clock.
    Bad {
        reason: Reason,
        at: Timestamp,
        error: LastError,
    },
}

impl Plan {
    /// The second value says what will be due when, for the agenda.
    fn of(app: &App, batch: &[Finished]) -> (Self, Vec<(WorkspaceId, WebhookId, Timestamp)>) {
        let mut notes = Vec::new();
        let mut plan = Self {
            node: app.node,
            attempts: Vec::with_capacity(batch.len()),
            settled: Vec::with_capacity(batch.len()),
            fates: Vec::with_capacity(batch.len()),
            released: BTreeMap::new(),
            health: BTreeMap::new(),
        };
        for finished in batch {
            match finished {
                Finished::Attempt(attempted) => {
                    let due = plan.add(app, attempted);
                    notes.extend(due.map(|due| (attempted.owed.workspace, attempted.owed.webhook, due)));
                }
                Finished::Release(owed, due) => {
                    plan.released.entry(*due).or_default().push(lease(owed));
                    notes.push((owed.workspace, owed.webhook, *due));
                }
            }
        }
        // In one order everywhere, so that two nodes don't wait for each other's rows in a circle.
        plan.settled.sort_unstable_by_key(|settled| settled.lease.delivery);
        plan.attempts.sort_unstable_by_key(|attempt| (attempt.delivery, attempt.number));
        (plan, notes)
    }

    /// Returns when it is due again.
    fn add(&mut self, app: &App, attempted: &Attempted) -> Option<Timestamp> {
        let Attempted { owed, lane, started_at, ended_at, due_from, outcome, answer, activations: _ } = attempted;
        let jitter = Jitter::new(if outcome.is_success() { 0.5 } else { app.random.fraction() });
        let next = delivery::next(owed.tries, owed.reason, outcome, *due_from, jitter, &app.retry);
        let automatic = u32::from(owed.reason == Reason::Automatic);
        let (fate, tries) = match next {
            Next::Delivered => (Fate::Delivered, automatic),
            Next::Retry { at } => (Fate::Retry(at), automatic),
            Next::Failed => (Fate::Failed, automatic),
            Next::Gone | Next::Restore => (Fate::Restored, 0),
        };
        let (tries, attempts) = (owed.tries.saturating_add(tries), owed.attempts.saturating_add(1));
        self.fates.push(fate);
        self.settled.push(Settled { lease: lease(owed), fate, tries, attempts, at: *due_from });
        self.attempts.push(NewAttempt {
            delivery: owed.id,
            number: attempts,
            reason: owed.reason,
            started_at: *started_at,
            duration: ended_at.as_micros().saturating_sub(started_at.as_micros()).max(0),
            result: match (outcome, answer) {
                (Outcome::Answered { status, .. }, Some(answer)) => AttemptResult::Answered {
                    status: *status,
                    headers: answer.headers.clone(),
                    body: answer.body.clone(),
                },
                (Outcome::Answered { status, .. }, None) => {
                    AttemptResult::Answered { status: *status, headers: "[]".to_owned(), body: Vec::new() }
                }
                (Outcome::Error(error), _) => AttemptResult::Error { code: error.code(), message: error.to_string() },
            },
        });
        if !outcome.is_success() {
            let sign = Sign::Bad { reason: owed.reason, at: *due_from, error: last_error(attempted) };
            self.health.entry(lane.webhook).or_default().push(sign);
        } else if attempted.is_news(app.clock.moment()) || self.health.contains_key(&lane.webhook) {
            self.health.entry(lane.webhook).or_default().push(Sign::Good);
        }
        match fate {
            Fate::Retry(at) => Some(at),
            Fate::Restored => Some(*due_from),
            Fate::Delivered | Fate::Failed => None,
        }
    }

    async fn write(self, conn: &mut Conn) -> Result<Judged, DbError> {
        db::attempts::insert(conn, self.attempts).await?;
        db::leases::settle(conn, self.node, &self.settled).await?;
        for (due, ids) in &self.released {
            db::leases::release(conn, self.node, ids, *due).await?;
        }
        let mut judged = Judged::default();
        for (webhook, signs) in self.health {
            let Some(before) = db::health::get(conn, webhook).await? else { continue };
            let after = signs.into_iter().fold(before.clone(), judge);
            if after != before {
                db::health::set(conn, webhook, &after).await?;
            }
            if after.health != before.health {
                judged.changed.insert(webhook);
            }
            if after.health == Health::Ok {
                judged.well.insert(webhook);
            }
        }
        Ok(judged)
    }
}

fn lease(owed: &Owed) -> Lease {
    Lease { delivery: owed.id, until: owed.leased_until }
}

/// A webhook's health after an attempt. That it has failed for too long is the [`tick`]'s to see.
fn judge(health: HealthRow, sign: Sign) -> HealthRow {
    match sign {
        Sign::Good => HealthRow {
            health: Health::Ok,
            failing_since: None,
            failing_uncounted: 0,
            failing_attempts: 0,
            last_error: None,
        },
        Sign::Bad { reason: Reason::Test, .. } => health,
        Sign::Bad { error, at, .. } => HealthRow {
            health: Health::Failing,
            failing_since: Some(health.failing_since.unwrap_or(at)),
            failing_uncounted: health.failing_since.map_or(0, |_| health.failing_uncounted),
            failing_attempts: health.failing_attempts.saturating_add(1),
            last_error: Some(error),
        },
    }
}

fn last_error(attempted: &Attempted) -> LastError {
    let (message, code) = match &attempted.outcome {
        Outcome::Answered { status, .. } => {
            let name = http::StatusCode::from_u16(*status).ok().and_then(|status| status.canonical_reason());
            let mut message = name.map_or_else(|| status.to_string(), |name| format!("{status} {name}"));
            if matches!(status, 300..=399) {
                message.push_str(" (redirects are not followed)");
            }
            (message, None)
        }
        Outcome::Error(error) => (error.to_string(), Some(error.code().to_owned())),
    };
    LastError { at: attempted.ended_at, message, delivery_id: attempted.owed.id, code }
}

/// What follows from a commit.
fn after(app: &App, written: &[Finished], judged: &Judged, news: &mut News) {
    let (now, due) = (app.clock.moment(), app.database_clock.now());
    let mut given_back = BTreeSet::new();
    for finished in written {
        let attempted = match finished {
            Finished::Attempt(attempted) => attempted,
            Finished::Release(owed, at) => {
                if *at <= due {
                    given_back.insert((owed.workspace, owed.webhook));
                }
                continue;
            }
        };
        let Attempted { owed, lane, outcome, .. } = &**attempted;
        news.deliveries.insert(owed.workspace);
        if judged.changed.contains(&owed.webhook) {
            news.webhooks.insert(owed.workspace);
        }
        // What the lane believes is what was written, however the batch began.
        if judged.well.contains(&owed.webhook) {
            lane.healthy(now);
        } else if !outcome.is_success() {
            lane.unsure();
        }
    }
    app.nodes.tell_due(&given_back);
}

/// Counts what was written.
fn count(metrics: &Metrics, written: &[Finished], fates: &[Fate]) {
    let attempts = written.iter().filter_map(|finished| match finished {
        Finished::Attempt(attempted) => Some(attempted),
        Finished::Release(..) => None,
    });
    let mut delivered = 0;
    for (attempted, fate) in attempts.zip(fates) {
        let Attempted { owed, started_at, ended_at, outcome, .. } = &**attempted;
        let ended = match outcome {
            Outcome::Answered { status, .. } => metrics::Outcome::status(*status),
            Outcome::Error(error) => metrics::Outcome::error(error.code()),
        };
        metrics.attempts.note(ended);
        metrics.exchanges.note(ended_at.since(*started_at));
        if owed.attempts == 0 && owed.reason == Reason::Automatic {
            metrics.waits.note(started_at.since(owed.created_at));
        }
        match fate {
            Fate::Delivered => delivered += 1,
            Fate::Retry(_) => metrics.retried.note(ended),
            Fate::Failed => metrics.failed.note(ended),
            Fate::Restored => {}
        }
    }
    metrics.delivered.add(delivered);
    metrics.outcome_groups.note(written.len());
}

/// Turns off webhooks whose receivers answered `410 Gone`. When that fails, or the attempt began before somebody turned the webhook
/// on again, the next one is answered the same.
async fn turn_off_gone(app: &App, batch: &[Finished]) {
    let mut gone: BTreeMap<WebhookId, &Attempted> = BTreeMap::new();
    for finished in batch {
        if let Finished::Attempt(attempted) = finished
            && attempted.owed.reason != Reason::Test
            && matches!(attempted.outcome, Outcome::Answered { status: 410, .. })
        {
            gone.entry(attempted.owed.webhook)
                .and_modify(|last| *last = if attempted.activations >= last.activations { attempted } else { *last })
                .or_insert(attempted);
        }
    }
    let turned_off = gone.into_values().map(|attempted| tick::turn_off_gone(app, attempted, last_error(attempted)));
    for result in join_all(turned_off).await {
        if let Err(error) = result {
            error.log();
        }
    }
}

/// What open pages are to be told of.
#[derive(Default)]
struct News {
    deliveries: BTreeSet<WorkspaceId>,
    webhooks: BTreeSet<WorkspaceId>,
    /// Not before.
    next: Moment,
}

impl News {
    /// Waits until there is something to tell and its time has come.
    async fn due(&self, app: &App) {
        if self.deliveries.is_empty() {
            std::future::pending::<()>().await;
        }
        app.clock.sleep_until(self.next).await;
    }

    fn tell(&mut self, app: &App) {
        for workspace in std::mem::take(&mut self.deliveries) {
            app.changed(workspace, "deliveries");
        }
        for workspace in std::mem::take(&mut self.webhooks) {
            app.changed(workspace, "webhooks");
        }
        self.next = app.clock.moment().plus(LIVE);
    }
}
