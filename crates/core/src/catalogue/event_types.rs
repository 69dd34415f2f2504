//! Sets of event types: what a webhook wants.
//!
//! People and programs write them as names and patterns; they are kept and shown as exact names in the order of the catalogue,
//! so that a type that is added later reaches nobody who didn't ask for it.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ActorType, EventType, UnknownEventType};

/// A set of event types, in the order of the catalogue.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct EventTypes(u64);

/// The list can't be what a webhook wants.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventTypesError {
    /// Nothing was chosen.
    #[error("choose at least one event type")]
    Empty,
    /// A name or pattern that the catalogue doesn't know.
    #[error(transparent)]
    Unknown(#[from] UnknownEventType),
    /// A type that is sent without being asked for.
    #[error("{0} can't be subscribed to")]
    NotSubscribable(EventType),
}

impl EventTypes {
    /// Reads a list of names and patterns: exact names (`user.blocked`), whole groups by the first part of their names (`user.*`)
    /// or by their actor type (`users.*`), `state_changes.*` for all of State changes with `license.*`, and `*` for everything
    /// that can be subscribed to.
    ///
    /// # Errors
    /// When the list is empty, or has something that is unknown or can't be subscribed to.
    pub fn parse<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, EventTypesError> {
        let mut types = Self::default();
        for pattern in patterns {
            types.0 |= Self::matching(pattern)?.0;
        }
        if types.is_empty() { Err(EventTypesError::Empty) } else { Ok(types) }
    }

    fn matching(pattern: &str) -> Result<Self, EventTypesError> {
        if pattern == "*" {
            return Ok(Self::subscribable());
        }
        let Some(group) = pattern.strip_suffix(".*") else {
            let event_type = EventType::parse(pattern)?;
            let allowed = event_type.entry().subscribable;
            return allowed.then(|| event_type.into()).ok_or(EventTypesError::NotSubscribable(event_type));
        };
        let types: Self = match ActorType::parse(group) {
            Some(actor_type) => actor_type.types().collect(),
            None => Self::subscribable().iter().filter(|event_type| first_part(*event_type) == group).collect(),
        };
        if types.is_empty() { Err(UnknownEventType::new(pattern, GROUPS.iter().copied()).into()) } else { Ok(types) }
    }

    /// Everything that can be subscribed to.
    pub fn subscribable() -> Self {
        EventType::all().filter(|event_type| event_type.entry().subscribable).collect()
    }

    /// Whether `event_type` is in the set.
    pub const fn contains(self, event_type: EventType) -> bool {
        self.0 & (1 << event_type.0) != 0
    }

    /// The types that are in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Adds `event_type`; says whether it is new.
    pub const fn insert(&mut self, event_type: EventType) -> bool {
        let new = !self.contains(event_type);
        self.0 |= 1 << event_type.0;
        new
    }

    /// The types in the set, in the order of the catalogue.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = EventType> {
        EventType::all().filter(move |event_type| self.contains(*event_type))
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many there are.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// The actor types that its types belong to, in the order of the page.
    pub fn actor_types(self) -> Vec<ActorType> {
        let has_any = |actor_type: &ActorType| actor_type.types().any(|event_type| self.contains(event_type));
        ActorType::all().filter(has_any).collect()
    }
}

/// What may be meant by a pattern that matches nothing.
pub(super) const GROUPS: [&str; 13] = [
    "user.*",
    "users.*",
    "invite.*",
    "invites.*",
    "group.*",
    "groups.*",
    "role.*",
    "roles.*",
    "api_key.*",
    "api_keys.*",
    "state_changes.*",
    "license.*",
    "webhook.*",
];

fn first_part(event_type: EventType) -> &'static str {
    event_type.as_str().split_once('.').map_or("", |(first, _)| first)
}

impl From<EventType> for EventTypes {
    fn from(event_type: EventType) -> Self {
        Self(1 << event_type.0)
    }
}

impl FromIterator<EventType> for EventTypes {
    fn from_iter<I: IntoIterator<Item = EventType>>(types: I) -> Self {
        types.into_iter().fold(Self::default(), |set, event_type| Self(set.0 | Self::from(event_type).0))
    }
}

impl fmt::Debug for EventTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// A list of exact names.
impl Serialize for EventTypes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// As [`EventTypes::parse`] does.
impl<'de> Deserialize<'de> for EventTypes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let patterns = Vec::<Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(patterns.iter().map(AsRef::as_ref)).map_err(serde::de::Error::custom)
    }
}

impl utoipa::PartialSchema for EventTypes {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::{ArrayBuilder, ObjectBuilder, Type};
        ArrayBuilder::new()
            .items(ObjectBuilder::new().schema_type(Type::String))
            .min_items(Some(1))
            .description(Some(
                "Exact names of event types; where they are given also whole groups such as user.* or users.*, and * for all",
            ))
            .build()
            .into()
    }
}

impl utoipa::ToSchema for EventTypes {}
