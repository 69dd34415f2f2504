//! What publishers were promised, and what a receiver got.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use serde_json::json;
use tokio::{task::JoinSet, time::timeout};

use super::{
    client::Client,
    receiver::{Answer, Receiver},
};

/// After so long without an answer a publisher asks somebody else.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two requests of a publisher that was refused.
const PAUSE: Duration = Duration::from_millis(5);

/// Filled by publishers and a receiver, held against each other in the end.
#[derive(Default)]
pub(crate) struct Ledger {
    /// The ids of the events that were acknowledged, in the order of their acknowledgements.
    acknowledged: Mutex<Vec<String>>,
    /// How often each event arrived.
    arrivals: Mutex<BTreeMap<String, usize>>,
    /// How often a publish was repeated, because there was no answer or a refusal.
    repeated: AtomicUsize,
    over: AtomicBool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ledger {
    /// Counts what arrives.
    pub(crate) fn watch(self: &Arc<Self>, receiver: &Receiver) {
        let ledger = Arc::clone(self);
        receiver.answer_with(move |request| {
            ledger.arrived(request.header("webhook-id").unwrap());
            Answer::status(204)
        });
    }

    pub(crate) fn arrived(&self, id: &str) {
        *locked(&self.arrivals).entry(id.to_owned()).or_default() += 1;
    }

    /// Publishers that go from node to node until [`Ledger::end`]. Each repeats a publish, with the same idempotency key, until
    /// somebody acknowledges it.
    pub(crate) fn publishers(self: &Arc<Self>, count: usize, nodes: &[Client]) -> JoinSet<()> {
        let mut publishers = JoinSet::new();
        for number in 0..count {
            publishers.spawn(Arc::clone(self).publish(number, nodes.to_vec()));
        }
        publishers
    }

    async fn publish(self: Arc<Self>, publisher: usize, nodes: Vec<Client>) {
        let event = json!({"type": "user.blocked", "data": {"reason": "a test of what gets lost"}});
        let mut node = publisher;
        for number in 0.. {
            if self.over.load(SeqCst) {
                return;
            }
            let key = format!("{publisher}-{number}");
            loop {
                node = (node + 1) % nodes.len();
                let asked = timeout(PATIENCE, nodes[node].publish(&event, &key)).await;
                if let Ok(Ok((status, answer))) = asked {
                    if status == 202 {
                        locked(&self.acknowledged).push(answer["id"].as_str().unwrap().to_owned());
                        break;
                    }
                    assert!([401, 500, 503].contains(&status.as_u16()), "{status}: {answer}");
                }
                self.repeated.fetch_add(1, SeqCst);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Publishers end when they have an acknowledgement.
    pub(crate) fn end(&self) {
        self.over.store(true, SeqCst);
    }

    /// The acknowledged events from the `from`th on.
    pub(crate) fn acknowledged(&self, from: usize) -> Vec<String> {
        locked(&self.acknowledged)[from..].to_vec()
    }

    /// Waits until so many more are acknowledged.
    ///
    /// # Panics
    /// When that takes longer than two minutes.
    pub(crate) async fn grow(&self, by: usize) {
        let enough = locked(&self.acknowledged).len() + by;
        for _ in 0..60_000 {
            if locked(&self.acknowledged).len() >= enough {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("publishing stands still: {} were acknowledged", locked(&self.acknowledged).len());
    }

    pub(crate) fn repeated(&self) -> usize {
        self.repeated.load(SeqCst)
    }

    pub(crate) fn arrivals(&self) -> BTreeMap<String, usize> {
        locked(&self.arrivals).clone()
    }

    /// Acknowledged, and not arrived.
    pub(crate) fn missing(&self) -> BTreeSet<String> {
        let arrivals = locked(&self.arrivals);
        locked(&self.acknowledged).iter().filter(|id| !arrivals.contains_key(*id)).cloned().collect()
    }
}
