//! The JSON bodies of requests.
//!
//! A body is read up to its limit, must say that it is JSON, and is checked field by field: whoever sends an unknown field,
//! a wrong type or an impossible value is told which field it is. The first reading is the fast one; only a body that is
//! refused is read a second time, to find the field's name.

use axum::{
    body::Body,
    extract::{FromRequest, Request},
};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header::CONTENT_TYPE};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

use super::problem::ApiError;
use crate::error::{Error, FieldError};

/// The most bytes of a body.
pub(super) const BODY_LIMIT: usize = 256 * 1024;
/// The most bytes of a batch.
pub(super) const BATCH_LIMIT: usize = 4 * 1024 * 1024;
/// What is read and thrown away of a body that is too large, so that the client has sent it and reads the answer; whoever
/// sends even more finds the connection closed.
const DRAIN_LIMIT: usize = 16 * 1024 * 1024;

/// How errors call the body itself.
const WHOLE: &str = "body";

/// A body that must be there, of at most `LIMIT` bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Json<T, const LIMIT: usize = BODY_LIMIT>(pub T);

/// A body that may be missing.
#[derive(Clone, Copy, Debug)]
pub(super) struct OptionalJson<T>(pub T);

impl<S: Sync, T: DeserializeOwned, const LIMIT: usize> FromRequest<S> for Json<T, LIMIT> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let is_json = is_json(request.headers());
        let bytes = read(request.into_body(), LIMIT).await?;
        if is_json { parse(&bytes).map(Self) } else { Err(ApiError::NotJsonType) }
    }
}

impl<S: Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let is_json = is_json(request.headers());
        let bytes = read(request.into_body(), BODY_LIMIT).await?;
        match (bytes.is_empty(), is_json) {
            (true, _) => Ok(Self(T::default())),
            (false, true) => parse(&bytes).map(Self),
            (false, false) => Err(ApiError::NotJsonType),
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

async fn read(mut body: Body, limit: usize) -> Result<Bytes, ApiError> {
    // Nearly every body comes in one piece, and is not copied.
    let (mut whole, mut bytes) = (Bytes::new(), BytesMut::new());
    let mut received = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| ApiError::Incomplete)?.into_data() else { continue };
        received = received.saturating_add(data.len());
        if received == data.len() {
            whole = data;
        } else if received <= limit {
            bytes.extend_from_slice(&std::mem::take(&mut whole));
            bytes.extend_from_slice(&data);
        } else if received > DRAIN_LIMIT {
            break;
        }
    }
    if received > limit {
        return Err(ApiError::TooLarge(limit));
    }
    Ok(if bytes.is_empty() { whole } else { bytes.freeze() })
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // A list would be read as the fields of a struct, in their order.
    let begins_as_object = bytes.trim_ascii_start().first() == Some(&b'{');
    let parsed = serde_json::from_slice(bytes);
    if parsed.is_ok() && !begins_as_object {
        return Err(Error::invalid(WHOLE, "must be a JSON object").into());
    }
    parsed.map_err(|error| {
        if error.is_data() && !begins_as_object {
            return Error::invalid(WHOLE, "must be a JSON object").into();
        }
        if !error.is_data() {
            return ApiError::NotJson(error.to_string());
        }
        let deserializer = &mut serde_json::Deserializer::from_slice(bytes);
        match serde_path_to_error::deserialize::<_, T>(deserializer) {
            Err(error) => field_error(&error.path().to_string(), &error.inner().to_string()),
            Ok(_) => ApiError::NotJson(error.to_string()),
        }
    })
}

