//! Custom headers: what a receiver asks for besides the signature, such as a key for its gateway.
//!
//! They can neither break the request (no line breaks, no headers that HTTP or the connection own) nor pretend to be ours (no
//! `webhook-*`, `content-type`, `user-agent`).

use http::HeaderName;

/// The most headers.
pub(super) const MAX_COUNT: usize = 16;
/// The most characters of a name.
pub(super) const MAX_NAME: usize = 64;
/// The most bytes of a value.
pub(super) const MAX_VALUE: usize = 1024;

/// Names in lower case and values, checked.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CustomHeaders(Vec<(String, String)>);

/// Why headers can't be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadersError {
    /// More than [`MAX_COUNT`].
    #[error("at most {MAX_COUNT} headers")]
    TooMany,
    /// Empty, over [`MAX_NAME`] characters, or with others than a header's name can have (RFC 9110, section 5.1).
    #[error("{0:?} can't be the name of a header")]
    Name(String),
    /// It belongs to HTTP, to the connection, or to Bellwire.
    #[error("the header {0} can't be set")]
    Reserved(HeaderName),
    /// The same name twice.
    #[error("the header {0} is there twice")]
    Twice(HeaderName),
    /// Over [`MAX_VALUE`] bytes, or with others than visible ASCII, spaces and tabs.
    #[error("the value of the header {0} must be at most {MAX_VALUE} visible ASCII characters")]
    Value(HeaderName),
}

/// Names that are refused.
const RESERVED: [&str; 20] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
];

/// Beginnings of names that are refused.
const RESERVED_PREFIXES: [&str; 3] = ["webhook-", "sec-", "x-forwarded-"];

impl CustomHeaders {
    /// Checks names and values.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(headers: Vec<(String, String)>) -> Result<Self, HeadersError> {
        if headers.len() > MAX_COUNT {
            return Err(HeadersError::TooMany);
        }
        let mut checked = Self::default();
        for (name, value) in headers {
            let name = match name.parse::<HeaderName>() {
                Ok(parsed) if name.len() <= MAX_NAME => parsed,
                _ => return Err(HeadersError::Name(name.chars().take(MAX_NAME).collect())),
            };
            let is_reserved = RESERVED.contains(&name.as_str())
                || RESERVED_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix));
            if is_reserved {
                return Err(HeadersError::Reserved(name));
            }
            if checked.names().any(|other| other == name.as_str()) {
                return Err(HeadersError::Twice(name));
            }
            let value = value.trim();
            let visible = value.len() <= MAX_VALUE && value.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b));
            if !visible {
                return Err(HeadersError::Value(name));
            }
            checked.0.push((name.as_str().to_owned(), value.to_owned()));
        }
        Ok(checked)
    }

    /// The names, in lower case.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names in lower case and values.
    pub fn into_pairs(self) -> Vec<(String, String)> {
        self.0
    }

    /// As they are stored, sealed: JSON.
    pub(super) fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&self.0)
    }
}

/// Without the values.
impl std::fmt::Debug for CustomHeaders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str, value: &str) -> Result<CustomHeaders, HeadersError> {
        CustomHeaders::parse(vec![(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn ordinary_ones_are_taken() {
        let headers = parse("X-Api-Key", " s3cret ").unwrap();
        assert_eq!(headers.names().collect::<Vec<_>>(), ["x-api-key"]);
        assert_eq!(headers.to_json().unwrap(), br#"[["x-api-key","s3cret"]]"#);
        assert!(!format!("{headers:?}").contains("s3cret"));
        assert!(parse("authorization", "Bearer abc").is_ok());
        assert!(CustomHeaders::parse(Vec::new()).unwrap().is_empty());
    }

    #[test]
    fn nothing_breaks_or_forges_the_request() {
        for name in ["Host", "content-LENGTH", "webhook-id", "Webhook-Signature", "te", "x-forwarded-for", "cookie"] {
            assert!(matches!(parse(name, "x"), Err(HeadersError::Reserved(_))), "{name}");
        }
        for name in ["", "a b", "a:b", "a\r\nb", "é", &"a".repeat(65)] {
            assert!(matches!(parse(name, "x"), Err(HeadersError::Name(_))), "{name:?}");
        }
        for value in ["a\r\nhost: evil", "a\nb", "a\0b", "é", &"a".repeat(1025)] {
            assert!(matches!(parse("x-a", value), Err(HeadersError::Value(_))), "{value:?}");
        }
        let twice = CustomHeaders::parse(vec![("X-A".into(), "1".into()), ("x-a".into(), "2".into())]);
        assert!(matches!(twice, Err(HeadersError::Twice(_))));
        let many = (0..17).map(|n| (format!("x-{n}"), String::new())).collect();
        assert_eq!(CustomHeaders::parse(many), Err(HeadersError::TooMany));
    }
}
