//! What a shell needs to know about the command line: completions and manual pages.

pub(super) mod completions;
pub(super) mod man;
