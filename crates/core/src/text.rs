//! Bounded text: what people type, made valid once.
//!
//! A `Name` or `Email` can only exist in a valid form; nobody below the edge checks again. Control characters never pass,
//! surrounding white space is removed, lengths count Unicode characters.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The text can't be used. The message is meant for the person who typed it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing was given where something is needed.
    #[error("must not be empty")]
    Empty,
    /// More characters than the field holds.
    #[error("must be at most {max} characters long")]
    TooLong {
        /// The largest number of characters.
        max: usize,
    },
    /// A character that can't be seen, such as a line break or a text-direction override.
    #[error("must not contain control characters")]
    Control,
    /// Not an e-mail address.
    #[error("must be an e-mail address like ann@example.com")]
    NotAnEmail,
}

fn checked(text: &str, min: usize, max: usize, lines: bool) -> Result<String, TextError> {
    let text = text.trim();
    if text.chars().any(|c| is_control(c) && !(lines && c == '\n')) {
        return Err(TextError::Control);
    }
    match text.chars().count() {
        n if n < min => Err(TextError::Empty),
        n if n > max => Err(TextError::TooLong { max }),
        _ => Ok(text.to_owned()),
    }
}

/// Control characters, and the invisible ones that reorder the text around them (Unicode TR 9).
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

macro_rules! bounded_text {
    ($($(#[$doc:meta])* $name:ident($min:literal..=$max:literal);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Checks the text.
            ///
            /// # Errors
            /// When it is empty, too long or has control characters.
            pub fn parse(text: &str) -> Result<Self, TextError> {
                checked(text, $min, $max, false).map(Self)
            }
        }
        text_traits!($name, $max);
    )*};
}

macro_rules! text_traits {
    ($name:ident, $max:literal) => {
        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::parse(&std::borrow::Cow::<'de, str>::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::Type::String)
                    .max_length(Some($max))
                    .into()
            }
        }
        impl utoipa::ToSchema for $name {}
    };
}

bounded_text! {
    /// The name of a user, workspace, group, role or API key: 1 to 100 characters.
    Name(1..=100);
    /// Why somebody did something: up to 500 characters, may be empty.
    Reason(0..=500);
    /// What a webhook or role is for: up to 500 characters, may be empty.
    Description(0..=500);
}

/// An e-mail address, at most 254 characters (RFC 5321 section 4.5.3.1), kept in lower case so that one person has one account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(String);
text_traits!(Email, 254);

impl Email {
    /// Checks the text: one `@` with something before it and a host name behind it. Whether mail arrives there only mail can tell.
    ///
    /// # Errors
    /// When it can't be an address.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let text = checked(text, 1, 254, false)?.to_lowercase();
        let (local, host) = text.rsplit_once('@').ok_or(TextError::NotAnEmail)?;
        let host_is_fine = !host.is_empty()
            && host.split('.').all(|label| {
                !label.is_empty() && !label.starts_with('-') && label.chars().all(|c| c.is_alphanumeric() || c == '-')
            });
        let local_is_fine = !local.is_empty()
            && local.len() <= 64
            && !local.contains(['@', ' ', '<', '>', '(', ')', ',', ';', ':', '"', '\\']);
        if host_is_fine && local_is_fine { Ok(Self(text)) } else { Err(TextError::NotAnEmail) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(Name::parse("  Ann Lee ").unwrap().as_str(), "Ann Lee");
        assert_eq!(Name::parse(" "), Err(TextError::Empty));
        assert_eq!(Name::parse(&"a".repeat(10_000)), Err(TextError::TooLong { max: 100 }));
        assert_eq!(Name::parse("a\u{0}b"), Err(TextError::Control));
        assert_eq!(Name::parse("a\u{202e}b"), Err(TextError::Control));
        assert_eq!(Name::parse("<script>").unwrap().as_str(), "<script>");
        assert_eq!(Reason::parse("").unwrap().as_str(), "");
    }

    #[test]
    fn emails() {
        assert_eq!(Email::parse("Ann@Example.COM").unwrap().as_str(), "ann@example.com");
        for bad in [
            "",
            "ann",
            "@example.com",
            "ann@",
            "ann@@example.com",
            "a b@example.com",
            "ann@exa mple.com",
            "ann@.com",
            "ann@-x.com",
        ] {
            assert!(Email::parse(bad).is_err(), "{bad}");
        }
    }
}
