//! Use cases: whatever can be done in a workspace, whoever asks (a page, the API, a clock).
//!
//! [`change`] is the way of every change to the account: one transaction that checks the permission of whoever asks, changes
//! the state and writes its events, numbers them, makes their deliveries owed and, once the commit is durable, hands those to
//! the engine. A change that wrote no event is refused as a fault, so that no one can forget one. Sessions and passwords belong
//! to a person and not to a workspace: they alone change without.

pub mod api_keys;
mod authority;
pub mod deliveries;
pub mod events;
mod group_commit;
pub mod groups;
mod idempotency;
pub mod invites;
pub mod journal;
pub mod license;
pub mod master_key;
pub mod nodes;
pub mod operator;
pub mod overview;
pub mod ownership;
pub mod principals;
pub mod publish;
pub mod replays;
pub mod roles;
pub mod setup;
pub mod sign_in;
#[cfg(test)]
mod tests;
pub mod users;
pub mod webhooks;
pub mod workspaces;

use bellwire_core::{
    event::{By, EventActor, Origin, PrincipalId},
    id::WorkspaceId,
    permission::{Permission, Permissions},
};

pub use journal::{Tx, change};

use crate::{crypt::TokenHash, error::Error};

/// Who asks, in which workspace, with which permissions (as of the request's start).
#[derive(Clone, Debug)]
pub struct Actor {
    /// Where.
    pub workspace: WorkspaceId,
    /// Who.
    pub principal: PrincipalId,
    /// Their name, for events and owners.
    pub name: String,
    /// What their roles allow.
    pub permissions: Permissions,
    /// What an API key has shown: it must still be its secret when what it asks for is written.
    pub secret: Option<TokenHash>,
    /// How they ask.
    pub origin: Origin,
}

impl Actor {
    /// Refuses whoever lacks the permission.
    ///
    /// # Errors
    /// [`Error::Forbidden`]
    pub fn require(&self, permission: Permission) -> Result<(), Error> {
        if self.permissions.allow(permission) { Ok(()) } else { Err(Error::Forbidden(permission.as_str())) }
    }

    /// As events name them, and how it came.
    pub fn by(&self) -> By {
        By { actor: self.as_event_actor(), origin: self.origin.clone() }
    }

    /// As events show them.
    pub fn as_event_actor(&self) -> EventActor {
        EventActor { kind: self.principal.kind(), id: Some(self.principal.to_string()), name: self.name.clone() }
    }
}
