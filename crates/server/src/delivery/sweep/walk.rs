//! The walk through the webhooks that have something pending, one step in an index for each: it tells the agenda of everything, so
//! that nothing depends on a hint that was lost. The one at the start is the recovery after a crash.

use bellwire_core::{id::WebhookId, time::Timestamp};

use super::{super::Shared, round::TESTS};
use crate::{
    db::{self, leases::Pending},
    error::Error,
    metrics,
};

/// Webhooks in one step.
const STEP: u32 = 1_000;

/// A walk through the webhooks that have something pending.
#[derive(Clone, Copy)]
pub(super) struct Walk {
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
    /// At the beginning. `first`: the process has just started.
    pub(super) fn new(first: bool) -> Self {
        Self { after: None, first, seen: Seen::default() }
    }

    /// One step. Returns what is left of the walk.
    pub(super) async fn step(mut self, shared: &Shared, now: Timestamp) -> Result<Option<Self>, Error> {
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
            if let Some(workspace) = pending.workspace {
                shared.agenda.note(workspace, pending.webhook, if ended > 0 { now } else { pending.due_at });
            }
        }
        found.iter().for_each(|pending| self.seen.note(pending));
        let whole = webhooks.len() < STEP as usize;
        if whole {
            // A test is owed to an inactive webhook, too.
            let tests = db.read(|conn| Box::pin(async move { db::leases::pending_tests(conn, TESTS).await })).await?;
            tests.into_iter().for_each(|(workspace, webhook, due_at)| shared.agenda.note(workspace, webhook, due_at));
            self.seen.tell(&shared.app.metrics.walk, now);
        }
        Ok(if whole { None } else { webhooks.last().map(|last| Self { after: Some(*last), ..self }) })
    }
}
