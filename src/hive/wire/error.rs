//! Why bytes cannot be read, or a value cannot be written.

use crate::hive::wire::codec::Codec;

/// Why bytes are not a job or a result, or a value has no form in a codec.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// More than the [`Limits`](super::Limits) allow.
    #[error("more than {limit} {what}")]
    Limit {
        /// What there is too much of, in the plural.
        what: &'static str,
        /// How many of it are allowed.
        limit: usize,
    },
    /// Bytes that are not what the codec writes.
    #[error("not readable as {codec}: {reason}")]
    Malformed {
        /// How they were read.
        codec: Codec,
        /// What is wrong, and where if known.
        reason: String,
    },
    /// A value that the codec has no form for.
    #[error("cannot be written as {codec}: {reason}")]
    Unencodable {
        /// How it was to be written.
        codec: Codec,
        /// Which value, and why.
        reason: String,
    },
    /// A field of a job or a result that is missing or of another type.
    #[error("field `{field}` of the {record}: found {found}, expected {expected}")]
    Field {
        /// `job` or `result`.
        record: &'static str,
        /// ARQ's name of the field; `kwargs` and such are one letter there.
        field: &'static str,
        /// The type found, or `nothing`.
        found: &'static str,
        /// What ARQ writes there.
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
