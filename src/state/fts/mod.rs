//! The full-text index: how texts are folded, and the indexer that follows the journal.

pub(super) mod fold;
pub(super) mod indexer;
