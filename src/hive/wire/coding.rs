//! Encodes and decodes one value: the only entrance to pickle, JSON and msgpack.

use super::{json, lenient, msgpack, pickle};
use crate::hive::wire::codec::Codec;
use crate::hive::wire::error::Error;
use crate::hive::wire::lenient::Replaced;
use crate::hive::wire::limits::ReadLimits;
use crate::hive::wire::value::Value;

impl Codec {
    /// Encodes one value. JSON and msgpack lose what they cannot express, as [`Value::to_json`] says.
    ///
    /// # Errors
    ///
    /// [`Error::Limit`] if it is deeper than the default limits, [`Error::Unencodable`] if the format cannot express
    /// a part of it.
    pub(crate) fn encode(self, value: &Value) -> Result<Vec<u8>, Error> {
        match self {
            Self::Pickle => pickle::encode(value),
            Self::Json => json::encode(value),
            Self::Msgpack => msgpack::encode(value),
        }
    }

    /// Decodes one value within the default [`ReadLimits`].
    ///
    /// # Errors
    ///
    /// [`Error::Limit`] and [`Error::Malformed`].
    pub(crate) fn decode(self, message: &[u8]) -> Result<Value, Error> {
        self.decode_within(message, &ReadLimits::default())
    }

    /// Returns what was replaced in the result of this message; `value` is its decoded value.
    pub(crate) fn replaced(self, message: &[u8], value: &Value) -> Replaced {
        let found = value.replaced();
        match self {
            Self::Json => lenient::as_json(message).1,
            // Python encodes halves of surrogate pairs as if they were characters; U+FFFD may be Python's own.
            Self::Pickle | Self::Msgpack => Replaced {
                halves: found.halves && lenient::has_raw_half(message),
                ..found
            },
        }
    }

    /// Decodes one value within the given limits.
    ///
    /// # Errors
    ///
    /// [`Error::Limit`] and [`Error::Malformed`].
    pub(crate) fn decode_within(self, message: &[u8], limits: &ReadLimits) -> Result<Value, Error> {
        limits.check_message(message)?;
        match self {
            Self::Pickle => pickle::decode(message, limits),
            Self::Json => json::decode(message, limits),
            Self::Msgpack => msgpack::decode(message, limits),
        }
    }
}
