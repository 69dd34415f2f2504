//! The event catalogue: every type of event there is, once.
//!
//! The checkboxes of the console, `GET /api/v1/event-types`, the OpenAPI `webhooks` section and the documentation are all made
//! from it. An entry has a name, the words for people, the JSON Schema (2020-12) of the event's `data` and an example of it.
//!
//! What always holds: names are unique; a constant such as [`EventType::USER_BLOCKED`] names an entry or the crate doesn't
//! compile; what is not [delivered](EventType::is_delivered) is in the workspace's feed only; every example is valid by its schema; objects are closed, and no secret, token or URL of an invite is among their
//! properties. The order of the catalogue is the order of everything that is made from it. An [`EventType`] is a position in
//! the catalogue and only good for this build: store and send its name.

mod api_keys;
mod event_types;
mod groups;
mod invites;
mod objects;
mod roles;
mod shape;
mod state_changes;
#[cfg(test)]
mod tests;
mod users;
mod webhooks;
mod workspace;

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

pub use self::event_types::{EventTypes, EventTypesError};
use self::shape::{Object, always, at_least, id, property, time};

/// A group of event types; on the page, a fieldset of checkboxes and a chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActorType {
    /// `user.*`
    Users,
    /// `invite.*`
    Invites,
    /// `group.*`
    Groups,
    /// `role.*`
    Roles,
    /// `api_key.*`
    ApiKeys,
    /// `state_changes.*` and `license.*`
    StateChanges,
}

impl ActorType {
    /// All six, in the order of the page.
    pub const ALL: [Self; 6] =
        [Self::Users, Self::Invites, Self::Groups, Self::Roles, Self::ApiKeys, Self::StateChanges];

    /// All six, in the order of the page.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        Self::ALL.into_iter()
    }

    /// The actor type with this key.
    pub fn parse(key: &str) -> Option<Self> {
        Self::all().find(|actor_type| actor_type.key() == key)
    }

    /// The stable name: `api_keys`.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Invites => "invites",
            Self::Groups => "groups",
            Self::Roles => "roles",
            Self::ApiKeys => "api_keys",
            Self::StateChanges => "state_changes",
        }
    }

    /// What people call it: `API Keys`.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Users => "Users",
            Self::Invites => "Invites",
            Self::Groups => "Groups",
            Self::Roles => "Roles",
            Self::ApiKeys => "API Keys",
            Self::StateChanges => "State changes",
        }
    }

    /// What its events are about, in one sentence.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Users => "Users' status change and management.",
            Self::Invites => "Creation and deletion of user invitations to workspaces.",
            Self::Groups => "User groups creation and management.",
            Self::Roles => "User roles creation and management.",
            Self::ApiKeys => "API keys creation and management.",
            Self::StateChanges => "Management and notifications on state change balance within your license.",
        }
    }

    /// Its event types, in the order of the catalogue.
    pub fn types(self) -> impl Iterator<Item = EventType> {
        EventType::all().filter(move |event_type| event_type.entry().actor_type == Some(self))
    }
}

/// What the catalogue says of an event type.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The stable name: `user.blocked`.
    pub name: &'static str,
    /// Which group it belongs to; `None` for what happens to webhooks, the workspace and its ownership.
    pub actor_type: Option<ActorType>,
    /// The words beside its checkbox: `User blocked`.
    pub title: &'static str,
    /// What happened, in one sentence.
    pub description: &'static str,
    /// Whether a webhook can want it.
    pub subscribable: bool,
    data: fn() -> Object,
    example_actor: ExampleActor,
}

/// Who did it in the example.
#[derive(Clone, Copy, Debug)]
enum ExampleActor {
    Ann,
    Sam,
    ApiKey,
    System,
}

impl Entry {
    const fn of(
        actor_type: ActorType,
        name: &'static str,
        title: &'static str,
        description: &'static str,
        data: fn() -> Object,
    ) -> Self {
        Self { actor_type: Some(actor_type), ..Self::of_webhooks(name, title, description, data) }
    }

    const fn of_webhooks(
        name: &'static str,
        title: &'static str,
        description: &'static str,
        data: fn() -> Object,
    ) -> Self {
        let example_actor = ExampleActor::Ann;
        Self { name, actor_type: None, title, description, subscribable: true, data, example_actor }
    }

    const fn done_by(self, example_actor: ExampleActor) -> Self {
        Self { example_actor, ..self }
    }

    const fn not_subscribable(self) -> Self {
        Self { subscribable: false, ..self }
    }

    /// For the feed of the workspace only: no webhook ever gets it.
    const fn for_the_feed(
        name: &'static str,
        title: &'static str,
        description: &'static str,
        data: fn() -> Object,
    ) -> Self {
        Self::of_webhooks(name, title, description, data).not_subscribable()
    }

