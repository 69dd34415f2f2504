//! An event: one thing that happened in a workspace, and the JSON that receivers get of it.
//!
//! Events are immutable and numbered without gaps in each workspace. The body is a function of the stored parts, so that every
//! attempt, resend and page shows the same bytes.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    id::{ApiKeyId, CorrelationId, EventId, UserId, WorkspaceId},
    time::Timestamp,
};

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Actor)]
pub struct EventActor {
    /// `user`, `api_key` or `system`.
    #[serde(rename = "type")]
    pub kind: PrincipalKind,
    /// The id of the user or API key; null for the system, and free text for actors of other systems.
    pub id: Option<String>,
    /// The name at the time of the event.
    pub name: String,
}

impl EventActor {
    /// Bellwire itself: clocks and retries.
    pub fn system() -> Self {
        Self { kind: PrincipalKind::System, id: None, name: "Bellwire".to_owned() }
    }
}

/// How an event came about. It is kept with the event for those who look after the account, and is never part of the body: receivers
/// have no business with the addresses of people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Origin {
    /// The way it came.
    pub via: Via,
    /// The API key that asked; null unless it came through the API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_id: Option<ApiKeyId>,
    /// The address from which it was asked, as far as it can be known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
}

impl Origin {
    /// By this way, from an unknown address.
    pub const fn via(via: Via) -> Self {
        Self { via, api_key_id: None, address: None }
    }

    /// By a form of the console, from this address.
    pub const fn console(address: Option<IpAddr>) -> Self {
        Self { via: Via::Console, api_key_id: None, address }
    }
}

/// The ways by which events come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// A form of the console.
    Console,
    /// A request to the API.
    Api,
    /// A command of the program, on the machine where it runs.
    CommandLine,
    /// Nobody asked: time passed, or a limit was reached.
    System,
}

/// Who did something, and how it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// Who.
    pub actor: EventActor,
    /// How.
    pub origin: Origin,
}

impl By {
    /// Bellwire itself: clocks and retries.
    pub fn system() -> Self {
        Self { actor: EventActor::system(), origin: Origin::via(Via::System) }
    }

    /// Whoever runs the program, with a command.
    pub fn operator() -> Self {
        Self { actor: EventActor::system(), origin: Origin::via(Via::CommandLine) }
    }
}

/// What kind of actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalKind {
    /// A person.
    User,
    /// A machine.
    ApiKey,
    /// Bellwire itself, or the system that published the event.
    System,
}

impl PrincipalKind {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ApiKey => "api_key",
            Self::System => "system",
        }
    }
}

/// A user or an API key: whoever can hold roles, own webhooks and act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrincipalId {
    /// A person.
    User(UserId),
    /// A machine.
    ApiKey(ApiKeyId),
}

impl PrincipalId {
    /// What kind it is.
    pub const fn kind(self) -> PrincipalKind {
        match self {
            Self::User(_) => PrincipalKind::User,
            Self::ApiKey(_) => PrincipalKind::ApiKey,
        }
    }
}

impl std::fmt::Display for PrincipalId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(id) => id.fmt(f),
            Self::ApiKey(id) => id.fmt(f),
        }
    }
}

impl std::str::FromStr for PrincipalId {
    type Err = crate::id::ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("key_") { text.parse().map(Self::ApiKey) } else { text.parse().map(Self::User) }
    }
}

/// The body of a webhook request, in the order of its fields.
#[derive(Debug, Serialize)]
pub struct Body<'a> {
    /// The event's id, which is the `webhook-id` header too.
    pub id: EventId,
    /// A type of the catalogue.
    #[serde(rename = "type")]
    pub event_type: &'a str,
    /// When it happened.
    pub timestamp: Timestamp,
    /// Where.
    pub workspace_id: WorkspaceId,
    /// Its number in the workspace: 1, 2, 3, … without gaps.
    pub sequence: i64,
    /// Who did it.
    pub actor: &'a RawValue,
    /// What happened, as the catalogue describes it.
    pub data: &'a RawValue,
    /// Shared by all events that one action caused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<CorrelationId>,
    /// Present, and true, only when somebody pressed *Send test*: nothing of this happened.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub test: bool,
}

impl Body<'_> {
    /// The bytes that are signed and sent.
    pub fn to_bytes(&self) -> Vec<u8> {
        // All fields but these two are short.
        let mut bytes = Vec::with_capacity(self.actor.get().len() + self.data.get().len() + 320);
        serde_json::to_writer(&mut bytes, self)
            .expect("strings, numbers and JSON that was checked before always serialise");
        bytes
    }
}
