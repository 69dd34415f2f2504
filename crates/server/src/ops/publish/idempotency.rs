//! Idempotency keys: they make a publish safe to repeat.
//!
//! The answer is stored under the key, with a hash of what was asked, in the transaction that writes the events. A repetition
//! gets the stored answer; something else under the same key is refused.

use std::{collections::HashMap, time::Duration};

use bellwire_core::{id::WorkspaceId, time::Timestamp};
use sha2::{Digest, Sha256};

use super::{NewPublish, Published};
use crate::{
    crypt,
    db::{self, Conn},
    error::Error,
};

/// How long a key is remembered.
pub const KEY_LIFETIME: Duration = Duration::from_hours(24);

/// What a client calls a publish, so that it can repeat it: 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The most characters.
    pub const MAX_LENGTH: usize = 255;

    /// Reads the `Idempotency-Key` header.
    ///
    /// # Errors
    /// [`Error::Invalid`]
    pub fn parse(text: &str) -> Result<Self, Error> {
        if (1..=Self::MAX_LENGTH).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::invalid("Idempotency-Key", "must be 1 to 255 visible ASCII characters"))
        }
    }
}

/// A key with the hash of what is asked under it.
#[derive(Clone, Debug)]
pub(super) struct Key {
    key: String,
    hash: String,
}

impl Key {
    /// The hash covers every field, and the data byte for byte.
    pub(super) fn new(key: IdempotencyKey, batch: &[NewPublish]) -> Result<Self, Error> {
        let part = |new: &NewPublish| serde_json::to_string(&(new.event_type, &new.data, &new.actor, new.occurred_at));
        let parts = batch.iter().map(part).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { key: key.0, hash: crypt::hex(&Sha256::digest(parts.join(","))) })
    }
}

/// How a key was used before.
pub(super) enum Earlier {
    /// In an earlier transaction, with this answer.
    Stored(Vec<Published>),
    /// By the part of this index in the same transaction.
    SameGroup(usize),
}

/// The keys of one workspace in one transaction.
#[derive(Default)]
pub(super) struct Seen(HashMap<String, (String, usize)>);

impl Seen {
    /// Looks for an earlier use of the key; `None` when this is the first, which the part `index` then is.
    pub(super) async fn look(
        &mut self,
        conn: &mut Conn,
        workspace: WorkspaceId,
        key: &Key,
        index: usize,
        now: Timestamp,
    ) -> Result<Option<Result<Earlier, Error>>, Error> {
        let (hash, earlier) = if let Some((hash, first)) = self.0.get(&key.key) {
            (hash.clone(), Earlier::SameGroup(*first))
        } else {
            let since = now.saturating_sub(KEY_LIFETIME);
            match db::idempotency_keys::get(conn, workspace, &key.key, since).await? {
                Some(stored) => (stored.request_hash, Earlier::Stored(serde_json::from_str(&stored.answer)?)),
                None => {
                    self.0.insert(key.key.clone(), (key.hash.clone(), index));
                    return Ok(None);
                }
            }
        };
        Ok(Some(if hash == key.hash {
            Ok(earlier)
        } else {
            let message = "this idempotency key was used for another request";
            Err(Error::conflict("idempotency_key_reused", message))
        }))
    }
}

/// Stores the answers.
pub(super) async fn store(
    conn: &mut Conn,
    workspace: WorkspaceId,
    keys: &[(Key, String)],
    now: Timestamp,
) -> Result<(), Error> {
    let rows = keys.iter().map(|(key, answer)| (key.key.as_str(), key.hash.as_str(), answer.as_str()));
    Ok(db::idempotency_keys::put(conn, workspace, rows, now).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_visible_ascii() {
        assert!(IdempotencyKey::parse("order-1/é").is_err());
        for bad in ["", " ", "a b", "a\n", &"k".repeat(256)] {
            assert!(IdempotencyKey::parse(bad).is_err(), "{bad:?}");
        }
        assert!(IdempotencyKey::parse(&"k".repeat(255)).is_ok());
    }
}
