//! When to look into the database, and for which webhooks: the earliest known due time of each.
//!
//! A hint, never the truth: it may name a webhook that has nothing due, and when it is full or the process starts anew, the
//! sweep's walk through the index fills it again.
//!
//! Workspaces that have something due stand in line, and one webhook of each is taken in turn, its longest due one: however much
//! is due in one workspace, another has to wait for a turn of each and no longer. For the same reason none may fill the
//! agenda: it keeps at most three times as many as there is room for besides.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use bellwire_core::{
    id::{WebhookId, WorkspaceId},
    time::Timestamp,
};
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
    workspaces: HashMap<WorkspaceId, Page>,
    /// The earliest time of each workspace that doesn't stand in line.
    order: BTreeSet<(Timestamp, WorkspaceId)>,
    line: VecDeque<WorkspaceId>,
}

/// What is known of a workspace: never empty.
#[derive(Default)]
struct Page {
    order: BTreeSet<(Timestamp, WebhookId)>,
    in_line: bool,
}

impl Page {
    fn first(&self) -> Option<Timestamp> {
        self.order.first().map(|(at, _)| *at)
    }
}

impl Agenda {
    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is, or will be, something due for `webhook` at `at`.
    pub(super) fn note(&self, workspace: WorkspaceId, webhook: WebhookId, at: Timestamp) {
        let mut times = self.times();
        let before = times.next();
        times.note(workspace, webhook, at);
        if times.next() != before {
            self.earlier.notify_one();
        }
    }

    /// Takes up to `limit` webhooks that have something due at `now`.
    pub(super) fn take_due(&self, now: Timestamp, limit: usize) -> Vec<(WorkspaceId, WebhookId)> {
        self.times().take_due(now, limit)
    }

    /// The earliest time.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.times().next()
    }

    /// Waits until [`Agenda::next`] may have become earlier.
    pub(super) async fn earlier(&self) {
        self.earlier.notified().await;
    }
}

impl Times {
    fn note(&mut self, workspace: WorkspaceId, webhook: WebhookId, at: Timestamp) {
        let known = self.of.get(&webhook).copied();
        if known.is_some_and(|known| known <= at) {
            return;
        }
        let kept = self.workspaces.get(&workspace).map_or(0, |page| page.order.len());
        if known.is_none() && kept >= 3 * ROOM.saturating_sub(self.of.len()) {
            return;
        }
        self.of.insert(webhook, at);
        let page = self.workspaces.entry(workspace).or_default();
        let first = page.first();
        if let Some(known) = known {
            page.order.remove(&(known, webhook));
        }
        page.order.insert((at, webhook));
        if !page.in_line && first.is_none_or(|first| at < first) {
            if let Some(first) = first {
                self.order.remove(&(first, workspace));
            }
            self.order.insert((at, workspace));
        }
    }

    fn take_due(&mut self, now: Timestamp, limit: usize) -> Vec<(WorkspaceId, WebhookId)> {
        while let Some(&(at, workspace)) = self.order.first().filter(|(at, _)| *at <= now) {
            self.order.remove(&(at, workspace));
            if let Some(page) = self.workspaces.get_mut(&workspace) {
                page.in_line = true;
                self.line.push_back(workspace);
            }
        }
        let mut due = Vec::new();
        while due.len() < limit
            && let Some(workspace) = self.line.pop_front()
        {
            let Some(page) = self.workspaces.get_mut(&workspace) else { continue };
            if let Some((_, webhook)) = page.order.pop_first() {
                self.of.remove(&webhook);
                due.push((workspace, webhook));
            }
            match page.first() {
                Some(at) if at <= now => self.line.push_back(workspace),
                Some(at) => {
                    page.in_line = false;
                    self.order.insert((at, workspace));
                }
                None => drop(self.workspaces.remove(&workspace)),
            }
        }
        due
    }

    fn next(&self) -> Option<Timestamp> {
        let in_line = self.line.front().and_then(|workspace| self.workspaces.get(workspace)).and_then(Page::first);
        in_line.or_else(|| self.order.first().map(|(at, _)| *at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(n: u8) -> WebhookId {
        WebhookId::new(Timestamp::default(), [n; 10])
    }

    fn workspace(n: u8) -> WorkspaceId {
        WorkspaceId::new(Timestamp::default(), [n; 10])
    }

    fn webhooks(taken: Vec<(WorkspaceId, WebhookId)>) -> Vec<WebhookId> {
        taken.into_iter().map(|(_, webhook)| webhook).collect()
    }

    #[test]
    fn keeps_the_earliest_time_of_each() {
        let (agenda, at, ours) = (Agenda::default(), Timestamp::from_micros, workspace(1));
        agenda.note(ours, webhook(1), at(30));
        agenda.note(ours, webhook(2), at(20));
        agenda.note(ours, webhook(1), at(10));
        agenda.note(ours, webhook(1), at(40));
        assert_eq!(agenda.next(), Some(at(10)));
        assert_eq!(agenda.take_due(at(9), 9), []);
        assert_eq!(webhooks(agenda.take_due(at(25), 1)), [webhook(1)]);
        assert_eq!(agenda.next(), Some(at(20)));
        assert_eq!(webhooks(agenda.take_due(at(25), 9)), [webhook(2)]);
        assert_eq!(agenda.next(), None);
        assert!(agenda.times().workspaces.is_empty());
    }

    #[test]
    fn workspaces_take_turns() {
        let (agenda, at) = (Agenda::default(), Timestamp::from_micros);
        for n in 0..100 {
            agenda.note(workspace(1), webhook(n), at(n.into()));
        }
        agenda.note(workspace(2), webhook(200), at(300));
        agenda.note(workspace(3), webhook(201), at(200));
        agenda.note(workspace(3), webhook(202), at(400));
        assert_eq!(webhooks(agenda.take_due(at(300), 2)), [webhook(0), webhook(201)]);
        assert_eq!(webhooks(agenda.take_due(at(300), 2)), [webhook(200), webhook(1)]);
        agenda.note(workspace(2), webhook(200), at(300));
        assert_eq!(webhooks(agenda.take_due(at(400), 3)), [webhook(2), webhook(200), webhook(202)]);
    }

    #[test]
    fn one_workspace_can_not_fill_it() {
        let agenda = Agenda::default();
        let numbered = |n: usize| {
            let mut bytes = [0; 10];
            bytes[2..].copy_from_slice(&(n as u64).to_be_bytes());
            WebhookId::new(Timestamp::default(), bytes)
        };
        for n in 0..ROOM {
            agenda.note(workspace(1), numbered(n), Timestamp::default());
        }
        assert_eq!(agenda.times().of.len(), ROOM / 4 * 3);
        agenda.note(workspace(2), numbered(ROOM), Timestamp::default());
        assert_eq!(agenda.take_due(Timestamp::default(), 2)[1], (workspace(2), numbered(ROOM)));
    }
}
