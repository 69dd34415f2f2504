//! Idempotency keys: they make a request safe to repeat.
//!
//! The answer is stored under the key, with a hash of what was asked, in the transaction that does it. A repetition gets the
//! stored answer; something else under the same key is refused, be it of the same kind or of another.

use std::{collections::HashMap, time::Duration};

use bellwire_core::{id::WorkspaceId, time::Timestamp};
use sha2::{Digest, Sha256};

use crate::{
    crypt,
    db::{self, Conn},
    error::Error,
};

/// How long a key is remembered.
pub const KEY_LIFETIME: Duration = Duration::from_hours(24);

/// What a client calls a request, so that it can repeat it: 1 to 255 visible ASCII characters.
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
    /// `asked` is all of the request that matters, in one text that no other kind of request has.
    pub(super) fn new(key: IdempotencyKey, asked: &str) -> Self {
        Self { key: key.0, hash: crypt::hex(&Sha256::digest(asked)) }
    }
}

/// How a key was used before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Earlier {
    /// In an earlier transaction, with this answer: JSON.
    Stored(String),
    /// By the part of this index in the same transaction.
    SameGroup(usize),
}

/// The keys of one workspace in one transaction, and how they were used before: hash and answer.
pub(super) struct Seen(HashMap<String, (String, Earlier)>);

impl Seen {
    /// Asks for all keys at once.
    pub(super) async fn load<'k>(
        conn: &mut Conn,
        workspace: WorkspaceId,
        keys: impl Iterator<Item = &'k Key>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let keys: Vec<&str> = keys.map(|key| key.key.as_str()).collect();
        if keys.is_empty() {
            return Ok(Self(HashMap::new()));
        }
        let stored = db::idempotency_keys::get(conn, workspace, &keys, now.saturating_sub(KEY_LIFETIME)).await?;
        let known =
            |(key, it): (String, db::idempotency_keys::Stored)| (key, (it.request_hash, Earlier::Stored(it.answer)));
        Ok(Self(stored.into_iter().map(known).collect()))
    }

    /// How the key was used before; `None` when it was not.
    ///
    /// # Errors
    /// [`Error::Conflict`] with `idempotency_key_reused`.
    pub(super) fn look(&self, key: &Key) -> Result<Option<&Earlier>, Error> {
        match self.0.get(&key.key) {
            None => Ok(None),
            Some((hash, earlier)) if *hash == key.hash => Ok(Some(earlier)),
            Some(_) => {
                let message = "this idempotency key was used for another request";
                Err(Error::conflict("idempotency_key_reused", message))
            }
        }
    }

    /// The key is used by the part of this index.
    pub(super) fn note(&mut self, key: &Key, index: usize) {
        self.0.insert(key.key.clone(), (key.hash.clone(), Earlier::SameGroup(index)));
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
