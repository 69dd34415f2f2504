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
pub(in crate::ops) fn check(data: &RawValue) -> Result<Box<RawValue>, DataError> {
    let text = data.get();
    if !text.starts_with('{') {
        return Err(DataError::NotAnObject);
    }
    let mut compact = String::with_capacity(text.len().min(MAX_DATA));
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for character in text.chars() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = character == '\\' && !escaped;
        } else {
            match character {
                ' ' | '\t' | '\n' | '\r' => continue,
                '"' => in_string = true,
                '{' | '[' => depth += 1,
                '}' | ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        if depth > MAX_DEPTH {
            return Err(DataError::TooDeep);
        }
        compact.push(character);
        if compact.len() > MAX_DATA {
            return Err(DataError::TooLong);
        }
    }
    RawValue::from_string(compact).map_err(|_| DataError::NotAnObject)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compact(text: &str) -> Result<String, DataError> {
        check(&RawValue::from_string(text.to_owned()).unwrap()).map(|data| data.get().to_owned())
    }

    #[test]
    fn objects_become_compact_and_keep_their_strings() {
        let pretty = "{ \"a\" : [ 1 , 2.50 ],\n\t\"b \\\" c\\\\\" : \" { x \" }";
        assert_eq!(compact(pretty).unwrap(), r#"{"a":[1,2.50],"b \" c\\":" { x "}"#);
        assert_eq!(compact("{}").unwrap(), "{}");
    }

    #[test]
    fn bounds_are_kept() {
        for other in ["[]", "\"{}\"", "null", "1"] {
            assert_eq!(compact(other), Err(DataError::NotAnObject));
        }
        let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(compact(&nested(63)).is_ok());
        assert_eq!(compact(&nested(64)), Err(DataError::TooDeep));
        let long = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length));
        assert!(compact(&long(MAX_DATA - 8)).is_ok());
        assert_eq!(compact(&long(MAX_DATA - 7)), Err(DataError::TooLong));
    }
}
