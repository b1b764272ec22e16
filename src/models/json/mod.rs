//! JSON that the service keeps and passes on: which JSON every reader takes, and its text.
//!
//! Python, JavaScript and the original have to read whatever is stored. So a number has at most
//! [`NUMBER_DIGITS`] digits and is finite as a double, no text holds half of a surrogate pair, and lists and
//! objects are nested at most [`NESTING_LIMIT`] levels deep.

mod mend;
mod raw;
mod scan;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use mend::{compact, mended, with_whole_characters};
pub(crate) use raw::RawJson;
pub(crate) use scan::{Fault, Found, Items, Limits, Step, scan};
pub(crate) use value::{Plain, PlainObject, parse, parse_object, spells_private_key};

/// Digits of a number.
pub(crate) const NUMBER_DIGITS: usize = 300;

/// Levels of lists and objects in a field that a client sends.
pub(crate) const NESTING_LIMIT: usize = 100;

/// Levels of lists and objects in a column: `context_history` holds what a client sent under `request`.
pub(crate) const COLUMN_NESTING_LIMIT: usize = NESTING_LIMIT + 2;

/// JSON values that are kept of one task.
pub(crate) const VALUES_LIMIT: usize = 10_000;
