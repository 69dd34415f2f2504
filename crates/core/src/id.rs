//! Identifiers: [TypeIDs](https://github.com/jetify-com/typeid/tree/main/spec), a prefix that says what it is and a UUIDv7 that says when it was made.
//!
//! An `Id<Webhook>` can't be mistaken for an `Id<User>`, neither by the compiler nor by a person who reads a log.
//! New ids are made from a time and random bytes that the caller brings; a process makes its own in one [`Succession`], so that
//! they sort as they were made.

use std::{fmt, ops::RangeInclusive, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use type_safe_id::{StaticType, TypeSafeId};
use uuid::Uuid;

use crate::time::Timestamp;

/// Random bytes that a new id needs.
pub type IdEntropy = [u8; 10];

/// The identifier of a `K`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id<K: Kind>(TypeSafeId<K>);

/// What an identifier stands for.
pub trait Kind: StaticType + Copy + Ord + Send + Sync + 'static {
    /// What people call it, for messages: `webhook`.
    const NOUN: &'static str;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $alias:ident = $kind:ident, $prefix:literal, $noun:literal;)*) => {$(
        $(#[$doc])*
        pub type $alias = Id<$kind>;

        #[doc = concat!("Marks the identifiers of a ", $noun, ".")]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $kind;

        impl StaticType for $kind {
            const TYPE: &'static str = $prefix;
        }

        impl Kind for $kind {
            const NOUN: &'static str = $noun;
        }
    )*};
}

kinds! {
    /// `ws_…`
    WorkspaceId = Workspace, "ws", "workspace";
    /// `usr_…`
    UserId = User, "usr", "user";
    /// `inv_…`
    InviteId = Invite, "inv", "invite";
    /// `grp_…`
    GroupId = Group, "grp", "group";
    /// `role_…`
    RoleId = Role, "role", "role";
    /// `own_…`
    OwnershipOfferId = OwnershipOffer, "own", "ownership offer";
    /// `key_…`
    ApiKeyId = ApiKey, "key", "API key";
    /// `lic_…`
    LicenseId = License, "lic", "license";
    /// `crd_…`
    CreditId = Credit, "crd", "credit";
    /// `wh_…`
    WebhookId = Webhook, "wh", "webhook";
    /// `evt_…`
    EventId = Event, "evt", "event";
    /// `dlv_…`
    DeliveryId = Delivery, "dlv", "delivery";
    /// `rpl_…`
    ReplayId = Replay, "rpl", "replay";
    /// `sch_…`
    StatusChangeId = StatusChange, "sch", "status change";
    /// `node_…`: a running process of Bellwire.
    NodeId = Node, "node", "node";
    /// `cor_…`: shared by all events that one action caused.
    CorrelationId = Correlation, "cor", "correlation";
}

impl<K: Kind> Id<K> {
    /// A new identifier, made at `now` from ten random bytes (RFC 9562, UUID version 7).
    pub fn new(now: Timestamp, entropy: IdEntropy) -> Self {
        Self::at(now.as_unix_millis(), entropy)
    }

    fn at(millis: u64, entropy: IdEntropy) -> Self {
        let uuid = uuid::Builder::from_unix_timestamp_millis(millis, &entropy).into_uuid();
        Self(TypeSafeId::from_uuid(uuid))
    }

    /// The UUID behind the prefix.
    pub fn uuid(&self) -> Uuid {
        self.0.uuid()
    }
}

/// The identifiers that a process makes, each above all before it, whatever their kinds: a number within the millisecond takes
/// the place of the first twelve random bits (RFC 9562, section 6.2, method 1). It begins at random in the lower half; when all
/// numbers of a millisecond are used, the next millisecond's are.
#[derive(Clone, Debug, Default)]
pub struct Succession {
    millis: u64,
    number: u16,
}

impl Succession {
    const NUMBERS: u16 = 1 << 12;
    /// When the time of day is set back by more than this, identifiers go back with it.
    const SET_BACK: Duration = Duration::from_secs(10);

    /// The next identifier, made at `now` from ten random bytes.
    pub fn next<K: Kind>(&mut self, now: Timestamp, mut entropy: IdEntropy) -> Id<K> {
        let millis = now.as_unix_millis();
        let latest = now.saturating_add(Self::SET_BACK).as_unix_millis();
        if !(millis..=latest).contains(&self.millis) || self.number + 1 == Self::NUMBERS {
            let ahead = if self.millis > latest { 0 } else { self.millis + 1 };
            self.millis = millis.max(ahead);
            self.number = u16::from_be_bytes([entropy[0], entropy[1]]) % (Self::NUMBERS / 2);
        } else {
            self.number += 1;
        }
        [entropy[0], entropy[1]] = self.number.to_be_bytes();
        Id::at(self.millis, entropy)
    }
}

