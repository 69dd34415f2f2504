//! A worker: sends one delivery of its lane after the other.

use std::{sync::Arc, time::Duration};

use bellwire_core::delivery::{Outcome, parse_retry_after};

use super::{Ended, Job, Lane, Open};
use crate::{
    delivery::{
        Shared,
        dial::Failure,
        finish::{Attempted, Finished},
    },
    places::Place,
};

/// How long to wait when this machine has no more sockets.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Worker {
    shared: Arc<Shared>,
    lane: Arc<Lane>,
    /// What it counts as in its workspace.
    in_doubt: bool,
    place: Option<Place>,
    working: bool,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, lane: Arc<Lane>, in_doubt: bool, place: Place) -> Self {
        Self { shared, lane, in_doubt, place: Some(place), working: true }
    }

    pub(super) async fn work(mut self) {
        let (mut ended, mut open) = (None, None);
        while let Some(job) = self.lane.next(&self.shared, self.in_doubt, ended.take(), open.take()) {
            (ended, open) = self.send(job).await;
        }
        self.working = false;
    }

    async fn send(&self, job: Job) -> (Option<Ended>, Option<Open>) {
        let Job { owed, target, open } = job;
        let shared = &self.shared;
        let (clock, due_clock) = (&shared.app.clock, &shared.app.database_clock);
        let started_at = clock.now();
        let connection = open.map(|open| open.connection);
        let activations = target.activations;
        let result = shared.transport.exchange(&target, connection, &owed, started_at).await;
        let (ended_at, due_from) = (clock.now(), due_clock.now());
        let (outcome, answer, open) = match result {
            Ok((answer, connection)) => {
                let retry_after = answer.retry_after.as_deref().and_then(|text| parse_retry_after(text, ended_at));
                let open = connection.map(|connection| Open { connection, target });
                (Outcome::Answered { status: answer.status, retry_after }, Some(answer), open)
            }
            Err(Failure::Attempt(error)) => (Outcome::Error(error), None, None),
            Err(Failure::NotTried(error)) => {
                tracing::warn!(%error, "can't open more connections");
                shared.release(owed, due_from.saturating_add(PAUSE));
                return (Some(Ended::Strained), None);
            }
        };
        let strained = matches!(outcome, Outcome::Error(_) | Outcome::Answered { status: 429 | 500..=599, .. });
        let lane = Arc::clone(&self.lane);
        shared.finish(Finished::Attempt(Box::new(Attempted {
            owed,
            lane,
            activations,
            started_at,
            ended_at,
            due_from,
            outcome,
            answer,
        })));
        (Some(if strained { Ended::Strained } else { Ended::Answered }), open)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.working {
            self.lane.lost();
        }
        self.place = None;
        self.shared.exchanges.call(&self.shared, self.in_doubt);
        self.lane.left(&self.shared);
    }
}
