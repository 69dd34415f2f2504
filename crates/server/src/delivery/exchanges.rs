//! Exchanges that are under way: how many there are, and whose turn is next when there are as many as may be.
//!
//! Each costs a connection and its buffers, so the process has a number of places for them, which workspaces share ([`Places`]).
//! Those with receivers that failed last, or have not answered yet, have places of their own: however many receivers of a
//! workspace are dead or hang, there are places for the others. ([ADR 17](../../../../docs/adr/0017-a-dead-receiver-costs-probes.md))
//!
//! Who finds no place stands in line, each lane once, and workspaces take turns. While anybody does, whoever has ended an exchange
//! steps back, so that each gets its turn and none keeps its place for as long as it has work.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use bellwire_core::id::WorkspaceId;

use super::{Shared, lane::Lane};
use crate::places::{Place, Places};

/// Exchanges at once with receivers that answer.
const ANSWERING: usize = 2_048;
/// Exchanges at once with receivers that failed last, or have not answered yet.
const IN_DOUBT: usize = 1_024;
/// Workspaces that are looked at for one that may take a place.
const LOOKS: usize = 16;

pub(super) struct Exchanges {
    answering: Kind,
    in_doubt: Kind,
}

struct Kind {
    places: Places,
    line: Mutex<Line<Arc<Lane>>>,
    /// Lanes in line.
    waiting: AtomicUsize,
}

struct Line<T> {
    of: HashMap<WorkspaceId, VecDeque<T>>,
    turns: VecDeque<WorkspaceId>,
}

impl Default for Exchanges {
    fn default() -> Self {
        Self::new(ANSWERING, IN_DOUBT)
    }
}

impl Exchanges {
    pub(super) fn new(answering: usize, in_doubt: usize) -> Self {
        let kind = |places| Kind { places: Places::new(places), line: Mutex::default(), waiting: AtomicUsize::new(0) };
        Self { answering: kind(answering), in_doubt: kind(in_doubt) }
    }

    fn of(&self, in_doubt: bool) -> &Kind {
        if in_doubt { &self.in_doubt } else { &self.answering }
    }

    /// A place for one exchange.
    pub(super) fn take(&self, workspace: WorkspaceId, in_doubt: bool) -> Option<Place> {
        self.of(in_doubt).places.take(workspace, 1)
    }

    /// Lets a lane stand in line.
    pub(super) fn wait(&self, lane: Arc<Lane>, in_doubt: bool) {
        let kind = self.of(in_doubt);
        kind.waiting.fetch_add(1, Relaxed);
        kind.line().push(lane.workspace, lane);
    }

    /// Whether anybody stands in line.
    pub(super) fn are_wanted(&self, in_doubt: bool) -> bool {
        self.of(in_doubt).waiting.load(Relaxed) > 0
    }

    /// A place has become free: whose turn it is takes it. Lanes that have no use for it any more just leave the line.
    pub(super) fn call(&self, shared: &Arc<Shared>, in_doubt: bool) {
        let kind = self.of(in_doubt);
        while self.are_wanted(in_doubt) {
            let Some(lane) = kind.line().pop(|workspace| kind.places.room(workspace) > 0) else { return };
            kind.waiting.fetch_sub(1, Relaxed);
            if lane.called(shared) {
                return;
            }
        }
    }
}

impl Kind {
    fn line(&self) -> MutexGuard<'_, Line<Arc<Lane>>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { of: HashMap::new(), turns: VecDeque::new() }
    }
}

impl<T> Line<T> {
    fn push(&mut self, workspace: WorkspaceId, lane: T) {
        let of_workspace = self.of.entry(workspace).or_default();
        if of_workspace.is_empty() {
            self.turns.push_back(workspace);
        }
        of_workspace.push_back(lane);
    }

    /// The next lane of the next workspace that may.
    fn pop(&mut self, may: impl Fn(WorkspaceId) -> bool) -> Option<T> {
        for _ in 0..self.turns.len().min(LOOKS) {
            let workspace = self.turns.pop_front()?;
            let Some(of_workspace) = self.of.get_mut(&workspace).filter(|_| may(workspace)) else {
                self.turns.push_back(workspace);
                continue;
            };
            let lane = of_workspace.pop_front();
            if of_workspace.is_empty() {
                self.of.remove(&workspace);
            } else {
                self.turns.push_back(workspace);
            }
            return lane;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use bellwire_core::time::Timestamp;

    use super::*;

    #[test]
    fn workspaces_take_turns_and_who_may_not_is_passed_over() {
        let workspace = |n| WorkspaceId::new(Timestamp::default(), [n; 10]);
        let mut line = Line::default();
        for (owner, lane) in [(1, 10), (1, 11), (1, 12), (2, 20), (3, 30), (3, 31)] {
            line.push(workspace(owner), lane);
        }
        let taken: Vec<_> = std::iter::from_fn(|| line.pop(|it| it != workspace(3))).collect();
        assert_eq!(taken, [10, 20, 11, 12]);
        assert_eq!((line.pop(|_| true), line.pop(|_| true), line.pop(|_| true)), (Some(30), Some(31), None));
        assert!(line.of.is_empty() && line.turns.is_empty());
    }
}
