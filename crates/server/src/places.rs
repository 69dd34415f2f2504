//! Places: a bounded number of something, which workspaces share so that none of them can take it all.
//!
//! Deliveries in memory hold them, and exchanges that are under way. Nobody waits for a place here: it is there or it is not.
//!
//! A workspace gets no more than three times what it leaves free. Alone it may have three quarters of the whole, two that want
//! everything get three sevenths each, and so on: whoever comes next always finds some, without anybody's share being set aside.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use bellwire_core::id::WorkspaceId;

/// How many times what is left free a workspace may have.
const TIMES: usize = 3;

/// A number of places; all clones are the same.
#[derive(Clone, Debug)]
pub struct Places(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    all: usize,
    free: Arc<AtomicUsize>,
    closed: AtomicBool,
    shares: Mutex<Shares>,
}

#[derive(Debug, Default)]
struct Shares {
    of: HashMap<WorkspaceId, Arc<AtomicUsize>>,
    /// When there are so many, those that have nothing are forgotten.
    clear_at: usize,
}

/// Places that somebody has; given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    count: usize,
    free: Arc<AtomicUsize>,
    taken: Arc<AtomicUsize>,
}

impl Places {
    /// All of them are free.
    pub fn new(all: usize) -> Self {
        let free = Arc::new(AtomicUsize::new(all));
        Self(Arc::new(Parts { all, free, closed: AtomicBool::new(false), shares: Mutex::default() }))
    }

    /// `count` places, or none when `workspace` may not have all of them.
    pub fn take(&self, workspace: WorkspaceId, count: usize) -> Option<Place> {
        self.with(workspace, |free, taken| {
            // Only here are there ever fewer free ones, and only one does this at a time.
            (count <= may_take(free.load(Relaxed), taken.load(Relaxed))).then(|| {
                free.fetch_sub(count, Relaxed);
                taken.fetch_add(count, Relaxed);
                Place { count, free: Arc::clone(free), taken: Arc::clone(taken) }
            })
        })
        .flatten()
    }

    /// No place at all, for what only passes through.
    pub fn none(&self) -> Place {
        Place { count: 0, free: Arc::clone(&self.0.free), taken: Arc::default() }
    }

    /// How many `workspace` could take now.
    pub fn room(&self, workspace: WorkspaceId) -> usize {
        self.with(workspace, |free, taken| may_take(free.load(Relaxed), taken.load(Relaxed))).unwrap_or(0)
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        self.0.all.saturating_sub(self.0.free.load(Relaxed))
    }

    /// Whether more than half of them are taken.
    pub fn are_scarce(&self) -> bool {
        self.taken() > self.0.all / 2
    }

    /// From now on nobody gets any.
    pub fn close(&self) {
        self.0.closed.store(true, Relaxed);
    }

    fn with<T>(
        &self,
        workspace: WorkspaceId,
        work: impl FnOnce(&Arc<AtomicUsize>, &Arc<AtomicUsize>) -> T,
    ) -> Option<T> {
        if self.0.closed.load(Relaxed) {
            return None;
        }
        let mut shares = self.0.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if shares.of.len() >= shares.clear_at {
            shares.of.retain(|_, taken| Arc::strong_count(taken) > 1);
            shares.clear_at = (2 * shares.of.len()).max(64);
        }
        Some(work(&self.0.free, shares.of.entry(workspace).or_default()))
    }
}

/// So many that what is taken afterwards is at most [`TIMES`] what is free then.
fn may_take(free: usize, taken: usize) -> usize {
    (TIMES * free).saturating_sub(taken) / (TIMES + 1)
}

impl Place {
    /// Takes `count` of them apart; `None` when there are not so many.
    pub fn split(&mut self, count: usize) -> Option<Self> {
        self.count = self.count.checked_sub(count)?;
        Some(Self { count, free: Arc::clone(&self.free), taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.count, Relaxed);
        self.free.fetch_add(self.count, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use bellwire_core::time::Timestamp;

    use super::*;

    fn workspace(n: u8) -> WorkspaceId {
        WorkspaceId::new(Timestamp::default(), [n; 10])
    }

    #[test]
    fn whoever_comes_next_finds_some() {
        let places = Places::new(1_600);
        let greedy = places.take(workspace(1), places.room(workspace(1))).unwrap();
        assert_eq!((greedy.count, places.room(workspace(1))), (1_200, 0), "three quarters");
        let next = places.take(workspace(2), places.room(workspace(2))).unwrap();
        assert_eq!(next.count, 300);
        assert!(places.take(workspace(3), 1).is_some());
        drop(greedy);
        assert_eq!(places.room(workspace(2)), (3 * 1_300 - 300) / 4);
        drop(next);
        assert_eq!(places.taken(), 0);
    }

    #[test]
    fn all_or_none_and_given_back_in_parts() {
        let places = Places::new(100);
        assert!(places.take(workspace(1), 76).is_none());
        let mut ten = places.take(workspace(1), 10).unwrap();
        assert!(ten.split(11).is_none());
        drop(ten.split(4));
        assert_eq!(places.taken(), 6);
        drop(ten);
        assert_eq!(places.taken(), 0);
        places.close();
        assert!(places.take(workspace(1), 1).is_none());
    }

    #[test]
    fn who_has_nothing_is_forgotten() {
        let places = Places::new(10);
        let kept = places.take(workspace(255), 1);
        for n in 0..=254 {
            drop(places.take(workspace(n), 1));
        }
        assert!(places.0.shares.lock().unwrap().of.len() <= 64);
        drop(kept);
    }
}
