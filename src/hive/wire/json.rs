//! Values as JSON: for a task's result and payload, and as a codec.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value as Json, json};

use super::limits::ReadBudget;
use super::{integer, lenient};
use crate::hive::wire::codec::Codec;
use crate::hive::wire::error::Error;
use crate::hive::wire::limits::ReadLimits;
use crate::hive::wire::value::Opaque;
use crate::hive::wire::value::Value;
use crate::models::json::parse;

impl Value {
    /// Returns the nearest JSON: a tuple or a set becomes an array, bytes become base64, a key becomes a text, `NaN`
    /// and infinities become null, and an object of Python becomes `{"class": …, "args": […]}`, with `"items"` or
    /// `"state"` if it has them.
    pub(crate) fn to_json(&self) -> Json {
        match self {
            Self::None => Json::Null,
            Self::Bool(truth) => Json::Bool(*truth),
            Self::Int(number) => Json::from(*number),
            Self::BigInt(digits) => big(digits),
            Self::Float(number) => Number::from_f64(*number).map_or(Json::Null, Json::Number),
            Self::Str(text) => Json::String(text.clone()),
            Self::Bytes(bytes) => Json::String(STANDARD.encode(bytes)),
            Self::List(items) | Self::Tuple(items) | Self::Set(items) => array(items),
            Self::Dict(pairs) => object(pairs),
            Self::Opaque(opaque) => described(opaque),
        }
    }

    /// Converts JSON as Python's `json.loads` does. Never yields an object of a class: a client's payload must not
    /// name code that a Python worker would run.
    pub(crate) fn from_json(json: &Json) -> Self {
        match json {
            Json::Null => Self::None,
            Json::Bool(truth) => Self::Bool(*truth),
            Json::Number(number) => from_number(number),
            Json::String(text) => Self::Str(text.clone()),
            Json::Array(items) => Self::List(items.iter().map(Self::from_json).collect()),
            Json::Object(fields) => Self::Dict(
                fields
                    .iter()
                    .map(|(key, value)| (Self::Str(key.clone()), Self::from_json(value)))
                    .collect(),
            ),
        }
    }

    /// Returns the text of this value for places where only texts can be keys.
    pub(crate) fn to_key(&self) -> String {
        self.to_text()
    }
}

fn big(digits: &str) -> Json {
    match serde_json::from_str::<Number>(digits) {
        Ok(number) if integer::is_big(digits) => Json::Number(number),
        _ => Json::String(digits.to_owned()),
    }
}

fn array(items: &[Value]) -> Json {
    items.iter().map(Value::to_json).collect()
}

fn object(pairs: &[(Value, Value)]) -> Json {
    let fields = pairs
        .iter()
        .map(|(key, value)| (key.to_key(), value.to_json()));
    Json::Object(fields.collect::<Map<_, _>>())
}

fn described(opaque: &Opaque) -> Json {
    let mut description = json!({ "class": opaque.class(), "args": array(&opaque.args) });
    if !opaque.items.is_empty() {
        description["items"] = array(&opaque.items);
    }
    if !opaque.pairs.is_empty() {
        description["items"] = object(&opaque.pairs);
    }
    if let Some(state) = &opaque.state {
        description["state"] = state.to_json();
    }
    description
}

/// Keeps an integer of any size; anything else becomes a float, infinite beyond the largest.
fn from_number(number: &Number) -> Value {
    if let Some(small) = number.as_i64() {
        return Value::Int(small);
    }
    let text = number.to_string();
    integer::from_text(&text).unwrap_or_else(|| Value::Float(text.parse().unwrap_or(f64::NAN)))
}

pub(crate) fn encode(value: &Value) -> Result<Vec<u8>, Error> {
    check_depth(value, 1)?;
    serde_json::to_vec(&value.to_json())
        .map_err(|reason| Error::unencodable(Codec::Json, reason.to_string()))
}

/// Checks that a reader with these limits can decode the value again.
pub(crate) fn check_depth(value: &Value, depth: usize) -> Result<(), Error> {
    ReadLimits::default().check_depth(depth)?;
    let inside = |value: &Value| check_depth(value, depth + 1);
    let both = |(key, value): &(Value, Value)| inside(key).and_then(|()| inside(value));
    match value {
        Value::List(items) | Value::Tuple(items) | Value::Set(items) => {
            items.iter().try_for_each(inside)
        }
        Value::Dict(pairs) => pairs.iter().try_for_each(both),
        Value::Opaque(opaque) => {
            opaque.args.iter().try_for_each(inside)?;
            opaque.items.iter().try_for_each(inside)?;
            opaque.pairs.iter().try_for_each(both)?;
            opaque.state.iter().try_for_each(inside)
        }
        _ => Ok(()),
    }
}

pub(crate) fn decode(message: &[u8], limits: &ReadLimits) -> Result<Value, Error> {
    survey(message, limits)?;
    let (message, _) = lenient::as_json(message);
    parse(&message)
        .map(|json| Value::from_json(&json))
        .map_err(|reason| Error::malformed(Codec::Json, reason.to_string()))
}

/// Counts values and depth before anything is built: a parsed array of short numbers takes many times the memory of
/// its text.
fn survey(message: &[u8], limits: &ReadLimits) -> Result<(), Error> {
    let mut budget = ReadBudget::new(limits);
    let (mut depth, mut in_text, mut escaped) = (1_usize, false, false);
    budget.value(depth)?;
    for byte in message {
        if in_text {
            in_text = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'[' | b'{' => {
                depth += 1;
                budget.value(depth - 1)?;
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' | b':' => budget.value(depth)?,
            _ => {}
        }
    }
    Ok(())
}