impl DeliveryId {
    /// A new identifier for a delivery of an event. It begins as the event's does (its time, and its number within the
    /// millisecond) and ends at random, so that the deliveries of an event stand beside each other wherever they are sorted, in
    /// the order of the events.
    pub fn of(event: EventId, entropy: IdEntropy) -> Self {
        let [.., a, b, c, d, e, f, g, h] = entropy;
        Self::beginning_as(event, [a, b, c, d, e, f, g, h])
    }

    /// The range in which the deliveries of an event are; others may be there too.
    pub fn all_of(event: EventId) -> RangeInclusive<Self> {
        Self::beginning_as(event, [0; 8])..=Self::beginning_as(event, [0xff; 8])
    }

    fn beginning_as(event: EventId, end: [u8; 8]) -> Self {
        let mut bytes = *event.uuid().as_bytes();
        bytes[8..].copy_from_slice(&end);
        bytes[8] = bytes[8] & 0x3f | 0x80; // the variant of RFC 9562
        Self(TypeSafeId::from_uuid(Uuid::from_bytes(bytes)))
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<K: Kind> std::hash::Hash for Id<K> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.uuid().hash(state);
    }
}

/// The text is not an identifier of this kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a {noun} ({prefix}_…)")]
pub struct ParseIdError {
    noun: &'static str,
    prefix: &'static str,
}

impl<K: Kind> FromStr for Id<K> {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| ParseIdError { noun: K::NOUN, prefix: K::TYPE })
    }
}

impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl<K: Kind> utoipa::PartialSchema for Id<K> {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::{ObjectBuilder, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(format!("^{}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$", K::TYPE)))
            .description(Some(format!("The id of a {}", K::NOUN)))
            .build()
            .into()
    }
}

impl<K: Kind> utoipa::ToSchema for Id<K> {
    /// `WebhookId`: each kind is a schema of its own.
    fn name() -> std::borrow::Cow<'static, str> {
        let kind = std::any::type_name::<K>();
        format!("{}Id", kind.rsplit_once("::").map_or(kind, |(_, name)| name)).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_and_sorts_by_time() {
        let early = WebhookId::new(Timestamp::from_micros(1_000_000), [0xff; 10]);
        let late = WebhookId::new(Timestamp::from_micros(2_000_000), [0; 10]);
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse::<WebhookId>().unwrap(), early);
        assert_eq!(early.to_string().len(), "wh_".len() + 26);
    }

    #[test]
    fn a_process_makes_them_in_order() {
        let mut succession = Succession::default();
        let mut entropy = [0x5a; 10];
        let mut previous = EventId::new(Timestamp::default(), [0; 10]);
        let mut next = |micros: i64| {
            entropy = entropy.map(|byte: u8| byte.wrapping_mul(5).wrapping_add(113));
            let id: EventId = succession.next(Timestamp::from_micros(micros), entropy);
            let (first, second) = (DeliveryId::of(previous, [0xff; 10]), DeliveryId::of(id, [0; 10]));
            let grows = id > previous && second > first;
            previous = id;
            (grows, id.uuid().get_timestamp().map(|it| it.to_unix()))
        };
        for _ in 0..10_000 {
            assert!(next(2_000_000).0, "more than a millisecond has numbers for");
        }
        assert!(next(1_999_000).0, "of several threads one may have asked for the time a little earlier");
        assert_eq!(next(60_000_000), (true, Some((60, 0))), "the time itself, as soon as it has come");
        assert_eq!(next(40_000_000), (false, Some((40, 0))), "a clock that was wrong was set back");
        assert!(next(40_000_000).0);
    }

    #[test]
    fn deliveries_stand_beside_each_other() {
        let event = EventId::new(Timestamp::from_micros(1_000_000), [0x5a; 10]);
        let range = DeliveryId::all_of(event);
        for entropy in [[0; 10], [0x77; 10], [0xff; 10]] {
            let delivery = DeliveryId::of(event, entropy);
            assert!(range.contains(&delivery));
            assert_eq!((delivery.uuid().get_version_num(), delivery.uuid().get_variant()), (7, uuid::Variant::RFC4122));
            assert_eq!(delivery.uuid().as_bytes()[..8], event.uuid().as_bytes()[..8]);
        }
        let (first, last) = (range.start().to_string(), range.end().to_string());
        assert!(first < last, "texts sort as ids do");
        assert!(!range.contains(&DeliveryId::new(Timestamp::from_micros(1_001_000), [0; 10])));
        assert!(!range.contains(&DeliveryId::new(Timestamp::from_micros(1_000_000), [0x5b; 10])));
    }

    #[test]
    fn refuses_other_kinds() {
        let user = UserId::new(Timestamp::default(), [7; 10]).to_string();
        assert_eq!(user.parse::<WebhookId>().unwrap_err().to_string(), "not the id of a webhook (wh_…)");
        assert!("wh_".parse::<WebhookId>().is_err());
        assert!(user.to_uppercase().parse::<UserId>().is_err());
    }
}
