//! Submit, read, list, retry and delete tasks.

pub(super) mod batch;
pub(super) mod bulk;
pub(super) mod downstream;
pub(super) mod explain;
pub(super) mod list;
pub(super) mod submit;
pub(super) mod task;
pub(super) mod wait;
