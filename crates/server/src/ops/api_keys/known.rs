//! API keys that were looked up a moment ago, so that a busy program is not looked up for each of its requests.
//!
//! Only what is checked once more inside its own transaction ([`Allowed`](crate::ops::group_commit::Allowed)) may rely on
//! them: there, the key's status, its secret and its permissions are those of that moment, on every node. So what is known
//! here decides nothing; it says whom to check.
//!
//! What always holds: every change that goes through [`crate::ops::journal`] makes this node forget all keys before it is answered;
//! changes by other nodes are seen when they tell of them ([`crate::ops::nodes`]), and after five seconds at the latest; a look-up that began before a change is not kept; and
//! what is kept is the hash of a secret, never the secret.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bellwire_core::time::Timestamp;

use crate::{app::App, crypt::TokenHash, error::Error, ops::Actor};

/// How long a key is known.
const MAX_AGE: Duration = Duration::from_secs(5);
/// As many as are known. Forgetting them costs a look-up each, no more.
const ROOM: usize = 10_000;

/// The keys that this node knows.
#[derive(Debug, Default)]
pub struct Known(Mutex<Keys>);

#[derive(Debug, Default)]
struct Keys {
    of: HashMap<TokenHash, (Actor, Timestamp)>,
    /// Counts the times when all was forgotten.
    forgotten: u64,
}

impl Known {
    /// Something in some workspace was changed.
    pub fn forget(&self) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.of.clear();
        keys.forgotten += 1;
    }

    /// The actor, or what to show to [`Known::keep`] after looking it up.
    fn find(&self, hash: &TokenHash, now: Timestamp) -> Result<Actor, u64> {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match keys.of.get(hash) {
            Some((actor, at)) if now.since(*at) < MAX_AGE => Ok(actor.clone()),
            _ => Err(keys.forgotten),
        }
    }

    fn keep(&self, hash: TokenHash, actor: &Actor, now: Timestamp, forgotten: u64) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.forgotten != forgotten {
            return;
        }
        if keys.of.len() >= ROOM {
            keys.of.clear();
        }
        keys.of.insert(hash, (actor.clone(), now));
    }
}

/// As [`super::authenticate`], for requests whose transaction checks the actor again.
///
/// # Errors
/// [`Error::Unauthenticated`], whatever the reason.
pub async fn recognise(app: &App, bearer: &str) -> Result<Actor, Error> {
    let (hash, now) = (TokenHash::of(bearer), app.clock.now());
    match app.known_keys.find(&hash, now) {
        Ok(actor) => Ok(actor),
        Err(forgotten) => {
            // Boxed: it is rare, and the future of a request that needs none is smaller.
            let actor = Box::pin(super::authenticate(app, bearer)).await?;
            app.known_keys.keep(hash, &actor, now, forgotten);
            Ok(actor)
        }
    }
}
