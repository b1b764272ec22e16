//! The kinds of values in request bodies: how each is read, and how the OpenAPI document describes it.

use std::collections::HashSet;

use serde_json::{Value, json};
use utoipa::openapi::schema::{
    ArrayBuilder, KnownFormat, ObjectBuilder, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{Number as Limit, ToSchema};

use super::fields::Fields;
use crate::api::error::Problem;
use crate::models::task_limits::{NAME_CHARS, TAGS_LIMIT};
use crate::models::{TaskId, Timestamp};

/// A kind of value.
pub(crate) trait Kind {
    type Value;

    /// Whether a null is handed to [`Kind::read`] where the field is required, instead of counting as missing.
    const TAKES_NULL: bool = false;

    /// Reads a value. A wrong one is noted in `fields` under `name`, and reads as `None`.
    fn read(&self, fields: &mut Fields, name: &str, value: Value) -> Option<Self::Value>;

    fn schema(&self) -> RefOr<Schema>;
}

fn typed(of: Type, format: Option<KnownFormat>) -> ObjectBuilder {
    let format = format.map(SchemaFormat::KnownFormat);
    ObjectBuilder::new().schema_type(of).format(format)
}

/// A text of any length.
pub(crate) struct Text;

impl Kind for Text {
    type Value = String;

    const TAKES_NULL: bool = true;

    fn read(&self, fields: &mut Fields, name: &str, value: Value) -> Option<String> {
        match value {
            Value::String(text) => Some(text),
            other => {
                fields.refuse(name, "string_type", "Input should be a valid string", other);
                None
            }
        }
    }

    fn schema(&self) -> RefOr<Schema> {
        typed(Type::String, None).into()
    }
}

/// A text that clients show as dots.
pub(crate) struct Secret;

impl Kind for Secret {
    type Value = String;

    const TAKES_NULL: bool = true;

    fn read(&self, fields: &mut Fields, name: &str, value: Value) -> Option<String> {
        Text.read(fields, name, value)
    }

    fn schema(&self) -> RefOr<Schema> {
        typed(Type::String, Some(KnownFormat::Password)).into()
    }
}

/// A text with a largest number of characters.
pub(crate) struct ShortText(pub(crate) usize);

impl Kind for ShortText {
    type Value = String;

    fn read(&self, fields: &mut Fields, name: &str, value: Value) -> Option<String> {
        let text = Text.read(fields, name, value)?;
        if has_more_chars(&text, self.0) {
            let msg = format!("String should have at most {} characters", self.0);
            fields.refuse(name, "string_too_long", &msg, text.into());
            return None;
        }
        Some(text)
    }

    fn schema(&self) -> RefOr<Schema> {
        typed(Type::String, None).max_length(Some(self.0)).into()
    }
}

/// A name: not empty, with a largest number of characters.
pub(crate) struct Key(pub(crate) usize);

impl Kind for Key {
    type Value = String;

    fn read(&self, fields: &mut Fields, name: &str, value: Value) -> Option<String> {
        match value {
            Value::String(text) if !text.is_empty() && !has_more_chars(&text, self.0) => Some(text),
            other => {
                let msg = format!("Input should be a string of 1 to {} characters", self.0);
                fields.refuse(name, "string_type", &msg, other);
                None
            }
        }
    }

    fn schema(&self) -> RefOr<Schema> {
        let text = typed(Type::String, None).min_length(Some(1));
        text.max_length(Some(self.0)).into()
    }
}

/// A whole number within these limits, both included. `2.0` is one.
pub(crate) struct Whole(pub(crate) i64, pub(crate) i64);

impl Kind for Whole {
    type Value = i64;

    fn read(&self, fields: &mut Fields, name: &str, value: Value) -> Option<i64> {
        let &Self(from, to) = self;
        let float = || value.as_f64().filter(|number| number.fract() == 0.0);
        let whole = value
            .as_i64()
            .or_else(|| float().map(|number| number as i64));
        let found = whole.filter(|number| (from..=to).contains(number));
        if found.is_none() {
            let msg = match to {
                i64::MAX => format!("Input should be a whole number, {from} or more"),
                _ => format!("Input should be a whole number from {from} to {to}"),
            };
            fields.refuse(name, "int_range", &msg, value);
        }
        found
    }

    fn schema(&self) -> RefOr<Schema> {
        let number = typed(Type::Integer, Some(KnownFormat::Int64));
        let most = (self.1 < i64::MAX).then_some(Limit::Int(self.1 as isize));
        number
            .minimum(Some(Limit::Int(self.0 as isize)))
            .maximum(most)
            .into()
    }
}

/// A number within these limits, both included, and its unit.
pub(crate) struct Number {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) unit: &'static str,
}

impl Number {
    pub(crate) const fn seconds(from: f64, to: f64) -> Self {
        let unit = " of seconds";
        Self { from, to, unit }
    }
}

impl Kind for Number {
    type Value = f64;

    fn read(&self, fields: &mut Fields, name: &str, value: Value) -> Option<f64> {
        let &Self { from, to, unit } = self;
        let found = value.as_f64();
        let found = found.filter(|number| (from..=to).contains(number));
        if found.is_none() {
            let msg = format!("Input should be a number{unit} from {from} to {to}");
            fields.refuse(name, "float_range", &msg, value);
        }
        found
    }

    fn schema(&self) -> RefOr<Schema> {
        let limit = |limit: f64| match limit.fract() == 0.0 {
            true => Limit::Int(limit as isize),
            false => Limit::Float(limit),
        };
        let number = typed(Type::Number, Some(KnownFormat::Double));
        let number = number.minimum(Some(limit(self.from)));
        number.maximum(Some(limit(self.to))).into()
    }
}