    /// The JSON Schema (2020-12) of `data`. It refers to nothing outside itself.
    pub fn data_schema(&self) -> Value {
        (self.data)().schema()
    }

    /// A `data` that is valid by [`data_schema`](Self::data_schema).
    pub fn example_data(&self) -> Value {
        (self.data)().example()
    }

    /// The JSON Schema (2020-12) of the body that receivers get. It refers to nothing outside itself.
    pub fn body_schema(&self) -> Value {
        let mut schema = self.body().schema();
        schema["title"] = self.title.into();
        schema["description"] = self.description.into();
        schema
    }

    /// A body that is valid by [`body_schema`](Self::body_schema).
    pub fn example_body(&self) -> Value {
        self.body().example()
    }

    /// The body, as [`crate::event::Body`] writes it.
    fn body(&self) -> Object {
        let actor = match self.example_actor {
            ExampleActor::Ann => objects::actor(),
            ExampleActor::Sam => objects::actor().showing("id", objects::SAM).showing("name", "Sam Rivera"),
            ExampleActor::ApiKey => {
                objects::actor().showing("type", "api_key").showing("id", objects::KEY).showing("name", "Billing sync")
            }
            ExampleActor::System => objects::system(),
        };
        Object::new([
            property(
                "id",
                "The event's id, the same for every attempt and in the webhook-id header.",
                id(objects::EVENT),
            ),
            property("type", "The event's type.", always(self.name)),
            property("timestamp", "When it happened.", time(objects::NOW)),
            property("workspace_id", "The workspace in which it happened.", id(objects::WORKSPACE)),
            property("sequence", "The event's number in the workspace: 1, 2, 3, without gaps.", at_least(1, 1042)),
            property("actor", "Who did it.", actor),
            property("data", "What happened.", (self.data)()),
            property("correlation_id", "Shared by all events that one action caused.", id(objects::CORRELATION)).rare(),
            property("test", "There only in a test that somebody sent: nothing of this happened.", always(true)).rare(),
        ])
    }
}

const PARTS: [&[Entry]; 8] = [
    users::ENTRIES,
    invites::ENTRIES,
    groups::ENTRIES,
    roles::ENTRIES,
    api_keys::ENTRIES,
    state_changes::ENTRIES,
    webhooks::ENTRIES,
    workspace::ENTRIES,
];

const COUNT: usize = {
    let (mut count, mut part) = (0, 0);
    while part < PARTS.len() {
        count += PARTS[part].len();
        part += 1;
    }
    assert!(count <= 64, "a set of event types is the bits of a u64");
    count
};

static CATALOGUE: [Entry; COUNT] = {
    let mut entries = [PARTS[0][0]; COUNT];
    let (mut filled, mut part) = (0, 0);
    while part < PARTS.len() {
        let mut entry = 0;
        while entry < PARTS[part].len() {
            entries[filled] = PARTS[part][entry];
            filled += 1;
            entry += 1;
        }
        part += 1;
    }
    entries
};

/// A type of the catalogue.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventType(u8);

impl EventType {
    /// All types, in the order of the catalogue.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> {
        (0..=u8::MAX).take(COUNT).map(Self)
    }

    /// The type with exactly this name.
    ///
    /// # Errors
    /// When the catalogue has no such name; the error names the nearest one, if any is near.
    pub fn parse(name: &str) -> Result<Self, UnknownEventType> {
        Self::find(name).ok_or_else(|| UnknownEventType::new(name, Self::all().map(Self::as_str)))
    }

    /// The stable name: `user.blocked`.
    pub fn as_str(self) -> &'static str {
        self.entry().name
    }

    /// Whether webhooks get it at all: by wanting it, or as a test. The others are in the workspace's feed only.
    pub fn is_delivered(self) -> bool {
        self.entry().subscribable || self == Self::WEBHOOK_TEST
    }

    /// What the catalogue says of it.
    pub fn entry(self) -> &'static Entry {
        &CATALOGUE[usize::from(self.0)]
    }

    const fn find(name: &str) -> Option<Self> {
        let mut index: u8 = 0;
        while (index as usize) < COUNT {
            if same(CATALOGUE[index as usize].name.as_bytes(), name.as_bytes()) {
                return Some(Self(index));
            }
            index += 1;
        }
        None
    }

    const fn known(name: &str) -> Self {
        match Self::find(name) {
            Some(event_type) => event_type,
            None => panic!("the catalogue has no event type of this name"),
        }
    }
}

/// `a == b`, which isn't possible in constants yet.
const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut index = 0;
    while index < a.len() && index < b.len() && a[index] == b[index] {
        index += 1;
    }
    index == a.len() && index == b.len()
}

