//! What happens to webhooks themselves. These types belong to none of the six actor types, and all but the first two are for the
//! workspace's feed only.

use serde_json::json;

use super::{
    Entry,
    ExampleActor::System,
    Object,
    objects::{DELIVERY, LATER, NOW, REPLAY, object, previous, status_reason, webhook},
    shape::{id, list, one_of, property, text, time},
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
    Entry::for_the_feed("webhook.created", "Webhook created", "A webhook was created.", || {
        Object::new([object(webhook().showing("health", "unknown").showing("created_at", NOW))])
    }),
    Entry::for_the_feed("webhook.updated", "Webhook updated", "Settings of a webhook changed.", || {
        let before = json!({"description": "Offboarding (old)"});
        Object::new([
            object(webhook()),
            property(
                "changed",
                "What changed; of headers and the key pair only that they did.",
                list(one_of(["description", "url", "event_types", "headers", "rate_limit", "key_pair"])),
            ),
            previous(webhook(), ["url", "description", "event_types"], &before).optional(),
        ])
    }),
    Entry::for_the_feed("webhook.activated", "Webhook activated", "A webhook was turned on again.", || {
        let missed = one_of(["send", "skip"]);
        Object::new([object(webhook()), property("missed", "What became of the events that it missed.", missed)])
    }),
    Entry::for_the_feed("webhook.deleted", "Webhook deleted", "A webhook was deleted.", || {
        Object::new([object(webhook())])
    }),
    Entry::for_the_feed(
        "webhook.secret_revealed",
        "Webhook secret revealed",
        "Somebody looked at the secret of a webhook.",
        || Object::new([object(webhook())]),
    ),
    Entry::for_the_feed("webhook.secret_rotated", "Webhook secret rotated", "A webhook got a new secret.", || {
        Object::new([
            object(webhook()),
            property(
                "overlap_until",
                "Until when the one before it signs too; null when it doesn't any more.",
                time(LATER).or_null(),
            ),
        ])
    }),
    Entry::for_the_feed(
        "webhook.delivery_resent",
        "Delivery resent",
        "Somebody had a delivery of a webhook sent again.",
        || Object::new([object(webhook()), property("delivery_id", "The delivery.", id(DELIVERY))]),
    ),
    Entry::for_the_feed(
        "webhook.replayed",
        "Webhook replayed",
        "Somebody began to have many deliveries of a webhook sent again.",
        || {
            Object::new([
                object(webhook()),
                property("replay_id", "The replay.", id(REPLAY)),
                property("state", "Which: those in this state.", one_of(["failed", "cancelled", "delivered"])),
                property("event_type", "Which: those of this event type; null for all.", text("").null()),
                property("since", "Which: those made at this time or later.", time(NOW)),
                property("until", "Which: those made before this time.", time(LATER)),
            ])
        },
    ),
    Entry::for_the_feed(
        "webhook.replay_cancelled",
        "Webhook replay cancelled",
        "Somebody ended a replay of a webhook before its end.",
        || Object::new([object(webhook()), property("replay_id", "The replay.", id(REPLAY))]),
    ),
];
