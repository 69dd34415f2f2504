//! The clock and the source of randomness that everything asks: real in production, moved by hand and seeded in tests.

use std::sync::{Arc, Mutex, PoisonError};

use bellwire_core::{
    id::{Id, Kind},
    time::Timestamp,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::sync::watch;

/// What time it is.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's.
    System,
    /// One that stands still until a test moves it.
    Fake(watch::Sender<Timestamp>),
}

impl Clock {
    /// A clock that shows `start` until it is moved.
    pub fn fake(start: Timestamp) -> Self {
        Self::Fake(watch::Sender::new(start))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
                let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
                Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
            }
            Self::Fake(time) => *time.borrow(),
        }
    }

    /// Waits until this clock shows `time` or later.
    pub async fn sleep_until(&self, time: Timestamp) {
        match self {
            Self::System => tokio::time::sleep(time.since(self.now())).await,
            Self::Fake(sender) => {
                // Fails only when the sender is gone, which `self` holds.
                let _ = sender.subscribe().wait_for(|now| *now >= time).await;
            }
        }
    }

    /// Moves a fake clock; a system clock moves by itself.
    pub fn advance(&self, by: std::time::Duration) {
        if let Self::Fake(sender) = self {
            sender.send_modify(|now| *now = now.saturating_add(by));
        }
    }
}

/// A seeded source of random bytes and ids, shared by all tasks.
#[derive(Clone, Debug)]
pub struct Randomness(Arc<Mutex<StdRng>>);

impl Randomness {
    /// Seeded by the operating system.
    pub fn from_system() -> Self {
        Self(Arc::new(Mutex::new(rand::make_rng())))
    }

    /// The same seed gives the same run.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes);
        bytes
    }

    /// A number from 0 up to, but not including, 1.
    pub fn fraction(&self) -> f64 {
        f64::from(u32::from_le_bytes(self.bytes())) / (f64::from(u32::MAX) + 1.0)
    }

    /// A new identifier, made at `now`.
    pub fn id<K: Kind>(&self, now: Timestamp) -> Id<K> {
        Id::new(now, self.bytes())
    }
}
