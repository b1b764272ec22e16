//! Which of the formats a queue speaks.

use std::fmt;
use std::str::FromStr;

use super::{json, lenient, msgpack, pickle};
use crate::hive::wire::error::Error;
use crate::hive::wire::lenient::Replaced;
use crate::hive::wire::limits::Limits;
use crate::hive::wire::value::Value;

/// How values become bytes; both sides of a queue must use the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Codec {
    /// ARQ's own choice. Protocol 4 is written, 0 to 5 are read.
    #[default]
    Pickle,
    /// `json.dumps` and `json.loads` as the serializers of the Python side.
    Json,
    /// `msgpack.packb` and `msgpack.unpackb` as the serializers of the Python side.
    Msgpack,
}

impl Codec {
    /// All of them, in the order a message lists them.
    pub(crate) const ALL: [Self; 3] = [Self::Pickle, Self::Json, Self::Msgpack];

    /// The word for it in settings.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pickle => "pickle",
            Self::Json => "json",
            Self::Msgpack => "msgpack",
        }
    }

    /// Writes one value. JSON and msgpack lose what they have no form for, as [`Value::to_json`] says.
    ///
    /// # Errors
    ///
    /// [`Error::Limit`] if it is deeper than the default limits, [`Error::Unencodable`] if the format has
    /// no form for a part of it.
    pub(crate) fn encode(self, value: &Value) -> Result<Vec<u8>, Error> {
        match self {
            Self::Pickle => pickle::encode(value),
            Self::Json => json::encode(value),
            Self::Msgpack => msgpack::encode(value),
        }
    }

    /// Reads one value within the default [`Limits`].
    ///
    /// # Errors
    ///
    /// [`Error::Limit`] and [`Error::Malformed`].
    pub(crate) fn decode(self, message: &[u8]) -> Result<Value, Error> {
        self.decode_within(message, &Limits::default())
    }

    /// What stands in the result of this message for what it cannot hold; `value` is what was read of it.
    pub(crate) fn replaced(self, message: &[u8], value: &Value) -> Replaced {
        let found = value.replaced();
        match self {
            Self::Json => lenient::as_json(message).1,
            // Python writes halves of surrogate pairs as UTF-8 would have them; U+FFFD may be Python's own.
            Self::Pickle | Self::Msgpack => Replaced {
                halves: found.halves && lenient::has_raw_half(message),
                ..found
            },
        }
    }

    /// Reads one value within given limits.
    ///
    /// # Errors
    ///
    /// [`Error::Limit`] and [`Error::Malformed`].
    pub(crate) fn decode_within(self, message: &[u8], limits: &Limits) -> Result<Value, Error> {
        limits.check_message(message)?;
        match self {
            Self::Pickle => pickle::decode(message, limits),
            Self::Json => json::decode(message, limits),
            Self::Msgpack => msgpack::decode(message, limits),
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Codec {
    type Err = UnknownCodec;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.as_str() == word)
            .ok_or_else(|| UnknownCodec(word.to_owned()))
    }
}

/// A word that names no codec.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown codec `{0}`, expected pickle, json or msgpack")]
pub(crate) struct UnknownCodec(pub(crate) String);
