//! What happens to API keys. None of these events holds a secret.

use serde_json::{Value, json};

use super::{
    ActorType::ApiKeys,
    Entry, Object,
    objects::{NOW, api_key, object, previous, reason},
};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::of(ApiKeys, "api_key.created", "API key created", "An API key was created.", || {
        Object::new([object(api_key().showing("created_at", NOW).showing("last_used_at", Value::Null))])
    }),
    Entry::of(ApiKeys, "api_key.updated", "API key updated", "An API key's name changed.", || {
        Object::new([object(api_key()), previous(api_key(), ["name"], &json!({"name": "Billing"}))])
    }),
    Entry::of(
        ApiKeys,
        "api_key.secret_rotated",
        "API key secret rotated",
        "An API key got a new secret in place of the old one.",
        || Object::new([object(api_key()), previous(api_key(), ["hint"], &json!({"hint": "b3Lk"})).optional()]),
    ),
    Entry::of(
        ApiKeys,
        "api_key.blocked",
        "API key blocked",
        "An API key was blocked: requests with it are refused.",
        || {
            Object::new([
                object(api_key().showing("status", "blocked").showing("status_reason", "found in a public repository")),
                previous(api_key(), ["status"], &json!({"status": "active"})),
                reason("found in a public repository"),
            ])
        },
    ),
    Entry::of(ApiKeys, "api_key.unblocked", "API key unblocked", "A blocked API key may act again.", || {
        let before = json!({"status": "blocked", "status_reason": "unused"});
        Object::new([object(api_key()), previous(api_key(), ["status", "status_reason"], &before)])
    }),
    Entry::of(ApiKeys, "api_key.deleted", "API key deleted", "An API key was deleted.", || {
        Object::new([object(api_key())])
    }),
];
