//! Fetches from the database what is due by the database's clock: retries, resends, what did not fit in memory, what a dead node left.
//!
//! It looks when the agenda says that something is due, and takes no more than a lane has room for and than there are places in
//! memory. Every few seconds it walks through the webhooks that have anything pending, one step in an index for each, so that
//! nothing depends on a hint that was lost. The walk at the start is the recovery after a crash: there is no other.

use std::{sync::Arc, time::Duration};

use bellwire_core::{
    id::{NodeId, WebhookId},
    time::Timestamp,
};

use super::Shared;
use crate::{
    app::Owed,
    db::{
        self,
        leases::{Claim, Pending},
    },
    error::Error,
    metrics,
    ops::journal::LEASE,
};

/// Between two walks.
const WALK: Duration = Duration::from_secs(5);
/// Webhooks in one step of the walk.
const STEP: u32 = 1_000;
/// Webhooks in one round of claims: bounds how long the transaction keeps others from writing.
const ROUND: usize = 64;
/// Deliveries of one webhook in one round.
const SHARE: usize = 512;
/// Tests in one round.
const TESTS: usize = 16;
/// How long to wait for places in memory, and after the database failed.
const PAUSE: Duration = Duration::from_millis(200);

/// Runs until the engine stops.
pub(super) async fn run(shared: &Arc<Shared>) {
    let clock = &shared.app.clock;
    let mut walk = Some(Walk { after: None, first: true, seen: Seen::default() });
    let (mut next_walk, mut next_tick) = (clock.moment(), clock.moment());
    let mut ticks = 0_u64;
    loop {
        let now = clock.moment();
        if now >= next_tick {
            // What other nodes say of webhooks that they change may get lost: look from time to time.
            let reload = shared.app.db.is_shared() && ticks.is_multiple_of(5);
            shared.lanes.tick(shared, now, reload);
            ticks += 1;
            next_tick = now.plus(Duration::from_secs(1));
        }
        if walk.is_none() && now >= next_walk {
            walk = Some(Walk { after: None, first: false, seen: Seen::default() });
        }
        let mut failed = false;
        if let Some(step) = walk.take() {
            match step.step(shared, shared.app.database_clock.now()).await {
                Ok(next) => walk = next,
                Err(error) => {
                    error.log();
                    failed = true;
                    walk = Some(step);
                }
            }
            next_walk = now.plus(WALK);
        }
        if let Err(error) = round(shared, shared.app.database_clock.now()).await {
            error.log();
            failed = true;
        }
        let at = match shared.agenda.next() {
            _ if failed => clock.moment().plus(PAUSE),
            _ if walk.is_some() => now,
            Some(due_at) => clock.moment().plus(shared.app.database_clock.until(due_at)).min(next_tick).min(next_walk),
            None => next_tick.min(next_walk),
        };
        if shared.stopping() {
            return;
        }
        tokio::select! {
            biased;
            () = shared.stopped() => return,
            () = shared.agenda.earlier(), if !failed => {}
            () = shared.look.notified() => next_walk = clock.moment(),
            () = clock.sleep_until(at) => {}
        }
    }
}

/// A walk through the webhooks that have something pending.
#[derive(Clone, Copy)]
struct Walk {
    after: Option<WebhookId>,
    /// The one at the start.
    first: bool,
    seen: Seen,
}

/// What a walk has met so far.
#[derive(Clone, Copy, Default)]
struct Seen {
    active: usize,
    inactive: usize,
    /// The earliest time at which something of an active webhook was due.
    first_due: Option<Timestamp>,
}

impl Seen {
    fn note(&mut self, pending: &Pending) {
        if !pending.active {
            self.inactive += 1;
            return;
        }
        self.active += 1;
        self.first_due = Some(self.first_due.map_or(pending.due_at, |first| first.min(pending.due_at)));
    }

    fn tell(&self, metrics: &metrics::Walk, now: Timestamp) {
        metrics.active.count(self.active);
        metrics.inactive.count(self.inactive);
        let age = self.first_due.map_or(0, |first| now.as_micros().saturating_sub(first.as_micros()).max(0));
        metrics.oldest_due.set(age);
    }
}

