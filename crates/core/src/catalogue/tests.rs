use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    event::{Body, EventActor},
    time::Timestamp,
};

/// Section 5 of the design, typed out.
const NAMES: [(&str, &[&str]); 7] = [
    (
        "users",
        &[
            "user.joined",
            "user.updated",
            "user.blocked",
            "user.unblocked",
            "user.removed",
            "user.left",
            "user.ownership_transferred",
        ],
    ),
    ("invites", &["invite.created", "invite.resent", "invite.accepted", "invite.expired", "invite.deleted"]),
    ("groups", &["group.created", "group.updated", "group.deleted", "group.member_added", "group.member_removed"]),
    ("roles", &["role.created", "role.updated", "role.deleted", "role.assigned", "role.unassigned"]),
    (
        "api_keys",
        &[
            "api_key.created",
            "api_key.updated",
            "api_key.secret_rotated",
            "api_key.blocked",
            "api_key.unblocked",
            "api_key.deleted",
        ],
    ),
    (
        "state_changes",
        &[
            "state_changes.credited",
            "state_changes.threshold_reached",
            "state_changes.exhausted",
            "state_changes.replenished",
            "license.issued",
            "license.updated",
            "license.expiring",
            "license.expired",
            "license.blocked",
            "license.unblocked",
        ],
    ),
    ("", &["webhook.test", "webhook.deactivated"]),
];

/// What is in the workspace's feed only (ADR 10).
const FEED_ONLY: &[&str] = &[
    "webhook.created",
    "webhook.updated",
    "webhook.activated",
    "webhook.deleted",
    "webhook.secret_revealed",
    "webhook.secret_rotated",
    "webhook.delivery_resent",
    "webhook.replayed",
    "webhook.replay_cancelled",
    "workspace.updated",
    "ownership_offer.created",
    "ownership_offer.withdrawn",
    "ownership_offer.declined",
];

fn valid(schema: &Value, instance: &Value) -> Result<(), String> {
    let mut compiler = boon::Compiler::new();
    compiler.enable_format_assertions();
    compiler.add_resource("https://example.com/schema", schema.clone()).unwrap();
    let mut schemas = boon::Schemas::new();
    let schema = compiler.compile("https://example.com/schema", &mut schemas).unwrap();
    schemas.validate(instance, schema).map_err(|error| error.to_string())
}

