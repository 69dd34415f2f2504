//! What happens to roles, and who holds them.

use serde_json::json;

use super::{
    ActorType::Roles,
    Entry, Object,
    objects::{object, previous, principal, role},
};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::of(Roles, "role.created", "Role created", "A role was created.", || Object::new([object(role())])),
    Entry::of(Roles, "role.updated", "Role updated", "A role's name, description or permissions changed.", || {
        let before = json!({"permissions": ["events.view", "webhooks.view"]});
        Object::new([object(role()), previous(role(), ["name", "description", "permissions"], &before)])
    }),
    Entry::of(Roles, "role.deleted", "Role deleted", "A role was deleted; nobody holds it any more.", || {
        Object::new([object(role())])
    }),
    Entry::of(Roles, "role.assigned", "Role assigned", "A role was given to a user or API key.", || {
        Object::new([object(role()), principal("principal", "Who holds the role now.")])
    }),
    Entry::of(Roles, "role.unassigned", "Role unassigned", "A role was taken from a user or API key.", || {
        Object::new([object(role()), principal("principal", "Who held the role until then.")])
    }),
];
