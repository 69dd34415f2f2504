//! What happens to webhooks themselves. These types belong to none of the six actor types.

use super::{
    Entry,
    ExampleActor::System,
    Object,
    objects::{object, status_reason, webhook},
    shape::{property, text},
};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::of_webhooks("webhook.test", "Test", "Somebody sent a test to this webhook; nothing happened.", || {
        Object::new([property("message", "A greeting.", text("This is a test from Bellwire."))])
    })
    .not_subscribable(),
    Entry::of_webhooks(
        "webhook.deactivated",
        "Webhook deactivated",
        "Another webhook of the workspace was turned off.",
        || {
            let why = status_reason();
            let off = webhook().showing("status", "inactive").showing("health", "failing");
            let off = off.showing("status_reason", why.example());
            Object::new([object(off), property("reason", "Why it was turned off.", why)])
        },
    )
    .done_by(System),
];
