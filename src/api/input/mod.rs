//! From the bytes of a request to checked values: headers, query, JSON bodies.

pub(super) mod body;
pub(super) mod fields;
pub(super) mod intake;
pub(super) mod json_check;
pub(super) mod new_task;
pub(super) mod query;
pub(super) mod task_filter;
pub(super) mod worker;
