//! The codecs of a queue: pickle, JSON and MessagePack, and their names in the settings.

use std::fmt;
use std::str::FromStr;

/// A format of values; both sides of a queue must use the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Codec {
    /// ARQ's default. Writes protocol 4, reads 0 to 5.
    #[default]
    Pickle,
    /// `json.dumps` and `json.loads` as the serializers of the Python side.
    Json,
    /// `msgpack.packb` and `msgpack.unpackb` as the serializers of the Python side.
    Msgpack,
}

impl Codec {
    /// All codecs, in the order in which a message lists them.
    pub(crate) const ALL: [Self; 3] = [Self::Pickle, Self::Json, Self::Msgpack];

    /// Returns the name in the settings.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pickle => "pickle",
            Self::Json => "json",
            Self::Msgpack => "msgpack",
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

/// The error of a name that is no codec's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown codec `{0}`, expected pickle, json or msgpack")]
pub(crate) struct UnknownCodec(pub(crate) String);
