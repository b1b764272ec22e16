//! Read-only SQL on the read pool.

pub(super) mod counts;
pub(super) mod final_states;
pub(super) mod fts_query;
pub(super) mod list;
pub(super) mod tasks;