macro_rules! constants {
    ($($constant:ident = $name:literal,)*) => {
        impl EventType {$(
            #[doc = concat!("`", $name, "`")]
            pub const $constant: Self = Self::known($name);
        )*}

        #[cfg(test)]
        const CONSTANTS: &[(&str, EventType)] = &[$((stringify!($constant), EventType::$constant),)*];
    };
}

constants! {
    USER_JOINED = "user.joined",
    USER_UPDATED = "user.updated",
    USER_BLOCKED = "user.blocked",
    USER_UNBLOCKED = "user.unblocked",
    USER_REMOVED = "user.removed",
    USER_LEFT = "user.left",
    USER_OWNERSHIP_TRANSFERRED = "user.ownership_transferred",
    INVITE_CREATED = "invite.created",
    INVITE_RESENT = "invite.resent",
    INVITE_ACCEPTED = "invite.accepted",
    INVITE_EXPIRED = "invite.expired",
    INVITE_DELETED = "invite.deleted",
    GROUP_CREATED = "group.created",
    GROUP_UPDATED = "group.updated",
    GROUP_DELETED = "group.deleted",
    GROUP_MEMBER_ADDED = "group.member_added",
    GROUP_MEMBER_REMOVED = "group.member_removed",
    ROLE_CREATED = "role.created",
    ROLE_UPDATED = "role.updated",
    ROLE_DELETED = "role.deleted",
    ROLE_ASSIGNED = "role.assigned",
    ROLE_UNASSIGNED = "role.unassigned",
    API_KEY_CREATED = "api_key.created",
    API_KEY_UPDATED = "api_key.updated",
    API_KEY_SECRET_ROTATED = "api_key.secret_rotated",
    API_KEY_BLOCKED = "api_key.blocked",
    API_KEY_UNBLOCKED = "api_key.unblocked",
    API_KEY_DELETED = "api_key.deleted",
    STATE_CHANGES_CREDITED = "state_changes.credited",
    STATE_CHANGES_THRESHOLD_REACHED = "state_changes.threshold_reached",
    STATE_CHANGES_EXHAUSTED = "state_changes.exhausted",
    STATE_CHANGES_REPLENISHED = "state_changes.replenished",
    LICENSE_ISSUED = "license.issued",
    LICENSE_UPDATED = "license.updated",
    LICENSE_EXPIRING = "license.expiring",
    LICENSE_EXPIRED = "license.expired",
    LICENSE_BLOCKED = "license.blocked",
    LICENSE_UNBLOCKED = "license.unblocked",
    WEBHOOK_TEST = "webhook.test",
    WEBHOOK_DEACTIVATED = "webhook.deactivated",
    WEBHOOK_CREATED = "webhook.created",
    WEBHOOK_UPDATED = "webhook.updated",
    WEBHOOK_ACTIVATED = "webhook.activated",
    WEBHOOK_DELETED = "webhook.deleted",
    WEBHOOK_SECRET_REVEALED = "webhook.secret_revealed",
    WEBHOOK_SECRET_ROTATED = "webhook.secret_rotated",
    WEBHOOK_DELIVERY_RESENT = "webhook.delivery_resent",
    WEBHOOK_REPLAYED = "webhook.replayed",
    WEBHOOK_REPLAY_CANCELLED = "webhook.replay_cancelled",
    WORKSPACE_UPDATED = "workspace.updated",
    OWNERSHIP_OFFER_CREATED = "ownership_offer.created",
    OWNERSHIP_OFFER_WITHDRAWN = "ownership_offer.withdrawn",
    OWNERSHIP_OFFER_DECLINED = "ownership_offer.declined",
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for EventType {
    type Err = UnknownEventType;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::parse(name)
    }
}

impl Serialize for EventType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for EventType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&Cow::<'de, str>::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl utoipa::PartialSchema for EventType {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::Type::String)
            .enum_values(Some(Self::all().map(Self::as_str)))
            .description(Some("A type of the event catalogue"))
            .build()
            .into()
    }
}

impl utoipa::ToSchema for EventType {}

/// The catalogue has no such type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown event type {name:?}{}", .suggestion.map(|known| format!(", did you mean {known:?}?")).unwrap_or_default())]
pub struct UnknownEventType {
    /// What was asked for; its first 64 characters.
    pub name: String,
    /// The nearest name there is, if any is near.
    pub suggestion: Option<&'static str>,
}

impl UnknownEventType {
    /// More edits than this are another word, not a slip.
    const NEAR: usize = 3;

    fn new(name: &str, known: impl Iterator<Item = &'static str>) -> Self {
        let name = name.chars().take(64).collect::<String>();
        let distances = known.map(|known| (strsim::osa_distance(&name, known), known));
        let nearest = distances.min_by_key(|(distance, _)| *distance);
        let suggestion = nearest.filter(|(distance, _)| *distance <= Self::NEAR).map(|(_, known)| known);
        Self { name, suggestion }
    }
}
