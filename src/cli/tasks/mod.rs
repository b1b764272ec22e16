//! Commands about single tasks, or about those that a filter finds: submit, read, abort, retry, delete.

pub(super) mod abort;
pub(super) mod delete;
pub(super) mod explain;
pub(super) mod list;
pub(super) mod logs;
pub(super) mod retry;
pub(super) mod show;
pub(super) mod submit;
mod task_selection;
