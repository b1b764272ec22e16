//! The full-text index.

pub(super) mod fold;
pub(super) mod indexer;
