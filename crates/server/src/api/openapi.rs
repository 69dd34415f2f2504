//! The OpenAPI 3.1 document: the routes as they are declared, and the `webhooks` section made from the event catalogue.

use std::sync::LazyLock;

use axum::response::IntoResponse;
use bellwire_core::catalogue::{ActorType, Entry, EventType};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};
use utoipa::{
    ToSchema,
    openapi::{
        InfoBuilder, OpenApiBuilder, SecurityRequirement,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
        tag::TagBuilder,
    },
};

use super::problem::{PROBLEM_JSON, Problem};
use crate::routes::{Routes, get};

/// The groups of operations, in the order of the page, and what they are about.
pub(super) const TAGS: [(&str, &str); 11] = [
    ("Webhooks", "URLs that get events."),
    ("Deliveries", "Events owed to webhooks, and the attempts to deliver them."),
    ("Event types", "The catalogue: everything that can happen."),
    ("Events", "What happened in the workspace; publishing events from other systems."),
    ("Users", "People in the workspace."),
    ("Invites", "Offers to join the workspace."),
    ("Groups", "Named sets of users and API keys. They give no permissions."),
    ("Roles", "Named sets of permissions, and who holds them."),
    ("Ownership offers", "Handing the workspace over: offered by an owner, accepted by a person."),
    ("API keys", "Identities of machines."),
    ("License", "What the workspace bought, its balance of state changes, and their use."),
];

const DESCRIPTION: &str = "Subscribe URLs to what happens in a workspace. \
    Every request shows an API key: `Authorization: Bearer bw_…`. \
    Errors are problem details (RFC 9457) with a stable `code`. \
    Lists give `data` and `next`: send `next` as `cursor` to get the next page. \
    Unknown fields and parameters are errors.";

/// The whole document.
pub fn document() -> Value {
    let mut document = super::described().into_openapi();
    let info = InfoBuilder::new().title("Bellwire").version(env!("CARGO_PKG_VERSION")).description(Some(DESCRIPTION));
    let tags = TAGS.map(|(name, description)| TagBuilder::new().name(name).description(Some(description)).build());
    let base = OpenApiBuilder::new()
        .info(info.build())
        .tags(Some(tags))
        .security(Some([SecurityRequirement::new("api_key", Vec::<String>::new())]))
        .build();
    document.info = base.info;
    document.tags = base.tags;
    document.security = base.security;
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("bw_…").build();
    components.add_security_scheme("api_key", SecurityScheme::Http(bearer));
    let mut schemas = Vec::new();
    <Problem as ToSchema>::schemas(&mut schemas);
    schemas.push((Problem::name().into_owned(), <Problem as utoipa::PartialSchema>::schema()));
    components.schemas.extend(schemas);

    let mut document = serde_json::to_value(document).unwrap_or_default();
    let paths = document["paths"].take();
    let paths = paths.as_object().cloned().unwrap_or_default().into_iter();
    document["paths"] = paths.map(|(path, item)| (format!("/api/v1{path}"), item)).collect::<Map<_, _>>().into();
    let problem = json!({ PROBLEM_JSON: { "schema": { "$ref": "#/components/schemas/Problem" } } });
    document["components"]["responses"]["Problem"] =
        json!({ "description": "Why it was not done", "content": problem });
    for operation in operations(&mut document) {
        operation["responses"]["default"] = json!({ "$ref": "#/components/responses/Problem" });
    }
    document["webhooks"] = delivered().map(|it| (it.to_string(), webhook(it.entry()))).collect::<Map<_, _>>().into();
    document
}

fn operations(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    let paths = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    paths.filter_map(Value::as_object_mut).flat_map(Map::values_mut)
}

/// The types that webhooks get.
fn delivered() -> impl Iterator<Item = EventType> {
    EventType::all().filter(|event_type| event_type.is_delivered())
}

/// What Bellwire sends for one event type.
fn webhook(entry: &Entry) -> Value {
    let header = |name: &str, description: &str| json!({ "name": name, "in": "header", "required": true, "description": description, "schema": { "type": "string" } });
    json!({ "post": {
        "operationId": format!("receive_{}", entry.name.replace('.', "_")),
        "tags": [entry.actor_type.map_or("Webhooks", ActorType::title)],
        "summary": entry.title,
        "description": entry.description,
        "security": [],
        "parameters": [
            header("webhook-id", "The event's id: the same for every attempt."),
            header("webhook-timestamp", "When this attempt was made, in seconds since 1970."),
            header("webhook-signature", "Signatures over id, timestamp and body, separated by spaces (Standard Webhooks 1.0)."),
        ],
        "requestBody": {
            "required": true,
            "content": { "application/json": { "schema": entry.body_schema(), "example": entry.example_body() } },
        },
        "responses": {
            "2XX": { "description": "It was received." },
            "410": { "description": "It is no longer wanted: the webhook is turned off." },
            "default": { "description": "It was not received: it is sent again later." },
        },
    }})
}

/// `GET /openapi.json`. It can't change while the program runs: it is made when somebody asks for the first time, which takes more
/// memory for a moment than all the rest of a start does.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S> {
    static TEXT: LazyLock<Bytes> = LazyLock::new(|| document().to_string().into());
    let serve = async || ([(CONTENT_TYPE, "application/json")], TEXT.clone()).into_response();
    Routes::new().route("/v1/openapi.json", get(serve))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn is_openapi_3_1_with_all_events() {
        let document = document();
        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(document["webhooks"].as_object().unwrap().len(), delivered().count());
        assert!(document["webhooks"].get("workspace.updated").is_none());
        assert_eq!(document["webhooks"]["user.blocked"]["post"]["summary"], "User blocked");
        assert_eq!(document["components"]["securitySchemes"]["api_key"]["scheme"], "bearer");
    }

    /// Everything that `$ref` names is there.
    #[test]
    fn references_lead_somewhere() {
        fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
            match value {
                Value::Object(map) => {
                    found.extend(map.get("$ref").and_then(Value::as_str));
                    map.values().for_each(|value| references(value, found));
                }
                Value::Array(values) => values.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        let document = document();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.len() > 10);
        for reference in found {
            assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
    }

    /// Two schemas of one name would silently overwrite each other: whatever a route brings is the same everywhere.
    #[test]
    fn schema_names_are_unique() {
        let mut seen: BTreeMap<String, Value> = BTreeMap::new();
        for (schemas, _, _) in super::super::parts() {
            for (name, schema) in schemas {
                let schema = serde_json::to_value(schema).unwrap();
                let first = seen.entry(name.clone()).or_insert_with(|| schema.clone());
                assert_eq!(*first, schema, "two schemas are called {name}");
            }
        }
    }

    #[test]
    fn operations_are_described() {
        let mut document = document();
        let mut ids = BTreeSet::new();
        let tags: BTreeSet<&str> = TAGS.iter().map(|(name, _)| *name).collect();
        for operation in operations(&mut document) {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{id}");
            let tag = operation["tags"][0].as_str().unwrap();
            assert!(tags.contains(tag), "{id} has the tag {tag}");
            assert!(ids.insert(id.clone()), "two operations are called {id}");
        }
        assert!(ids.len() > 30);
    }
}
