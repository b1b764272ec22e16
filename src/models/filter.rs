//! The filter that selects tasks, for lists and for actions on many tasks. Plain data.

use super::{Failure, TaskStatus, Timestamp};

/// Selects the tasks that match every field. A field that is `None` matches every task.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TaskFilter {
    pub(crate) status: Option<TaskStatus>,
    pub(crate) processor: Option<String>,
    /// One of the task's tags.
    pub(crate) tag: Option<String>,
    pub(crate) session_id: Option<String>,
    pub(crate) failure: Option<Failure>,
    /// Search text for content, result and error, as the user typed it.
    pub(crate) words: Option<String>,
    /// Created at this time or later.
    pub(crate) since: Option<Timestamp>,
    /// Created before this time.
    pub(crate) until: Option<Timestamp>,
}

/// The order of a task list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ListOrder {
    #[default]
    NewestFirst,
    OldestFirst,
}

impl TaskFilter {
    /// Returns whether it matches every task.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns whether it has no field but a status.
    pub(crate) fn is_status_alone(&self) -> bool {
        let status = self.status;
        *self
            == Self {
                status,
                ..Self::default()
            }
    }
}
