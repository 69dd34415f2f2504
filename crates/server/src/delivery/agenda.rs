//! When to look into the database, and for which webhooks: the earliest known due time of each.
//!
//! A hint, never the truth: it may name a webhook that has nothing due, and when it is full or the process starts anew, the
//! sweep's walk through the index fills it again.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use bellwire_core::{id::WebhookId, time::Timestamp};
use tokio::sync::Notify;

/// Webhooks that fit.
const ROOM: usize = 200_000;

#[derive(Default)]
pub(super) struct Agenda {
    times: Mutex<Times>,
    earlier: Notify,
}

#[derive(Default)]
struct Times {
    of: HashMap<WebhookId, Timestamp>,
    order: BTreeSet<(Timestamp, WebhookId)>,
}

impl Agenda {
    /// There is, or will be, something due for `webhook` at `at`.
    pub(super) fn note(&self, webhook: WebhookId, at: Timestamp) {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        match times.of.get(&webhook).copied() {
            Some(known) if known <= at => return,
            Some(known) => {
                times.order.remove(&(known, webhook));
            }
            None if times.of.len() >= ROOM => return,
            None => {}
        }
        times.of.insert(webhook, at);
        times.order.insert((at, webhook));
        if times.order.first() == Some(&(at, webhook)) {
            self.earlier.notify_one();
        }
    }

    /// Takes up to `limit` webhooks that have something due at `now`, the longest due first.
    pub(super) fn take_due(&self, now: Timestamp, limit: usize) -> Vec<WebhookId> {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        while due.len() < limit && times.order.first().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, webhook)) = times.order.pop_first() {
                times.of.remove(&webhook);
                due.push(webhook);
            }
        }
        due
    }

    /// The earliest time.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).order.first().map(|(at, _)| *at)
    }

    /// Waits until [`Agenda::next`] may have become earlier.
    pub(super) async fn earlier(&self) {
        self.earlier.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(n: u8) -> WebhookId {
        WebhookId::new(Timestamp::default(), [n; 10])
    }

    #[test]
    fn keeps_the_earliest_time_of_each() {
        let (agenda, at) = (Agenda::default(), Timestamp::from_micros);
        agenda.note(webhook(1), at(30));
        agenda.note(webhook(2), at(20));
        agenda.note(webhook(1), at(10));
        agenda.note(webhook(1), at(40));
        assert_eq!(agenda.next(), Some(at(10)));
        assert_eq!(agenda.take_due(at(9), 9), []);
        assert_eq!(agenda.take_due(at(25), 1), [webhook(1)]);
        assert_eq!(agenda.take_due(at(25), 9), [webhook(2)]);
        assert_eq!(agenda.next(), None);
    }
}
