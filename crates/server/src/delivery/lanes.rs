//! All lanes: who finds them, makes them and forgets them.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, DefaultHasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bellwire_core::id::WebhookId;

use super::{Shared, lane::Lane};
use crate::{app::Owed, clock::Moment};

/// The ids are our own, so nobody can choose them; and a simulation has to meet lanes in the same order every time.
type Registry = HashMap<WebhookId, Arc<Lane>, BuildHasherDefault<DefaultHasher>>;

/// What a lane that is not there yet has room for.
const FIRST_ROOM: usize = 4;

/// The lanes of webhooks that are being sent to, or were a moment ago.
#[derive(Default)]
pub(super) struct Lanes(Mutex<Registry>);

impl Lanes {
    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives deliveries to their lanes. `backlog` says for which webhooks there is more in the database.
    pub(super) fn push(&self, shared: &Arc<Shared>, owed: Vec<Owed>, backlog: impl Fn(WebhookId) -> bool) {
        let mut registry = self.registry();
        let mut owed = owed.into_iter().peekable();
        while let Some(first) = owed.next() {
            let webhook = first.webhook;
            let lane = registry.entry(webhook).or_insert_with(|| Arc::new(Lane::new(shared, first.workspace, webhook)));
            let rest = std::iter::from_fn(|| owed.next_if(|next| next.webhook == webhook));
            lane.push(shared, std::iter::once(first).chain(rest), backlog(webhook));
        }
    }

    /// See [`Lane::room`]; a webhook without a lane has a little.
    pub(super) fn room(&self, shared: &Shared, webhook: WebhookId) -> usize {
        let lane = self.registry().get(&webhook).cloned();
        lane.map_or(FIRST_ROOM, |lane| lane.room(shared))
    }

    /// See [`Lane::changed`].
    pub(super) fn changed(&self, shared: &Arc<Shared>, webhook: WebhookId) {
        if let Some(lane) = self.registry().get(&webhook) {
            lane.changed(shared);
        }
    }

    /// All webhooks may have been changed.
    pub(super) fn all_changed(&self, shared: &Arc<Shared>) {
        self.registry().values().for_each(|lane| lane.changed(shared));
    }

    /// See [`Lane::go_on`].
    pub(super) fn go_on(&self, shared: &Arc<Shared>) {
        self.registry().values().for_each(|lane| lane.go_on(shared));
    }

    /// See [`Lane::tick`]. Lanes that are not needed any more are forgotten.
    pub(super) fn tick(&self, shared: &Arc<Shared>, now: Moment, reload: bool) {
        let mut registry = self.registry();
        registry.retain(|_, lane| lane.tick(shared, now, reload));
        let burdens = registry.values().map(|lane| lane.burden());
        let (queued, running) = burdens.fold((0, 0), |(queued, running), lane| (queued + lane.0, running + lane.1));
        let metrics = &shared.app.metrics.lanes;
        metrics.lanes.count(registry.len());
        metrics.queued.count(queued);
        metrics.exchanges.count(running);
    }

    /// See [`Lane::stop`].
    pub(super) fn stop(&self, shared: &Shared) {
        for lane in self.registry().values() {
            lane.stop(shared);
        }
    }
}
