//! Fetches from the database what is due by the database's clock: retries, resends, what did not fit in memory, what a dead node left.
//!
//! It looks when the agenda says that something is due, and takes no more than a lane has room for and than there are places in
//! memory ([`round`]). While one round is being read and handed over the next is being claimed. Every few seconds it walks through
//! everything that is pending ([`walk`]). The walk at the start is the recovery after a crash: there is no other.
//!
//! A lane with a backlog asks for more before it is empty, and a round takes along all the others that have a backlog and room:
//! lanes that go on in step want the same events and the same pages of the database, which are then read and written once for all
//! of them.

mod round;
mod walk;

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use bellwire_core::{
    id::{WebhookId, WorkspaceId},
    time::Timestamp,
};
use tokio::task::{JoinError, JoinSet};

use self::{round::Claimant, walk::Walk};
use super::Shared;
use crate::{clock::Moment, error::Error};

/// Between two walks.
const WALK: Duration = Duration::from_secs(5);
/// Webhooks in one round of claims: bounds how long the transaction keeps others from writing.
const WEBHOOKS: usize = 1_024;
/// Rounds at once.
const ROUNDS: usize = 2;
/// Rounds begin no closer to each other, so that those who ask at about the same time share one; and no closer than a millisecond
/// for each webhook of the one before, up to the second of these.
const APART: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(100)];
/// What a lane that has not asked must have room for to be taken along.
const WORTH_IT: usize = 32;
/// How long to wait for places in memory, and after the database failed.
const PAUSE: Duration = Duration::from_millis(200);

/// Runs until the engine stops.
pub(super) async fn run(shared: &Arc<Shared>) {
    let clock = &shared.app.clock;
    let mut sweep = Sweep { shared, rounds: JoinSet::new(), more: BTreeSet::new(), next_round: clock.moment() };
    let mut walk = Some(Walk::new(true));
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
            walk = Some(Walk::new(false));
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
        sweep.begin_rounds();
        let at = match shared.agenda.next() {
            _ if failed => clock.moment().plus(PAUSE),
            _ if walk.is_some() => now,
            Some(due_at) if sweep.may_begin() => {
                let due = clock.moment().plus(shared.app.database_clock.until(due_at));
                due.max(sweep.next_round).min(next_tick).min(next_walk)
            }
            _ => next_tick.min(next_walk),
        };
        tokio::select! {
            biased;
            () = shared.stopped() => break,
            Some(ended) = sweep.rounds.join_next() => sweep.end_round(ended),
            () = shared.agenda.earlier(), if !failed && sweep.may_begin() => {}
            () = shared.look.notified() => next_walk = clock.moment(),
            () = clock.sleep_until(at) => {}
        }
    }
    // What they have claimed is given back.
    while let Some(ended) = sweep.rounds.join_next().await {
        sweep.end_round(ended);
    }
}

struct Sweep<'a> {
    shared: &'a Arc<Shared>,
    rounds: JoinSet<Result<Vec<Claimant>, Error>>,
    /// Webhooks of which there is more in the database than their lanes had room for, but for those of a round that is under way.
    more: BTreeSet<(WorkspaceId, WebhookId)>,
    /// Not before.
    next_round: Moment,
}

impl Sweep<'_> {
    fn may_begin(&self) -> bool {
        self.rounds.len() < ROUNDS
    }

    /// Begins a round when its time has come and something is due.
    fn begin_rounds(&mut self) {
        let Shared { app, agenda, .. } = &**self.shared;
        let (moment, now) = (app.clock.moment(), app.database_clock.now());
        if !self.may_begin() || moment < self.next_round {
            return;
        }
        let due = agenda.take_due(now, WEBHOOKS);
        if due.is_empty() {
            return;
        }
        let claimants = self.claimants(&due, now);
        let apart = super::apart(APART, claimants.len());
        let shared = Arc::clone(self.shared);
        self.rounds.spawn(async move { round::run(&shared, claimants, now).await });
        if !matches!(app.clock, crate::clock::Clock::Fake(_)) {
            self.next_round = moment.plus(apart);
        }
    }

    /// Those who asked and have room, and those that are taken along.
    fn claimants(&mut self, due: &[(WorkspaceId, WebhookId)], now: Timestamp) -> Vec<Claimant> {
        let lanes = &self.shared.lanes;
        let room = |(workspace, webhook), least: usize| {
            let room = lanes.room(self.shared, webhook);
            (room >= least).then_some(Claimant { workspace, webhook, room, backlog: false })
        };
        // Without room, a lane asks again when it has some.
        let asked = due.iter().filter_map(|asked| room(*asked, 1));
        let known: HashSet<_> = due.iter().collect();
        let others = self.more.iter().filter(|other| !known.contains(other));
        let others = others.filter_map(|other| room(*other, WORTH_IT));
        let claimants: Vec<Claimant> = asked.chain(others).take(WEBHOOKS).collect();
        for claimant in &claimants {
            self.more.remove(&(claimant.workspace, claimant.webhook));
        }
        round::share_out(self.shared, claimants, now)
    }

    fn end_round(&mut self, ended: Result<Result<Vec<Claimant>, Error>, JoinError>) {
        match ended {
            Ok(Ok(claimants)) => {
                let full = claimants.iter().filter(|claimant| claimant.backlog);
                self.more.extend(full.map(|claimant| (claimant.workspace, claimant.webhook)));
            }
            Ok(Err(error)) => error.log(),
            Err(error) => tracing::error!(%error, "a round of claims broke off; its leases end by themselves"),
        }
    }
}