/// From the path to a value and what serde says of it: `invalid type: integer 5, expected a string at line 1 column 9`.
pub(super) fn field_error(path: &str, message: &str) -> ApiError {
    let message = message.rfind(" at line ").map_or(message, |end| &message[..end]);
    let parent = if path == "." { "" } else { path };
    let inside = |name: &str| if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") };
    let quoted = |prefix: &str| message.strip_prefix(prefix).and_then(|rest| rest.split_once('`'));
    let (field, message) = if let Some((name, _)) = quoted("missing field `") {
        (inside(name), "is missing".to_owned())
    } else if let Some((name, rest)) = quoted("unknown field `") {
        let known = rest.trim_start_matches(", ").replace('`', "");
        let field =
            if parent == name || parent.ends_with(&format!(".{name}")) { parent.to_owned() } else { inside(name) };
        (field, format!("is not known here: {known}"))
    } else if let Some((name, _)) = quoted("duplicate field `") {
        (inside(name), "must be given once only".to_owned())
    } else {
        (parent.to_owned(), plain(message))
    };
    Error::Invalid(vec![FieldError { field, message }]).into()
}

/// What serde says, in words that need no knowledge of this program.
fn plain(message: &str) -> String {
    const NUMBER: &str = "a whole number, 0 or more";
    let message = message.replace('`', "").replace("unknown variant", "unknown value");
    if message.starts_with("invalid digit") {
        return format!("must be {NUMBER}");
    }
    let wrong = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
    let Some((found, expected)) = wrong.and_then(|wrong| wrong.split_once(", expected ")) else { return message };
    let expected = match expected {
        "u32" | "u64" => NUMBER,
        "a map" => "a JSON object",
        "a sequence" => "a list",
        _ if expected.starts_with("struct ") => "a JSON object",
        _ => expected,
    };
    format!("must be {expected}, not {found}")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::value::RawValue;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code)]
        name: bellwire_core::text::Name,
        #[serde(default)]
        #[expect(dead_code)]
        events: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code)]
        data: Box<RawValue>,
        #[serde(rename = "type")]
        #[expect(dead_code)]
        event_type: bellwire_core::catalogue::EventType,
    }

    fn errors(body: &str) -> String {
        match parse::<Outer>(body.as_bytes()).unwrap_err() {
            ApiError::Service(error) => error.to_string(),
            other => format!("400 {other}"),
        }
    }

    #[test]
    fn the_field_is_named() {
        insta::assert_snapshot!(errors("{}"), @"name: is missing");
        insta::assert_snapshot!(errors("[1]"), @"body: must be a JSON object");
        insta::assert_snapshot!(errors("5"), @"body: must be a JSON object");
        insta::assert_snapshot!(errors(r#"{"name": 5}"#), @"name: must be a string, not integer 5");
        insta::assert_snapshot!(errors(r#"{"name": " "}"#), @"name: must not be empty");
        insta::assert_snapshot!(errors(r#"{"name": "a", "colour": 1}"#), @"colour: is not known here: expected name or events");
        insta::assert_snapshot!(errors(r#"{"name": "a", "name": "b"}"#), @"name: must be given once only");
        insta::assert_snapshot!(errors(r#"{"name": "a", "events": [{"data": {}, "type": "user.bloked"}]}"#), @r#"events[0].type: unknown event type "user.bloked", did you mean "user.blocked"?"#);
        insta::assert_snapshot!(errors(r#"{"name": "a", "events": [{"data": {"a": 1}, "type": "user.blocked", "x": 1}]}"#), @"events[0].x: is not known here: expected data or type");
        insta::assert_snapshot!(errors(r#"{"name": "a", "events": [{"data": {}}]}"#), @"events[0].type: is missing");
        insta::assert_snapshot!(errors(r#"{"name": "a" at line 5"#), @"400 the body is not JSON: expected `,` or `}` at line 1 column 14");
        insta::assert_snapshot!(errors(""), @"400 the body is not JSON: EOF while parsing a value at line 1 column 0");
        insta::assert_snapshot!(errors(r#"{"name": "a"} x"#), @"400 the body is not JSON: trailing characters at line 1 column 15");
    }

    #[tokio::test]
    async fn limits_are_exact() {
        assert_eq!(read(Body::from(vec![b' '; 10]), 10).await.unwrap().len(), 10);
        assert!(matches!(read(Body::from(vec![b' '; 11]), 10).await, Err(ApiError::TooLarge(10))));
    }
}