/// `true` or `false`.
pub(crate) struct Flag;

impl Kind for Flag {
    type Value = bool;

    fn read(&self, fields: &mut Fields, name: &str, value: Value) -> Option<bool> {
        let found = value.as_bool();
        if found.is_none() {
            fields.refuse(name, "bool_type", "Input should be true or false", value);
        }
        found
    }

    fn schema(&self) -> RefOr<Schema> {
        typed(Type::Boolean, None).into()
    }
}

/// A time in RFC 3339.
pub(crate) struct Time;

impl Kind for Time {
    type Value = Timestamp;

    fn read(&self, fields: &mut Fields, name: &str, value: Value) -> Option<Timestamp> {
        let found = value.as_str().and_then(|text| text.parse().ok());
        if found.is_none() {
            let msg = "Input should be a time such as 2026-01-31T12:00:00Z";
            fields.refuse(name, "datetime_parsing", msg, value);
        }
        found
    }

    fn schema(&self) -> RefOr<Schema> {
        Ref::from_schema_name(Timestamp::name()).into()
    }
}

/// A list of texts with a smallest number of entries.
pub(crate) struct Texts(pub(crate) usize);

impl Kind for Texts {
    type Value = Vec<String>;

    fn read(&self, fields: &mut Fields, name: &str, value: Value) -> Option<Vec<String>> {
        let texts: Option<Vec<_>> = value.as_array().and_then(|items| {
            let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
            texts.collect()
        });
        let found = texts.filter(|texts| texts.len() >= self.0);
        if found.is_none() {
            let msg = match self.0 {
                0 => "Input should be a list of strings",
                _ => "Input should be a list of one or more strings",
            };
            fields.refuse(name, "list_type", msg, value);
        }
        found
    }

    fn schema(&self) -> RefOr<Schema> {
        let least = (self.0 > 0).then_some(self.0);
        let text = typed(Type::String, None);
        ArrayBuilder::new().items(text).min_items(least).into()
    }
}

/// The tags of a task: few, and each short.
pub(crate) struct Tags;

impl Kind for Tags {
    type Value = Vec<String>;

    fn read(&self, fields: &mut Fields, name: &str, value: Value) -> Option<Vec<String>> {
        let tags = Texts(0).read(fields, name, value)?;
        if tags.len() > TAGS_LIMIT {
            let msg = format!("List should have at most {TAGS_LIMIT} items");
            fields.refuse(name, "too_long", &msg, json!(tags.len()));
            return None;
        }
        let long = tags.iter().enumerate();
        let long = long.filter(|(_, tag)| has_more_chars(tag, NAME_CHARS));
        fields.problems(long.map(|(index, tag)| {
            let msg = format!("String should have at most {NAME_CHARS} characters");
            let mut problem = Problem::new("string_too_long", &["body", name], msg, json!(tag));
            problem.place(json!(index));
            problem
        }));
        Some(tags)
    }

    fn schema(&self) -> RefOr<Schema> {
        let text = typed(Type::String, None);
        let tags = ArrayBuilder::new().items(text);
        tags.max_items(Some(TAGS_LIMIT)).into()
    }
}

/// A list of task ids. Repeated ones are dropped.
pub(crate) struct TaskIds(pub(crate) usize);

impl Kind for TaskIds {
    type Value = Vec<TaskId>;

    fn read(&self, fields: &mut Fields, name: &str, value: Value) -> Option<Vec<TaskId>> {
        let ids: Option<Vec<TaskId>> = serde_json::from_value(value.clone()).ok();
        let Some(ids) = ids.filter(|ids| ids.len() <= self.0) else {
            let msg = format!(
                "Input should be a list of task ids (UUIDs), at most {}",
                self.0
            );
            fields.refuse(name, "uuid_parsing", &msg, value);
            return None;
        };
        let mut seen = HashSet::new();
        Some(ids.into_iter().filter(|id| seen.insert(*id)).collect())
    }

    fn schema(&self) -> RefOr<Schema> {
        let id = typed(Type::String, Some(KnownFormat::Uuid));
        let ids = ArrayBuilder::new().items(id);
        ids.max_items(Some(self.0)).into()
    }
}

/// Any JSON value, which the reader of the body has turned into the text to be kept.
pub(crate) struct KeptText;

impl Kind for KeptText {
    type Value = String;

    fn read(&self, fields: &mut Fields, name: &str, value: Value) -> Option<String> {
        Text.read(fields, name, value)
    }

    fn schema(&self) -> RefOr<Schema> {
        let any = ObjectBuilder::new().schema_type(SchemaType::AnyValue);
        any.into()
    }
}

/// An object of any fields, which its user checks.
pub(crate) struct AnyObject;

impl Kind for AnyObject {
    type Value = Value;

    fn read(&self, _: &mut Fields, _: &str, value: Value) -> Option<Value> {
        Some(value)
    }

    fn schema(&self) -> RefOr<Schema> {
        let any: RefOr<Schema> = ObjectBuilder::new()
            .schema_type(SchemaType::AnyValue)
            .into();
        let names: Schema = typed(Type::String, None).into();
        typed(Type::Object, None)
            .property_names(Some(names))
            .additional_properties(Some(any))
            .into()
    }
}

fn has_more_chars(text: &str, limit: usize) -> bool {
    text.len() > limit && text.chars().nth(limit).is_some()
}
