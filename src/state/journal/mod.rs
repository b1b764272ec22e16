//! The journal: the rows that each change of state appends, and how they are read.

pub(super) mod entry;
pub(super) mod read;
