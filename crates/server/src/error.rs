//! The one error of the service. `api` and `console` each show it in their way; it is logged once, there.

use bellwire_core::id::Kind;

use crate::db::DbError;

/// Why something was not done. Nothing was changed when one of these comes back.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was given can't be used. (422)
    #[error("{}", .0.iter().map(|field| format!("{}: {}", field.field, field.message)).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<FieldError>),
    /// There is no such thing in this workspace (or it belongs to another one: the answer is the same). (404)
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// Nobody is signed in, or the API key is wrong, blocked or deleted. (401)
    #[error("sign in first, or send a valid API key")]
    Unauthenticated,
    /// The role of whoever asks doesn't allow it. (403)
    #[error("your roles don't allow this: it needs the permission {0}")]
    Forbidden(&'static str),
    /// It doesn't fit the state that things are in. (409, with a stable code)
    #[error("{message}")]
    Conflict {
        /// Stable, snake_case: `last_owner`.
        code: &'static str,
        /// For people.
        message: String,
    },
    /// Asked too often. (429)
    #[error("too many tries: wait {0} seconds and try again")]
    TooMany(u64),
    /// The database's disk is full. (507)
    #[error("there is no room left to store this; try again later")]
    StorageFull,
    /// Something that it needs can't be reached, or too much is going on. (503)
    #[error("not available at the moment; try again later")]
    Unavailable(String),
    /// A fault of the program or its data: logged in full, shown as nothing. (500)
    #[error("something went wrong on our side")]
    Internal(String),
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// The field's name as it was sent: `url`, `event_types`.
    pub field: String,
    /// For people: "must be http or https".
    pub message: String,
}

impl Error {
    /// One field is wrong.
    pub fn invalid(field: &str, message: impl std::fmt::Display) -> Self {
        Self::Invalid(vec![FieldError { field: field.to_owned(), message: message.to_string() }])
    }

    /// There is no `K` of that id in this workspace.
    pub fn not_found<K: Kind>() -> Self {
        Self::NotFound(K::NOUN)
    }

    /// It doesn't fit the state that things are in.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict { code, message: message.into() }
    }

    /// The stable code of RFC 9457 problems.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::NotFound(_) => "not_found",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden(_) => "forbidden",
            Self::Conflict { code, .. } => code,
            Self::TooMany(_) => "too_many_requests",
            Self::StorageFull => "storage_full",
            Self::Unavailable(_) => "unavailable",
            Self::Internal(_) => "internal",
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> http::StatusCode {
        use http::StatusCode as S;
        match self {
            Self::Invalid(_) => S::UNPROCESSABLE_ENTITY,
            Self::NotFound(_) => S::NOT_FOUND,
            Self::Unauthenticated => S::UNAUTHORIZED,
            Self::Forbidden(_) => S::FORBIDDEN,
            Self::Conflict { .. } => S::CONFLICT,
            Self::TooMany(_) => S::TOO_MANY_REQUESTS,
            Self::StorageFull => S::INSUFFICIENT_STORAGE,
            Self::Unavailable(_) => S::SERVICE_UNAVAILABLE,
            Self::Internal(_) => S::INTERNAL_SERVER_ERROR,
        }
    }

    /// Writes what only the operator may see to the log. Called once, where the error leaves the program.
    pub fn log(&self) {
        match self {
            Self::Internal(detail) => tracing::error!(detail, "internal error"),
            Self::Unavailable(detail) => tracing::warn!(detail, "not available"),
            Self::StorageFull => tracing::error!("the database's disk is full"),
            _ => {}
        }
    }
}

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Conflict(_) => {
                Self::conflict("conflict", "somebody else changed this at the same moment; look again and try again")
            }
            DbError::Full(_) => Self::StorageFull,
            DbError::Unavailable(detail) => Self::Unavailable(detail),
            DbError::Fault(detail) => Self::Internal(detail),
        }
    }
}

impl From<crate::crypt::OpenError> for Error {
    fn from(error: crate::crypt::OpenError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(error.to_string())
    }
}
