//! From the bytes of a request to checked values: headers, query, JSON bodies.

pub(super) mod body;
pub(super) mod body_schema;
pub(super) mod fields;
pub(super) mod idempotency;
pub(super) mod json;
pub(super) mod json_check;
pub(super) mod kinds;
pub(super) mod new_task;
pub(super) mod processor;
pub(super) mod query;
pub(super) mod task_filter;
pub(super) mod task_id;
pub(super) mod worker;