impl Walk {
    /// One step. Returns what is left of the walk.
    async fn step(mut self, shared: &Shared, now: Timestamp) -> Result<Option<Self>, Error> {
        let after = self.after;
        let db = &shared.app.db;
        let found = db.read(move |conn| Box::pin(async move { db::leases::pending(conn, after, STEP).await })).await?;
        let webhooks: Vec<WebhookId> = found.iter().map(|pending| pending.webhook).collect();
        let mut ended = 0;
        if self.first && !db.is_shared() && !webhooks.is_empty() {
            let (node, webhooks) = (shared.app.node, webhooks.clone());
            ended = db
                .write(move |conn| {
                    Box::pin(async move { db::leases::end_leases_of_others(conn, node, &webhooks, now).await })
                })
                .await?;
        }
        if ended > 0 {
            tracing::info!(count = ended, "deliveries that were in memory at the last stop are sent again");
        }
        for pending in found.iter().filter(|pending| pending.active) {
            shared.agenda.note(pending.webhook, if ended > 0 { now } else { pending.due_at });
        }
        found.iter().for_each(|pending| self.seen.note(pending));
        let whole = webhooks.len() < STEP as usize;
        if whole {
            self.seen.tell(&shared.app.metrics.walk, now);
        }
        Ok(if whole { None } else { webhooks.last().map(|last| Self { after: Some(*last), ..self }) })
    }
}

/// Claims what is due and hands it to the lanes.
async fn round(shared: &Arc<Shared>, now: Timestamp) -> Result<(), Error> {
    let due = shared.agenda.take_due(now, ROUND);
    if due.is_empty() {
        return Ok(());
    }
    // Half of what is free is left to what is published meanwhile.
    let mut free = shared.app.wake.room() / 2;
    let mut wishes = Vec::with_capacity(due.len());
    let later = now.saturating_add(PAUSE);
    let tests = TESTS.min(free);
    free -= tests;
    for webhook in &due {
        let room = shared.lanes.room(shared, *webhook).min(SHARE);
        if room == 0 {
            continue; // the lane asks again when it has room
        }
        match room.min(free) {
            0 => shared.agenda.note(*webhook, later),
            room => {
                free -= room;
                wishes.push((*webhook, u32::try_from(room).unwrap_or(u32::MAX)));
            }
        }
    }
    let result = claim(shared, now, wishes, tests).await;
    if result.is_err() {
        due.into_iter().for_each(|webhook| shared.agenda.note(webhook, later));
    }
    result
}

async fn claim(shared: &Arc<Shared>, now: Timestamp, wishes: Vec<(WebhookId, u32)>, tests: usize) -> Result<(), Error> {
    let wanted = wishes.iter().map(|(_, room)| *room as usize).sum::<usize>() + tests;
    let Some(mut places) = shared.app.wake.reserve(wanted) else {
        let later = now.saturating_add(PAUSE);
        wishes.into_iter().for_each(|(webhook, _)| shared.agenda.note(webhook, later));
        return Ok(());
    };
    let (node, until) = (shared.app.node, now.saturating_add(LEASE));
    let tests = u32::try_from(tests).unwrap_or(0);
    let asked = wishes.clone();
    let claims = shared
        .app
        .db
        .write(move |conn| {
            Box::pin(async move {
                let mut claims = db::leases::claim_tests(conn, node, now, until, tests).await?;
                for (webhook, room) in asked {
                    claims.push(db::leases::claim(conn, node, webhook, now, until, room).await?);
                }
                Ok::<_, db::DbError>(claims)
            })
        })
        .await?;
    let full = |claim: &&Claim| {
        wishes.iter().any(|(webhook, room)| *webhook == claim.webhook && claim.ids.len() >= *room as usize)
    };
    let backlog: std::collections::HashSet<WebhookId> = claims.iter().filter(full).map(|claim| claim.webhook).collect();
    for claim in claims.iter().filter(|claim| !backlog.contains(&claim.webhook)) {
        if let Some(next) = claim.next {
            shared.agenda.note(claim.webhook, next);
        }
    }
    if claims.iter().all(|claim| claim.ids.is_empty()) {
        return Ok(());
    }
    let owed = load(shared, node, until, claims, &mut places).await?;
    shared.lanes.push(shared, owed, |webhook| backlog.contains(&webhook));
    Ok(())
}

/// Reads what was claimed; if that fails, the leases end by themselves.
async fn load(
    shared: &Shared,
    node: NodeId,
    until: Timestamp,
    claims: Vec<Claim>,
    places: &mut tokio::sync::OwnedSemaphorePermit,
) -> Result<Vec<Owed>, Error> {
    let loaded = shared
        .app
        .db
        .read(move |conn| Box::pin(async move { db::leases::load(conn, node, until, &claims).await }))
        .await?;
    let owed = loaded.into_iter().filter_map(|claimed| {
        Some(Owed {
            id: claimed.id,
            webhook: claimed.webhook,
            workspace: claimed.workspace,
            event: claimed.event,
            body: claimed.body,
            reason: claimed.reason,
            tries: claimed.tries,
            attempts: claimed.attempts,
            created_at: claimed.created_at,
            leased_until: until,
            place: places.split(1)?,
        })
    });
    Ok(owed.collect())
}
