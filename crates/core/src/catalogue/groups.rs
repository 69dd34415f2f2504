//! What happens to groups, and who is in them.

use serde_json::json;

use super::{
    ActorType::Groups,
    Entry, Object,
    objects::{group, object, previous, principal},
};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::of(Groups, "group.created", "Group created", "A group was created.", || {
        Object::new([object(group().showing("member_count", 0))])
    }),
    Entry::of(Groups, "group.updated", "Group updated", "A group's name or owner changed.", || {
        Object::new([object(group()), previous(group(), ["name", "owner"], &json!({"name": "Accounting"}))])
    }),
    Entry::of(
        Groups,
        "group.deleted",
        "Group deleted",
        "A group was deleted; its members stay in the workspace.",
        || Object::new([object(group())]),
    ),
    Entry::of(Groups, "group.member_added", "Group member added", "A user or API key was added to a group.", || {
        Object::new([object(group()), principal("member", "Who was added.")])
    }),
    Entry::of(
        Groups,
        "group.member_removed",
        "Group member removed",
        "A user or API key was removed from a group.",
        || Object::new([object(group()), principal("member", "Who was removed.")]),
    ),
];
