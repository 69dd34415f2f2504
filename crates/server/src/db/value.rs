//! The three kinds of values that both engines store alike (integer, text, bytes), and rows of them.

use std::{fmt::Write as _, sync::Arc};

use bellwire_core::{
    id::{Id, Kind},
    time::Timestamp,
};
use rusqlite::types::{ToSqlOutput, ValueRef};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use super::DbError;

/// A stored value. Booleans are the integers 0 and 1; times are microseconds; JSON and ids are text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// NULL
    Null,
    /// BIGINT
    Int(i64),
    /// TEXT
    Text(String),
    /// BYTEA or BLOB
    Bytes(Vec<u8>),
}

macro_rules! into_value {
    ($($from:ty => |$it:ident| $value:expr;)*) => {$(
        impl From<$from> for Value {
            fn from($it: $from) -> Self {
                $value
            }
        }
    )*};
}

into_value! {
    i64 => |it| Self::Int(it);
    i32 => |it| Self::Int(it.into());
    u32 => |it| Self::Int(it.into());
    bool => |it| Self::Int(it.into());
    &str => |it| Self::Text(it.to_owned());
    String => |it| Self::Text(it);
    &String => |it| Self::Text(it.clone());
    Vec<u8> => |it| Self::Bytes(it);
    Timestamp => |it| Self::Int(it.as_micros());
}

impl<K: Kind> From<Id<K>> for Value {
    fn from(id: Id<K>) -> Self {
        let mut text = String::with_capacity(32); // prefix, `_` and 26 characters
        let _ = write!(text, "{id}");
        Self::Text(text)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(it: Option<T>) -> Self {
        it.map_or(Self::Null, Into::into)
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(it) => ValueRef::Integer(*it),
            Self::Text(it) => ValueRef::Text(it.as_bytes()),
            Self::Bytes(it) => ValueRef::Blob(it),
        }))
    }
}

impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut bytes::BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(it) if *ty == Type::INT4 => i32::try_from(*it)?.to_sql(ty, out),
            Self::Int(it) => it.to_sql(ty, out),
            Self::Text(it) => it.to_sql(ty, out),
            Self::Bytes(it) => it.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        [Type::INT8, Type::INT4, Type::TEXT, Type::VARCHAR, Type::BYTEA, Type::UNKNOWN].contains(ty)
    }

    to_sql_checked!();
}

/// One row of an answer: values under the names of their columns.
#[derive(Clone, Debug)]
pub struct Row {
    pub(super) columns: Arc<[String]>,
    pub(super) values: Vec<Value>,
}

impl Row {
    /// The value of a column, as a `T`.
    ///
    /// # Errors
    /// When there is no such column, or what is stored is not a `T`: both are faults of the program or of the data.
    pub fn get<T: FromValue>(&self, column: &str) -> Result<T, DbError> {
        let index = self.columns.iter().position(|name| name == column);
        let value =
            index.and_then(|index| self.values.get(index)).ok_or_else(|| DbError::corrupt(column, "no such column"))?;
        T::from_value(value).map_err(|what| DbError::corrupt(column, what))
    }

    /// A text column, parsed.
    ///
    /// # Errors
    /// As `get`, and when the text can't be parsed.
    pub fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(&self, column: &str) -> Result<T, DbError> {
        self.get::<String>(column)?.parse().map_err(|error: T::Err| DbError::corrupt(column, &error.to_string()))
    }

    /// A text column that holds JSON.
    ///
    /// # Errors
    /// As `get`, and when it is not the JSON of a `T`.
    pub fn json<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<T, DbError> {
        serde_json::from_str(&self.get::<String>(column)?).map_err(|error| DbError::corrupt(column, &error.to_string()))
    }
}

/// What can be read from a stored value.
pub trait FromValue: Sized {
    /// Reads it, or says what is wrong.
    #[expect(clippy::missing_errors_doc, reason = "the only error is a value of another kind")]
    fn from_value(value: &Value) -> Result<Self, &'static str>;
}

macro_rules! from_value {
    ($($to:ty: $pattern:pat => $value:expr, $expected:literal;)*) => {$(
        impl FromValue for $to {
            fn from_value(value: &Value) -> Result<Self, &'static str> {
                match value {
                    $pattern => Ok($value),
                    _ => Err(concat!("expected ", $expected)),
                }
            }
        }
    )*};
}

from_value! {
    i64: Value::Int(it) => *it, "an integer";
    bool: Value::Int(it @ (0 | 1)) => *it == 1, "0 or 1";
    String: Value::Text(it) => it.clone(), "text";
    Vec<u8>: Value::Bytes(it) => it.clone(), "bytes";
    Timestamp: Value::Int(it) => Timestamp::from_micros(*it), "a time";
}

impl FromValue for u32 {
    fn from_value(value: &Value) -> Result<Self, &'static str> {
        i64::from_value(value)?.try_into().map_err(|_| "out of range")
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value) -> Result<Self, &'static str> {
        if *value == Value::Null { Ok(None) } else { T::from_value(value).map(Some) }
    }
}

impl<K: Kind> FromValue for Id<K> {
    fn from_value(value: &Value) -> Result<Self, &'static str> {
        match value {
            Value::Text(it) => it.parse().map_err(|_| "expected an id of another kind"),
            _ => Err("expected an id"),
        }
    }
}
