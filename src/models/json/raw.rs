//! JSON that is stored and passed on as unchanged text.

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::value::{parse, parse_object};

/// JSON as text, which nobody has to parse in order to pass it on. An empty object takes no memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawJson(Option<Box<RawValue>>);

const EMPTY: &str = "{}";

impl RawJson {
    /// The text as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn from_text(text: String) -> Result<Self, serde_json::Error> {
        match text == EMPTY {
            true => Ok(Self(None)),
            false => RawValue::from_string(text).map(Some).map(Self),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.as_ref().map_or(EMPTY, |json| json.get())
    }

    /// Whether it is an object without fields.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn is_object(&self) -> bool {
        self.as_str().starts_with('{')
    }

    pub(crate) fn to_value(&self) -> Value {
        // A number or a nesting that a `Value` cannot hold is refused before it is stored.
        parse(self.as_str().as_bytes()).unwrap_or_default()
    }

    /// Its fields; none if it is no object.
    pub(crate) fn to_object(&self) -> Map<String, Value> {
        match self.is_empty() {
            true => Map::new(),
            false => parse_object(self.as_str().as_bytes()).unwrap_or_default(),
        }
    }
}

impl PartialEq for RawJson {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl From<Value> for RawJson {
    fn from(value: Value) -> Self {
        Self::from_text(value.to_string()).expect("a value always encodes as JSON")
    }
}

impl From<Map<String, Value>> for RawJson {
    fn from(fields: Map<String, Value>) -> Self {
        match fields.is_empty() {
            true => Self(None),
            false => Self::from(Value::Object(fields)),
        }
    }
}

impl Serialize for RawJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(json) => json.serialize(serializer),
            None => serializer.serialize_map(Some(0))?.end(),
        }
    }
}

impl<'de> Deserialize<'de> for RawJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self((json.get() != EMPTY).then_some(json)))
    }
}
