//! Errors of decoding and encoding.

use crate::hive::wire::codec::Codec;

/// Why bytes are not a job or a result, or a codec cannot express a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// The message exceeds the [`ReadLimits`](super::ReadLimits).
    #[error("more than {limit} {what}")]
    Limit {
        /// The things that are too many, in the plural.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// Bytes that the codec never writes.
    #[error("not readable as {codec}: {reason}")]
    Malformed {
        /// The codec that decoded them.
        codec: Codec,
        /// The fault, and its position if known.
        reason: String,
    },
    /// A value that the codec cannot express.
    #[error("cannot be written as {codec}: {reason}")]
    Unencodable {
        /// The codec that was to encode it.
        codec: Codec,
        /// The value and the reason.
        reason: String,
    },
    /// A field of a job or a result that is missing or has another type.
    #[error("field `{field}` of the {record}: found {found}, expected {expected}")]
    Field {
        /// `job` or `result`.
        record: &'static str,
        /// ARQ's name of the field, which is one letter for `kwargs` and others.
        field: &'static str,
        /// The type found, or `nothing`.
        found: &'static str,
        /// The type that ARQ writes there.
        expected: &'static str,
    },
}

impl Error {
    pub(crate) fn malformed(codec: Codec, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Malformed { codec, reason }
    }

    pub(crate) fn unencodable(codec: Codec, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Unencodable { codec, reason }
    }
}
