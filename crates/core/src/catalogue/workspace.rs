//! What happens to the workspace as a whole and to its ownership, for the workspace's feed only. That the ownership changed hands is
//! `user.ownership_transferred`.

use serde_json::json;

use super::{
    Entry,
    ExampleActor::Sam,
    Object,
    objects::{NOW, OFFER, WEEK_LATER, WORKSPACE, object, owner, previous, principal},
    shape::{id, property, text, time},
};

fn workspace() -> Object {
    Object::new([
        property("id", "The workspace's id.", id(WORKSPACE)),
        property("name", "The workspace's name.", text("Northwind Traders")),
        property("created_at", "When it was created.", time("2026-01-05T09:00:00.000000Z")),
    ])
}

fn offer() -> Object {
    Object::new([
        property("id", "The offer's id.", id(OFFER)),
        owner("from", "The owner who gives the workspace away."),
        principal("to", "The user who may accept."),
        property("created_at", "When it was made.", time(NOW)),
        property("expires_at", "Until when it can be accepted.", time(WEEK_LATER)),
    ])
}

pub(super) const ENTRIES: &[Entry] = &[
    Entry::for_the_feed("workspace.updated", "Workspace updated", "Settings of the workspace changed.", || {
        Object::new([object(workspace()), previous(workspace(), ["name"], &json!({"name": "Northwind"}))])
    }),
    Entry::for_the_feed(
        "ownership_offer.created",
        "Ownership offered",
        "An owner offered the ownership of the workspace to another user.",
        || Object::new([object(offer())]),
    ),
    Entry::for_the_feed(
        "ownership_offer.withdrawn",
        "Ownership offer withdrawn",
        "An offer of ownership was taken back.",
        || Object::new([object(offer())]),
    ),
    Entry::for_the_feed(
        "ownership_offer.declined",
        "Ownership offer declined",
        "The user to whom the ownership was offered said no.",
        || Object::new([object(offer())]),
    )
    .done_by(Sam),
];
