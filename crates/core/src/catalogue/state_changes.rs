//! What happens to the license and its balance of state changes.
//!
//! No event tells of a single use. A balance is told of when it grows, when use crosses a threshold on the way up (once in a
//! period; 100 % is `exhausted`), and when it is above zero again.

use serde_json::json;

use super::{
    ActorType::StateChanges,
    Entry,
    ExampleActor::{ApiKey, System},
    Object,
    objects::{balance, license, license_id, object, previous, reason},
    shape::{Property, at_least, one_of, percent, property},
};

/// The balance when `used` state changes are used, and what else is told.
fn balance_and<const N: usize>(used: i64, more: [Property; N]) -> Object {
    Object::new(std::iter::once(license_id()).chain(balance(used)).chain(more))
}

pub(super) const ENTRIES: &[Entry] = &[
    Entry::of(
        StateChanges,
        "state_changes.credited",
        "State changes credited",
        "State changes were added to the balance.",
        || {
            let source = one_of(["purchase", "renewal", "bonus", "adjustment"]);
            let amount = property("amount", "How many were added.", at_least(1, 20_000));
            balance_and(104_200, [amount, property("source", "Where they came from.", source)])
        },
    ),
    Entry::of(
        StateChanges,
        "state_changes.threshold_reached",
        "Usage threshold reached",
        "The use of state changes reached a threshold of the license.",
        || balance_and(416_000, [property("threshold", "The threshold, in percent used.", percent(80))]),
    )
    .done_by(ApiKey),
    Entry::of(
        StateChanges,
        "state_changes.exhausted",
        "State changes exhausted",
        "All state changes of the balance are used.",
        || balance_and(520_000, []),
    )
    .done_by(ApiKey),
    Entry::of(
        StateChanges,
        "state_changes.replenished",
        "State changes replenished",
        "After being exhausted, the balance is above zero again.",
        || balance_and(510_000, []),
    ),
    Entry::of(StateChanges, "license.issued", "License issued", "The workspace got a new license.", || {
        Object::new([object(license().showing("used", 0).showing("balance", 520_000))])
    })
    .done_by(System),
    Entry::of(
        StateChanges,
        "license.updated",
        "License updated",
        "A license's plan, period, renewal, included state changes or thresholds changed.",
        || {
            let fields = ["plan", "renews", "period_start", "period_end", "included", "thresholds"];
            Object::new([object(license()), previous(license(), fields, &json!({"thresholds": [80, 90]}))])
        },
    ),
    Entry::of(StateChanges, "license.expiring", "License expiring", "A license's period ends soon.", || {
        Object::new([object(license())])
    })
    .done_by(System),
    Entry::of(StateChanges, "license.expired", "License expired", "A license's period ended without renewal.", || {
        Object::new([
            object(license().showing("status", "expired")),
            previous(license(), ["status"], &json!({"status": "active"})).optional(),
        ])
    })
    .done_by(System),
    Entry::of(StateChanges, "license.blocked", "License blocked", "A license was blocked: it can't be used.", || {
        Object::new([
            object(license().showing("status", "blocked")),
            previous(license(), ["status"], &json!({"status": "active"})),
            reason("invoice overdue"),
        ])
    }),
    Entry::of(StateChanges, "license.unblocked", "License unblocked", "A blocked license can be used again.", || {
        Object::new([object(license()), previous(license(), ["status"], &json!({"status": "blocked"}))])
    }),
];
