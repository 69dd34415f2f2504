//! `/api/docs`: the OpenAPI document and the event catalogue as a page for people. One file of HTML and one of CSS, no script.

use std::{collections::BTreeSet, sync::LazyLock};

use askama::Template;
use axum::response::IntoResponse;
use bellwire_core::catalogue::{ActorType, EventType};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use serde_json::Value;

use super::openapi::{self, TAGS};
use crate::routes::{Routes, get};

const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[derive(Template)]
#[template(path = "docs.html")]
struct Page {
    version: &'static str,
    sections: Vec<Section>,
    events: Vec<EventGroup>,
}

struct Section {
    title: &'static str,
    description: &'static str,
    operations: Vec<Operation>,
}

struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    description: String,
    parameters: Vec<Field>,
    body: Vec<Field>,
    answers: Vec<Answer>,
}

struct Answer {
    status: String,
    description: String,
    fields: Vec<Field>,
}

struct Field {
    name: String,
    kind: String,
    required: bool,
    description: String,
}

struct EventGroup {
    title: &'static str,
    description: &'static str,
    types: Vec<EventDescription>,
}

struct EventDescription {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    example: String,
}

impl Page {
    fn of(document: &Value) -> Self {
        let operations = |tag: &str| {
            let paths = document["paths"].as_object().into_iter().flatten();
            let all = paths.flat_map(|(path, item)| {
                item.as_object().into_iter().flatten().map(move |(method, operation)| (path, method, operation))
            });
            let mut tagged: Vec<_> = all
                .filter(|(_, _, operation)| operation["tags"][0] == tag)
                .map(|(path, method, operation)| Operation::of(document, path, method, operation))
                .collect();
            let rank = |method: &str| ["GET", "POST", "PUT", "PATCH", "DELETE"].iter().position(|it| *it == method);
            tagged.sort_by(|a, b| (&a.path, rank(&a.method)).cmp(&(&b.path, rank(&b.method))));
            tagged
        };
        let sections = TAGS.map(|(title, description)| Section { title, description, operations: operations(title) });
        let mut events: Vec<EventGroup> = ActorType::all()
            .map(|it| EventGroup { title: it.title(), description: it.description(), types: describe(it.types()) })
            .collect();
        events.push(EventGroup {
            title: "Webhooks",
            description: "What happens to webhooks themselves.",
            types: describe(EventType::all().filter(|it| it.entry().actor_type.is_none() && it.is_delivered())),
        });
        events.push(EventGroup {
            title: "Feed only",
            description: "What else is in the workspace's feed. No webhook gets these.",
            types: describe(EventType::all().filter(|it| !it.is_delivered())),
        });
        Self { version: env!("CARGO_PKG_VERSION"), sections: sections.into(), events }
    }
}

fn describe(types: impl Iterator<Item = EventType>) -> Vec<EventDescription> {
    types
        .map(EventType::entry)
        .map(|entry| EventDescription {
            name: entry.name,
            title: entry.title,
            description: entry.description,
            example: serde_json::to_string_pretty(&entry.example_body()).unwrap_or_default(),
        })
        .collect()
}

impl Operation {
    fn of(document: &Value, path: &str, method: &str, operation: &Value) -> Self {
        let text = |name: &str| operation[name].as_str().unwrap_or_default().to_owned();
        let parameters = operation["parameters"].as_array().into_iter().flatten().map(|parameter| Field {
            name: parameter["name"].as_str().unwrap_or_default().to_owned(),
            kind: kind(document, &parameter["schema"]),
            required: parameter["required"] == true,
            description: parameter["description"].as_str().unwrap_or_default().to_owned(),
        });
        let content = |value: &Value| fields(document, &value["content"]["application/json"]["schema"]);
        let answers = operation["responses"].as_object().into_iter().flatten();
        let answers = answers.filter(|(status, _)| *status != "default").map(|(status, answer)| Answer {
            status: status.clone(),
            description: answer["description"].as_str().unwrap_or_default().to_owned(),
            fields: content(answer),
        });
        Self {
            id: text("operationId"),
            method: method.to_uppercase(),
            path: path.to_owned(),
            summary: text("summary"),
            description: text("description"),
            parameters: parameters.collect(),
            body: content(&operation["requestBody"]),
            answers: answers.collect(),
        }
    }
}

/// The schema behind `$ref`.
fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let reference = schema["$ref"].as_str().and_then(|reference| document.pointer(reference.trim_start_matches('#')));
    reference.unwrap_or(schema)
}

fn fields(document: &Value, schema: &Value) -> Vec<Field> {
    let schema = resolve(document, schema);
    let required: BTreeSet<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let own = schema["properties"].as_object().into_iter().flatten().map(|(name, property)| Field {
        name: name.clone(),
        kind: kind(document, property),
        required: required.contains(name.as_str()),
        description: description(document, property),
    });
    let parts = schema["allOf"].as_array().into_iter().flatten().flat_map(|part| fields(document, part));
    own.chain(parts).collect()
}

fn description(document: &Value, schema: &Value) -> String {
    let text = schema["description"].as_str().or_else(|| resolve(document, schema)["description"].as_str());
    text.unwrap_or_default().to_owned()
}

/// What may stand there, in a few words: `string`, `list of string`, `integer or null`.
fn kind(document: &Value, schema: &Value) -> String {
    let resolved = resolve(document, schema);
    if let Some(choices) = resolved["enum"].as_array().filter(|choices| choices.len() <= 8) {
        return choices.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" | ");
    }
    if let Some(choices) = resolved["oneOf"].as_array() {
        return choices.iter().map(|choice| kind(document, choice)).collect::<Vec<_>>().join(" or ");
    }
    match &resolved["type"] {
        Value::String(name) if name == "array" => format!("list of {}", kind(document, &resolved["items"])),
        Value::String(name) => name.clone(),
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ if resolved["allOf"].is_array() => "object".to_owned(),
        _ => "anything".to_owned(),
    }
}

/// `GET /docs` and its style. The page can't change while the program runs, so it is made once, when somebody asks for it.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S> {
    static HTML: LazyLock<Bytes> =
        LazyLock::new(|| Page::of(&openapi::document()).render().expect("the template writes to memory only").into());
    let page = async || {
        ([(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, POLICY)], HTML.clone()).into_response()
    };
    let style = async || {
        let headers = [(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "public, max-age=3600")];
        (headers, include_str!("static/docs.css"))
    };
    Routes::new().route("/docs", get(page)).route("/docs.css", get(style))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_every_operation_and_event() {
        let document = openapi::document();
        let page = Page::of(&document);
        let shown: usize = page.sections.iter().map(|section| section.operations.len()).sum();
        let all: usize =
            document["paths"].as_object().unwrap().values().map(|item| item.as_object().unwrap().len()).sum();
        assert_eq!(shown, all);
        let html = page.render().unwrap();
        for event_type in EventType::all() {
            assert!(html.contains(&format!("id=\"event-{event_type}\"")), "{event_type}");
        }
        assert!(!html.contains("<script") && !html.contains("style="));
    }
}
