//! What happens to the users of a workspace.

use serde_json::json;

use super::{
    ActorType::Users,
    Entry, ExampleActor, Object,
    objects::{member_role, object, owner, owner_role, previous, reason, user},
};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::of(Users, "user.joined", "User joined", "A person became a member of the workspace.", || {
        Object::new([object(user())])
    })
    .done_by(ExampleActor::Sam),
    Entry::of(Users, "user.updated", "User updated", "A user's name or e-mail address changed.", || {
        Object::new([object(user()), previous(user(), ["email", "name"], &json!({"name": "Samuel Rivera"}))])
    }),
    Entry::of(
        Users,
        "user.blocked",
        "User blocked",
        "A user was blocked: they can't sign in to the workspace or act in it.",
        || {
            Object::new([
                object(user().showing("status", "blocked").showing("status_reason", "left the company")),
                previous(user(), ["status"], &json!({"status": "active"})),
                reason("left the company"),
            ])
        },
    ),
    Entry::of(Users, "user.unblocked", "User unblocked", "A blocked user may act in the workspace again.", || {
        let before = json!({"status": "blocked", "status_reason": "on leave"});
        Object::new([object(user()), previous(user(), ["status", "status_reason"], &before)])
    }),
    Entry::of(Users, "user.removed", "User removed", "A user was removed from the workspace by somebody else.", || {
        Object::new([object(user()), reason("contract ended")])
    }),
    Entry::of(Users, "user.left", "User left", "A user left the workspace of their own accord.", || {
        Object::new([object(user())])
    })
    .done_by(ExampleActor::Sam),
    Entry::of(
        Users,
        "user.ownership_transferred",
        "Ownership transferred",
        "A user became the owner of the workspace in place of another.",
        || {
            Object::new([
                object(user().showing("roles", owner_role())),
                owner("previous_owner", "Who owned the workspace until then."),
                previous(user(), ["roles"], &json!({"roles": member_role()})).optional(),
            ])
        },
    ),
];
