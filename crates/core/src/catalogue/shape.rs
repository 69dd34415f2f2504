//! Values described once: what they may be, and an example of them.
//!
//! The JSON Schema (2020-12) and the example that stands beside it in the documentation are made of the same properties, so
//! neither can name one that the other lacks. Objects are closed: a property that isn't described can't be sent.

use serde_json::{Map, Value, json};

/// A value: its schema and an example.
#[derive(Clone)]
pub(super) struct Shape {
    schema: Value,
    example: Value,
}

impl Shape {
    fn new(schema: Value, example: impl Into<Value>) -> Self {
        Self { schema, example: example.into() }
    }

    /// Null is a possible value too; the example stays.
    pub(super) fn or_null(mut self) -> Self {
        self.schema["type"] = json!([self.schema["type"], "null"]);
        if let Some(choices) = self.schema.get_mut("enum").and_then(Value::as_array_mut) {
            choices.push(Value::Null);
        }
        self
    }

    /// Null is a possible value, and the one of the example.
    pub(super) fn null(self) -> Self {
        Self { example: Value::Null, ..self.or_null() }
    }
}

/// Any text.
pub(super) fn text(example: &str) -> Shape {
    Shape::new(json!({"type": "string"}), example)
}

/// Text of a format of JSON Schema, such as `uri`.
pub(super) fn formatted(format: &str, example: &str) -> Shape {
    Shape::new(json!({"type": "string", "format": format}), example)
}

/// Text of exactly `length` characters.
pub(super) fn exactly(length: usize, example: &str) -> Shape {
    Shape::new(json!({"type": "string", "minLength": length, "maxLength": length}), example)
}

/// A time: RFC 3339, UTC, six decimals.
pub(super) fn time(example: &str) -> Shape {
    formatted("date-time", example)
}

/// The identifier `example`, and all others of its kind.
pub(super) fn id(example: &str) -> Shape {
    let prefix = example.split_once('_').map_or(example, |(prefix, _)| prefix);
    Shape::new(json!({"type": "string", "pattern": format!("^{prefix}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$")}), example)
}

/// The identifier of a user or API key.
pub(super) fn principal_id(example: &str) -> Shape {
    Shape::new(json!({"type": "string", "pattern": "^(usr|key)_[0-7][0-9a-hjkmnp-tv-z]{25}$"}), example)
}

/// One of `choices`, of which the first is the example.
pub(super) fn one_of<const N: usize>(choices: [&str; N]) -> Shape {
    Shape::new(json!({"type": "string", "enum": choices.as_slice()}), choices.first().copied())
}

/// Nothing but `value`.
pub(super) fn always(value: impl Into<Value>) -> Shape {
    let value = value.into();
    Shape::new(json!({"const": value}), value)
}

/// Yes or no.
pub(super) fn boolean(example: bool) -> Shape {
    Shape::new(json!({"type": "boolean"}), example)
}

/// A whole number.
pub(super) fn integer(example: i64) -> Shape {
    Shape::new(json!({"type": "integer"}), example)
}

/// A whole number of at least `minimum`.
pub(super) fn at_least(minimum: i64, example: i64) -> Shape {
    Shape::new(json!({"type": "integer", "minimum": minimum}), example)
}

/// A part of the whole in percent: 1 to 99.
pub(super) fn percent(example: i64) -> Shape {
    Shape::new(json!({"type": "integer", "minimum": 1, "maximum": 99}), example)
}

/// A list of `item`s; the example has one.
pub(super) fn list(item: impl Into<Shape>) -> Shape {
    let Shape { schema, example } = item.into();
    Shape::new(json!({"type": "array", "items": schema}), vec![example])
}

/// One property of an object.
#[derive(Clone)]
pub(super) struct Property {
    name: &'static str,
    description: &'static str,
    shape: Shape,
    required: bool,
    in_example: bool,
}

/// A property that is always there.
pub(super) fn property(name: &'static str, description: &'static str, shape: impl Into<Shape>) -> Property {
    Property { name, description, shape: shape.into(), required: true, in_example: true }
}

impl Property {
    /// It may be missing, though the example has it.
    pub(super) fn optional(self) -> Self {
        Self { required: false, ..self }
    }

    /// It is usually missing, as in the example.
    pub(super) fn rare(self) -> Self {
        Self { required: false, in_example: false, ..self }
    }
}

/// An object with these properties and no others.
#[derive(Clone)]
pub(super) struct Object {
    properties: Vec<Property>,
    never_empty: bool,
}

impl Object {
    pub(super) fn new(properties: impl IntoIterator<Item = Property>) -> Self {
        Self { properties: properties.into_iter().collect(), never_empty: false }
    }

    /// The same object, whose example has `value` for `name`, which must be one of its properties.
    pub(super) fn showing(mut self, name: &str, value: impl Into<Value>) -> Self {
        let property = self.properties.iter_mut().find(|property| property.name == name);
        property.expect("the catalogue's tests build every object").shape.example = value.into();
        self
    }

    /// What fields of this object were before they changed: at least one of `names`. The example has those of `example`.
    pub(super) fn before<const N: usize>(self, names: [&str; N], example: &Value) -> Self {
        let properties = self.properties.into_iter().filter(|property| names.contains(&property.name));
        let properties = properties.map(|mut property| {
            let shown = example.get(property.name);
            property.shape.example = shown.cloned().unwrap_or_default();
            Property { required: false, in_example: shown.is_some(), ..property }
        });
        let properties = properties.collect::<Vec<_>>();
        debug_assert_eq!(properties.len(), N, "all of {names:?} are properties");
        Self { properties, never_empty: true }
    }

    /// The JSON Schema (2020-12).
    pub(super) fn schema(&self) -> Value {
        let properties = self.properties.iter().map(|property| {
            let mut schema = property.shape.schema.clone();
            schema["description"] = property.description.into();
            (property.name.to_owned(), schema)
        });
        let required = self.properties.iter().filter(|property| property.required).map(|property| property.name);
        let mut schema = json!({
            "type": "object",
            "properties": properties.collect::<Map<_, _>>(),
            "required": required.collect::<Vec<_>>(),
            "additionalProperties": false,
        });
        if self.never_empty {
            schema["minProperties"] = 1.into();
        }
        schema
    }

    /// The example.
    pub(super) fn example(&self) -> Value {
        let shown = self.properties.iter().filter(|property| property.in_example);
        shown.map(|property| (property.name.to_owned(), property.shape.example.clone())).collect::<Map<_, _>>().into()
    }
}

impl From<Object> for Shape {
    fn from(object: Object) -> Self {
        Self { schema: object.schema(), example: object.example() }
    }
}
