//! Read-only SQL, which runs on the read pool or inside a transaction of the Writer.

pub(super) mod final_states;
pub(super) mod fts_query;
pub(super) mod list;
pub(super) mod lookups;
pub(super) mod running_rows;
pub(super) mod task_lookups;
pub(super) mod task_row;
pub(super) mod task_search;
pub(super) mod tasks;
