//! The data of a published event: any JSON object, within bounds, kept compact.

use serde_json::value::RawValue;

use super::MAX_DATA;

/// How deep objects and lists may be nested: receivers' parsers have limits, often of 100 or so for the whole body.
const MAX_DEPTH: usize = 64;

/// Why data can't be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::ops) enum DataError {
    #[error("must be a JSON object")]
    NotAnObject,
    #[error("must be at most 256 KiB")]
    TooLong,
    #[error("must not be nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

/// Checks the bounds and takes out the white space between tokens. The JSON itself was checked when it became a [`RawValue`].
pub(in crate::ops) fn check(data: Box<RawValue>) -> Result<Box<RawValue>, DataError> {
    let text = data.get();
    if !text.starts_with('{') {
        return Err(DataError::NotAnObject);
    }
    let (mut depth, mut spaces) = (0_usize, 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = byte == b'\\' && !escaped;
            continue;
        }
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => spaces += 1,
            b'"' => in_string = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(DataError::TooDeep);
        }
    }
    if text.len() - spaces > MAX_DATA {
        return Err(DataError::TooLong);
    }
    if spaces == 0 {
        return Ok(data);
    }
    RawValue::from_string(compact(text, text.len() - spaces)).map_err(|_| DataError::NotAnObject)
}

fn compact(text: &str, length: usize) -> String {
    let mut compact = String::with_capacity(length);
    let (mut in_string, mut escaped) = (false, false);
    for character in text.chars() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = character == '\\' && !escaped;
        } else if matches!(character, ' ' | '\t' | '\n' | '\r') {
            continue;
        } else {
            in_string = character == '"';
        }
        compact.push(character);
    }
    compact
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<String, DataError> {
        check(RawValue::from_string(text.to_owned()).unwrap()).map(|data| data.get().to_owned())
    }

    #[test]
    fn objects_become_compact_and_keep_their_strings() {
        let pretty = "{ \"a\" : [ 1 , 2.50 ],\n\t\"b \\\" c\\\\\" : \" { x \" }";
        assert_eq!(checked(pretty).unwrap(), r#"{"a":[1,2.50],"b \" c\\":" { x "}"#);
        assert_eq!(checked("{}").unwrap(), "{}");
    }

    #[test]
    fn bounds_are_kept() {
        for other in ["[]", "\"{}\"", "null", "1"] {
            assert_eq!(checked(other), Err(DataError::NotAnObject));
        }
        let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(checked(&nested(63)).is_ok());
        assert_eq!(checked(&nested(64)), Err(DataError::TooDeep));
        let long = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length));
        assert!(checked(&long(MAX_DATA - 8)).is_ok());
        assert_eq!(checked(&long(MAX_DATA - 7)), Err(DataError::TooLong));
    }
}
