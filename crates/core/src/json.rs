//! JSON as people read it.

/// JSON with line breaks and spaces, in the order in which it is sent; text that is no JSON stays as it is.
pub fn pretty(json: &str) -> String {
    if serde_json::from_str::<serde::de::IgnoredAny>(json).is_err() {
        return json.to_owned();
    }
    let mut shown = String::with_capacity(json.len() * 2);
    let mut depth: usize = 0;
    let (mut in_text, mut escaped) = (false, false);
    let line = |shown: &mut String, depth: usize| {
        shown.push('\n');
        shown.extend(std::iter::repeat_n("  ", depth));
    };
    for letter in json.chars() {
        if in_text {
            shown.push(letter);
            in_text = escaped || letter != '"';
            escaped = !escaped && letter == '\\';
            continue;
        }
        if letter.is_ascii_whitespace() {
            continue;
        }
        let opened = shown.ends_with(['{', '[']);
        if matches!(letter, '}' | ']') {
            depth = depth.saturating_sub(1);
            if !opened {
                line(&mut shown, depth);
            }
        } else if opened {
            line(&mut shown, depth);
        }
        shown.push(letter);
        match letter {
            '{' | '[' => depth += 1,
            ',' => line(&mut shown, depth),
            ':' => shown.push(' '),
            '"' => in_text = true,
            _ => {}
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_shown_with_line_breaks_in_the_order_in_which_they_are_sent() {
        assert_eq!(pretty(r#"{"b":1,"a":[2, "x"]}"#), "{\n  \"b\": 1,\n  \"a\": [\n    2,\n    \"x\"\n  ]\n}");
        assert_eq!(
            pretty(r#"{"a":"{\"b\\\\\":[1, 2]}","c":[],"d":{}}"#),
            "{\n  \"a\": \"{\\\"b\\\\\\\\\\\":[1, 2]}\",\n  \"c\": [],\n  \"d\": {}\n}"
        );
        assert_eq!(pretty("{"), "{");
    }

    proptest::proptest! {
        #[test]
        fn line_breaks_change_nothing_of_a_body(text in ".*", number: i64) {
            let key = text.clone();
            let value = serde_json::json!({"a": [text, {"b": number}, []], key: null});
            let shown: serde_json::Value = serde_json::from_str(&pretty(&value.to_string())).unwrap();
            proptest::prop_assert_eq!(shown, value);
        }
    }
}
