//! Reads JSON as values and never mistakes an object of a client for a private type of serde_json.
//!
//! With `arbitrary_precision` serde_json hands a number on as an object with one private key, so its own `Value`
//! takes a client's object with that key for a number, or refuses it; likewise with the key of a `RawValue`.
//! Here a key counts as private only if it cannot come from the text: serde_json borrows its own, and copies
//! the text's keys where they have escapes or come from a reader.

use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Number, Value};

/// The key of the object as which serde_json hands a number on.
const NUMBER: &str = "$serde_json::private::Number";

/// A value; of a text that [`spells_private_key`], only from a reader.
#[derive(Debug)]
pub(crate) struct Plain(pub(crate) Value);

/// An object; of a text that [`spells_private_key`], only from a reader.
#[derive(Debug)]
pub(crate) struct PlainObject(pub(crate) Map<String, Value>);

/// The text as a value.
///
/// # Errors
/// When it is no JSON.
pub(crate) fn parse(json: &[u8]) -> Result<Value, serde_json::Error> {
    let read = match spells_private_key(json) {
        true => serde_json::from_reader(json),
        false => serde_json::from_slice(json),
    };
    read.map(|Plain(value)| value)
}

/// The text as an object; `None` if it is anything else.
pub(crate) fn parse_object(json: &[u8]) -> Option<Map<String, Value>> {
    match parse(json).ok()? {
        Value::Object(fields) => Some(fields),
        _ => None,
    }
}

/// Whether a key that is borrowed from this text may look like serde_json's own.
pub(crate) fn spells_private_key(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = rest.iter().position(|byte| *byte == b'$') {
        if rest[at..].starts_with(NUMBER.as_bytes()) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor).map(Self)
    }
}

impl<'de> Deserialize<'de> for PlainObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor).map(Self)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any valid JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Plain(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = fields.next_key_seed(KeySeed)? {
            let name = match key {
                Key::Name(name) => name,
                Key::Number => {
                    let digits: String = fields.next_value()?;
                    let number: Number = digits.parse().map_err(A::Error::custom)?;
                    return Ok(Value::Number(number));
                }
            };
            let Plain(value) = fields.next_value()?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let Plain(value) = fields.next_value()?;
            object.insert(name, value);
        }
        Ok(object)
    }
}

enum Key {
    Name(String),
    /// serde_json's own: what follows is a number.
    Number,
}

struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for KeySeed {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string key")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Key, E> {
        match name == NUMBER {
            true => Ok(Key::Number),
            false => Ok(Key::Name(name.to_owned())),
        }
    }

    fn visit_str<E>(self, name: &str) -> Result<Key, E> {
        Ok(Key::Name(name.to_owned()))
    }

    fn visit_string<E>(self, name: String) -> Result<Key, E> {
        Ok(Key::Name(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_an_object_whatever_its_keys() {
        for text in [
            r#"{"$serde_json::private::Number":"12"}"#,
            r#"{"$serde_json::private::Number":"no number"}"#,
            r#"{"$serde_json::private::Number":{"$serde_json::private::Number":1.50}}"#,
            r#"[{"$serde_json::private::Number":"1","b":2}]"#,
            r#"{"a":{"$serde_json::private::RawValue":"{\"b\":1}"}}"#,
            r#"{"a":1e+400,"b":-0.0,"c":123456789012345678901234567890,"d":[true,null,"x"]}"#,
            r#""$serde_json::private::Number""#,
            "7",
        ] {
            let value = parse(text.as_bytes()).unwrap();
            assert_eq!(value.to_string(), text);
        }
        let escaped = parse(br#"{"\u0024serde_json::private::Number":"12"}"#).unwrap();
        assert_eq!(
            escaped.to_string(),
            r#"{"$serde_json::private::Number":"12"}"#
        );
        let last = parse(br#"{"a":1,"b":2,"a":3}"#).unwrap();
        assert_eq!(last.to_string(), r#"{"a":3,"b":2}"#);
    }

    #[test]
    fn what_is_no_json_is_refused_where_it_ends_to_be_one() {
        for text in [
            "",
            "{",
            "[1,]",
            "{\"a\nb\":1}",
            "{1:2}",
            "nul",
            "1 2",
            "\"\\ud800\"",
        ] {
            let ours = parse(text.as_bytes()).unwrap_err();
            let theirs = serde_json::from_str::<Value>(text).unwrap_err();
            assert_eq!(ours.to_string(), theirs.to_string(), "{text}");
        }
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(parse(deep.as_bytes()).is_err());
    }
}
