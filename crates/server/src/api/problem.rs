//! What went wrong, as RFC 9457 problem details.
//!
//! Every answer of the API that is not a success has this form, also those that no handler gives: an unknown path, a method
//! that a path doesn't have, a body that is too large, a request that takes too long. `type` is `about:blank`, so `title`
//! is the status in words; programs look at `code`, which is stable, and people read `detail`. What is wrong with fields is
//! in `errors`, with each field named as it was sent.
//!
//! An id that nobody has, an id of another workspace and a text that is no id at all get the same answer, byte for byte.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{Error, FieldError};

/// The media type of problem details (RFC 9457 section 6.1).
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// Seconds after which a client may try again when nothing better is known.
const TRY_AGAIN_AFTER: u64 = 5;

/// Why a request was not done (RFC 9457). Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Problem {
    /// Always `about:blank`: look at `code` instead.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    pub problem_type: &'static str,
    /// The status in words.
    #[schema(example = "Unprocessable Entity")]
    pub title: &'static str,
    /// The HTTP status.
    #[schema(example = 422)]
    pub status: u16,
    /// What is wrong, for people.
    #[schema(example = "url: The URL must begin with https:// or http://.")]
    pub detail: String,
    /// What is wrong, for programs: stable, in snake_case.
    #[schema(example = "invalid")]
    pub code: &'static str,
    /// The fields that are wrong, when it is about fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// Why a request was not done: the service refused it, or it was no request of the API at all.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    /// The service's own.
    #[error(transparent)]
    Service(#[from] Error),
    /// The body is not JSON. (400)
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// The body didn't arrive in full. (400)
    #[error("the body did not arrive in full")]
    Incomplete,
    /// The body is of another type. (415)
    #[error("send the body as JSON, with the header Content-Type: application/json")]
    NotJsonType,
    /// The body has more bytes than this. (413)
    #[error("the body is too large: at most {0} bytes")]
    TooLarge(usize),
    /// There is no such path. (404)
    #[error("there is nothing at this path")]
    NoSuchPath,
    /// The path exists, the method doesn't. (405)
    #[error("this path does not have this method")]
    NoSuchMethod,
    /// It took too long. (503)
    #[error("this took too long and was given up; try again later")]
    TooSlow,
}

/// The answer of a handler.
pub(super) type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Service(error) => error.status(),
            Self::NotJson(_) | Self::Incomplete => StatusCode::BAD_REQUEST,
            Self::NotJsonType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoSuchPath => StatusCode::NOT_FOUND,
            Self::NoSuchMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooSlow => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Service(error) => error.code(),
            Self::NotJson(_) => "not_json",
            Self::Incomplete => "incomplete_body",
            Self::NotJsonType => "unsupported_media_type",
            Self::TooLarge(_) => "too_large",
            Self::NoSuchPath => "no_such_path",
            Self::NoSuchMethod => "method_not_allowed",
            Self::TooSlow => "timeout",
        }
    }

    /// What is shown.
    pub(super) fn problem(&self) -> Problem {
        let status = self.status();
        let errors = match self {
            Self::Service(Error::Invalid(fields)) => fields.clone(),
            _ => Vec::new(),
        };
        Problem {
            problem_type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: self.to_string(),
            code: self.code(),
            errors,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if let Self::Service(error) = &self {
            error.log();
        }
        let problem = self.problem();
        let status = self.status();
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        match (status, &self) {
            (StatusCode::UNAUTHORIZED, _) => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            (_, Self::Service(Error::TooMany(seconds))) => {
                headers.insert(RETRY_AFTER, HeaderValue::from(*seconds));
            }
            (StatusCode::SERVICE_UNAVAILABLE, _) => {
                headers.insert(RETRY_AFTER, HeaderValue::from(TRY_AGAIN_AFTER));
            }
            _ => {}
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_shown_as_rfc_9457_says() {
        let error = ApiError::from(Error::invalid("url", "must not be empty"));
        insta::assert_json_snapshot!(error.problem(), @r#"
        {
          "type": "about:blank",
          "title": "Unprocessable Entity",
          "status": 422,
          "detail": "url: must not be empty",
          "code": "invalid",
          "errors": [
            {
              "field": "url",
              "message": "must not be empty"
            }
          ]
        }
        "#);
    }

    #[test]
    fn faults_show_nothing_of_their_cause() {
        let problem = ApiError::from(Error::Internal("column webhooks.url: secret".to_owned())).problem();
        assert_eq!((problem.status, problem.detail.as_str()), (500, "something went wrong on our side"));
    }

    #[test]
    fn headers_say_what_clients_need() {
        let header = |error: ApiError, name| error.into_response().headers().get(name).cloned();
        assert_eq!(header(Error::TooMany(17).into(), RETRY_AFTER).unwrap(), "17");
        assert_eq!(header(ApiError::TooSlow, RETRY_AFTER).unwrap(), "5");
        assert_eq!(header(Error::Unauthenticated.into(), WWW_AUTHENTICATE).unwrap(), "Bearer");
        assert_eq!(header(ApiError::NoSuchPath, CONTENT_TYPE).unwrap(), PROBLEM_JSON);
    }
}