/// Every object in a schema or an example, from the outside in.
fn objects_in<'a>(value: &'a Value, found: &mut Vec<&'a Map>) {
    match value {
        Value::Object(object) => {
            found.push(object);
            object.values().for_each(|value| objects_in(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| objects_in(value, found)),
        _ => {}
    }
}

type Map = serde_json::Map<String, Value>;

#[test]
fn is_the_list_of_the_design() {
    let designed = NAMES.iter().flat_map(|(group, names)| names.iter().map(move |name| (*group, *name)));
    let designed = designed.chain(FEED_ONLY.iter().map(|name| ("", *name)));
    let actual = EventType::all().map(|event_type| {
        let entry = event_type.entry();
        (entry.actor_type.map_or("", ActorType::key), entry.name)
    });
    assert_eq!(actual.collect::<Vec<_>>(), designed.collect::<Vec<_>>());
    assert_eq!(EventType::all().map(EventType::as_str).collect::<BTreeSet<_>>().len(), COUNT, "names are unique");
}

#[test]
fn constants_are_named_after_their_types() {
    let expected =
        EventType::all().map(|event_type| (event_type.as_str().to_uppercase().replace('.', "_"), event_type));
    let constants = CONSTANTS.iter().map(|(constant, event_type)| ((*constant).to_owned(), *event_type));
    assert_eq!(constants.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

#[test]
fn everything_of_the_design_but_the_test_can_be_subscribed_to() {
    let exceptions = EventType::all().filter(|event_type| !event_type.entry().subscribable).map(EventType::as_str);
    assert_eq!(exceptions.collect::<Vec<_>>(), [&["webhook.test"], FEED_ONLY].concat());
    let feed_only = EventType::all().filter(|event_type| !event_type.is_delivered()).map(EventType::as_str);
    assert_eq!(feed_only.collect::<Vec<_>>(), FEED_ONLY);
    for name in FEED_ONLY {
        assert_eq!(parse(&[name]), Err(format!("{name} can't be subscribed to")));
    }
}

#[test]
fn words_are_there_and_tidy() {
    let titles = EventType::all().map(|event_type| event_type.entry().title).collect::<BTreeSet<_>>();
    assert_eq!(titles.len(), COUNT, "titles are unique");
    for Entry { name, title, description, .. } in &CATALOGUE {
        assert!(
            title.chars().count() <= 30 && title.starts_with(char::is_uppercase) && !title.ends_with('.'),
            "{name}"
        );
        assert!(description.ends_with('.') && description.starts_with(char::is_uppercase), "{name}");
        assert!(!description.contains(". "), "{name}: one sentence");
    }
    for actor_type in ActorType::all() {
        assert_eq!(serde_json::to_value(actor_type).unwrap(), actor_type.key());
        assert_eq!(ActorType::parse(actor_type.key()), Some(actor_type));
        assert!(actor_type.types().count() >= 5);
    }
}

#[test]
fn examples_are_valid_by_their_schemas() {
    for entry in &CATALOGUE {
        valid(&entry.data_schema(), &entry.example_data()).unwrap_or_else(|error| panic!("{}: {error}", entry.name));
        valid(&entry.body_schema(), &entry.example_body()).unwrap_or_else(|error| panic!("{}: {error}", entry.name));
        assert_eq!(entry.example_body()["data"], entry.example_data());
    }
}

#[test]
fn bodies_that_are_not_described_are_invalid() {
    for entry in &CATALOGUE {
        let (schema, body) = (entry.body_schema(), entry.example_body());
        let changed = |pointer: &str, name: &str, value: Value| {
            let mut body = body.clone();
            body.pointer_mut(pointer).unwrap()[name] = value;
            valid(&schema, &body)
        };
        assert!(changed("", "correlation_id", objects::CORRELATION.into()).is_ok(), "{}", entry.name);
        assert!(changed("", "test", true.into()).is_ok(), "{}", entry.name);
        assert!(changed("", "test", false.into()).is_err(), "{}", entry.name);
        assert!(changed("", "type", "user.vanished".into()).is_err(), "{}", entry.name);
        assert!(changed("", "sequence", 0.into()).is_err(), "{}", entry.name);
        assert!(changed("", "timestamp", "yesterday".into()).is_err(), "{}", entry.name);
        assert!(changed("/data", "more", 1.into()).is_err(), "{}", entry.name);
        for name in body["data"].as_object().unwrap().keys() {
            assert!(changed("/data", name, json!(false)).is_err(), "{}: {name}", entry.name);
        }
    }
}

#[test]
fn schemas_are_closed_and_every_property_is_described() {
    for entry in &CATALOGUE {
        let (schema, mut found) = (entry.body_schema(), Vec::new());
        objects_in(&schema, &mut found);
        for properties in found.iter().filter_map(|object| object.get("properties")?.as_object()) {
            for (name, property) in properties {
                let description = property["description"].as_str().unwrap_or_default();
                assert!(description.ends_with('.'), "{}: {name}", entry.name);
            }
        }
        // A property may be called `type`; then its value is a schema, not the name of a type.
        let of_type_object = |schema: &Map| match schema.get("type") {
            Some(Value::String(name)) => name == "object",
            Some(Value::Array(names)) => names.contains(&"object".into()),
            _ => false,
        };
        for object in found.into_iter().filter(|object| of_type_object(object)) {
            assert_eq!(object["additionalProperties"], false, "{}", entry.name);
        }
    }
}

#[test]
fn nothing_secret_is_described_or_shown() {
    for entry in &CATALOGUE {
        let (schema, example) = (entry.body_schema(), entry.example_body());
        let mut found = Vec::new();
        objects_in(&example, &mut found);
        objects_in(&schema, &mut found);
        for name in found.into_iter().flat_map(Map::keys) {
            let name = name.to_lowercase();
            for word in ["secret", "token", "password", "hash", "headers", "cookie", "signature", "private"] {
                assert!(!name.contains(word), "{}: {name}", entry.name);
            }
            assert!(!name.contains("url") || entry.name.starts_with("webhook."), "{}: {name}", entry.name);
        }
        for prefix in ["whsec_", "whsk_", "bw_"] {
            assert!(!example.to_string().contains(prefix), "{}: {prefix}", entry.name);
        }
    }
}

#[test]
fn a_blocked_user_reads_as_in_the_design() {
    let expected = json!({
        "id": "evt_01m83t4cm0efvvpyt3bc2k45jh",
        "type": "user.blocked",
        "timestamp": "2026-11-23T09:00:00.000000Z",
        "workspace_id": "ws_01ke6jq300em7a3s4w04zg1hhc",
        "sequence": 1042,
        "actor": {"type": "user", "id": "usr_01ke6jq300ejcsw3bx9d02wc0q", "name": "Ann Lee"},
        "data": {
            "object": {
                "id": "usr_01kh3fwp80ftb85p74fwn7r0xy",
                "email": "sam@example.com",
                "name": "Sam Rivera",
                "status": "blocked",
                "status_reason": "left the company",
                "roles": [{"id": "role_01ke6jq300erpamyjxtw632hk1", "name": "Member"}],
                "groups": [{"id": "grp_01kjma0fm0fk8ak1b18yvcbd7z", "name": "Finance"}],
                "joined_at": "2026-02-10T10:00:00.000000Z",
                "updated_at": "2026-11-23T09:00:00.000000Z",
            },
            "previous": {"status": "active"},
            "reason": "left the company",
        },
    });
    assert_eq!(EventType::USER_BLOCKED.entry().example_body(), expected);
}

#[test]
fn examples_are_what_a_body_would_be() {
    for entry in &CATALOGUE {
        let example = entry.example_body();
        let raw = |name: &str| serde_json::value::to_raw_value(&example[name]).unwrap();
        let actor = serde_json::from_value::<EventActor>(example["actor"].clone()).unwrap();
        assert_eq!(serde_json::to_value(&actor).unwrap(), example["actor"], "{}", entry.name);
        let mut body = Body {
            id: example["id"].as_str().unwrap().parse().unwrap(),
            event_type: entry.name,
            timestamp: Timestamp::parse(example["timestamp"].as_str().unwrap()).unwrap(),
            workspace_id: example["workspace_id"].as_str().unwrap().parse().unwrap(),
            sequence: example["sequence"].as_i64().unwrap(),
            actor: &raw("actor"),
            data: &raw("data"),
            correlation_id: None,
            test: false,
        };
        assert_eq!(serde_json::from_slice::<Value>(&body.to_bytes()).unwrap(), example, "{}", entry.name);
        body.correlation_id = Some(objects::CORRELATION.parse().unwrap());
        body.test = true;
        valid(&entry.body_schema(), &serde_json::from_slice(&body.to_bytes()).unwrap()).unwrap();
    }
}

#[test]
fn near_names_are_suggested() {
    let message = |name: &str| EventType::parse(name).unwrap_err().to_string();
    assert_eq!(message("user.blokced"), r#"unknown event type "user.blokced", did you mean "user.blocked"?"#);
    assert_eq!(message("users.blocked"), r#"unknown event type "users.blocked", did you mean "user.blocked"?"#);
    assert_eq!(message("lunch.served"), r#"unknown event type "lunch.served""#);
    assert_eq!(message("\u{202e}\n"), r#"unknown event type "\u{202e}\n""#);
    assert!(message(&"user.".repeat(50_000)).len() < 100);
}

fn parse(patterns: &[&str]) -> Result<Vec<&'static str>, String> {
    let types = EventTypes::parse(patterns.iter().copied()).map_err(|error| error.to_string())?;
    Ok(types.iter().map(EventType::as_str).collect())
}

#[test]
fn patterns_are_whole_groups() {
    let group = |index: usize| Ok(NAMES[index].1.to_vec());
    for (index, patterns) in
        [["user.*", "users.*"], ["invite.*", "invites.*"], ["group.*", "groups.*"]].iter().enumerate()
    {
        assert_eq!((parse(&patterns[..1]), parse(&patterns[1..])), (group(index), group(index)));
    }
    for (index, pattern) in [(3, "role.*"), (3, "roles.*"), (4, "api_key.*"), (4, "api_keys.*"), (5, "state_changes.*")]
    {
        assert_eq!(parse(&[pattern]), group(index), "{pattern}");
    }
    assert_eq!(parse(&["license.*"]).unwrap(), NAMES[5].1[4..]);
    assert_eq!(parse(&["webhook.*"]).unwrap(), ["webhook.deactivated"]);
    assert_eq!(parse(&["*"]).unwrap().len(), COUNT - 1 - FEED_ONLY.len());
    assert_eq!(parse(&["role.created", "user.*", "role.created"]).unwrap(), [NAMES[0].1, &["role.created"]].concat());
}

#[test]
fn lists_that_cannot_be_meant_are_refused() {
    for (patterns, message) in [
        (&[][..], "choose at least one event type"),
        (&["webhook.test"], "webhook.test can't be subscribed to"),
        (&["user.left", "user.lefft"], r#"unknown event type "user.lefft", did you mean "user.left"?"#),
        (&["rolls.*"], r#"unknown event type "rolls.*", did you mean "roles.*"?"#),
        (&["apikeys.*"], r#"unknown event type "apikeys.*", did you mean "api_keys.*"?"#),
        (&[""], r#"unknown event type """#),
        (&[".*"], r#"unknown event type ".*""#),
        (&["user*"], r#"unknown event type "user*""#),
    ] {
        assert_eq!(parse(patterns), Err(message.to_owned()), "{patterns:?}");
    }
}

#[test]
fn every_suggested_group_is_one() {
    for pattern in event_types::GROUPS {
        assert!(EventTypes::parse([pattern]).is_ok(), "{pattern}");
    }
}

#[test]
fn sets_know_their_actor_types() {
    let mut types = EventTypes::default();
    assert!(types.is_empty() && types.actor_types().is_empty());
    assert!(types.insert(EventType::WEBHOOK_DEACTIVATED) && types.actor_types().is_empty());
    assert!(types.insert(EventType::LICENSE_EXPIRED) && !types.insert(EventType::LICENSE_EXPIRED));
    assert!(types.insert(EventType::USER_LEFT));
    assert_eq!(types.actor_types(), [ActorType::Users, ActorType::StateChanges]);
    assert_eq!(types.len(), 3);
}

proptest! {
    #[test]
    fn sets_round_trip(bits in prop::collection::vec(any::<bool>(), COUNT)) {
        let chosen = EventType::all().zip(&bits).filter(|(event_type, chosen)| **chosen && event_type.entry().subscribable);
        let chosen = chosen.map(|(event_type, _)| event_type).collect::<Vec<_>>();
        let types = chosen.iter().rev().copied().collect::<EventTypes>();
        prop_assert!(types.iter().eq(chosen.iter().copied()));
        prop_assert_eq!(types.len(), chosen.len());

        let text = serde_json::to_string(&types).unwrap();
        prop_assert_eq!(&text, &serde_json::to_string(&chosen).unwrap());
        match serde_json::from_str::<EventTypes>(&text) {
            Ok(read) => prop_assert_eq!(read, types),
            Err(_) => prop_assert!(chosen.is_empty()),
        }
    }

    #[test]
    fn names_round_trip(index in 0..COUNT) {
        let event_type = EventType::all().nth(index).unwrap();
        prop_assert_eq!(EventType::parse(event_type.as_str()), Ok(event_type));
        let text = serde_json::to_string(&event_type).unwrap();
        prop_assert_eq!(serde_json::from_str::<EventType>(&text).unwrap(), event_type);
    }

    #[test]
    fn other_texts_never_pass(text in "\\PC{0,80}") {
        prop_assert_eq!(EventType::parse(&text).is_ok(), EventType::all().any(|event_type| event_type.as_str() == text));
    }
}
