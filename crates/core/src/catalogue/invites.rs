//! What happens to invites to join a workspace. None of these events holds an invite's token or URL.

use serde_json::json;

use super::{
    ActorType::Invites,
    Entry, ExampleActor, Object,
    objects::{NOW, SAM, invite, object, previous},
};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::of(Invites, "invite.created", "Invite created", "A person was invited to join the workspace.", || {
        let invite = invite().showing("created_at", NOW).showing("expires_at", "2026-11-30T09:00:00.000000Z");
        Object::new([object(invite)])
    }),
    Entry::of(Invites, "invite.resent", "Invite resent", "An invite was sent once more.", || {
        let before = json!({"expires_at": "2026-11-25T10:00:00.000000Z"});
        Object::new([
            object(invite().showing("expires_at", "2026-11-30T09:00:00.000000Z")),
            previous(invite(), ["expires_at"], &before).optional(),
        ])
    }),
    Entry::of(Invites, "invite.accepted", "Invite accepted", "The person invited joined the workspace.", || {
        let accepted = invite().showing("status", "accepted").showing("accepted_at", NOW).showing("user_id", SAM);
        Object::new([object(accepted)])
    })
    .done_by(ExampleActor::Sam),
    Entry::of(Invites, "invite.expired", "Invite expired", "An invite wasn't accepted in time.", || {
        Object::new([object(invite().showing("status", "expired").showing("expires_at", NOW))])
    })
    .done_by(ExampleActor::System),
    Entry::of(
        Invites,
        "invite.deleted",
        "Invite deleted",
        "An invite was deleted: it can't be accepted any more.",
        || Object::new([object(invite().showing("status", "deleted"))]),
    ),
];
