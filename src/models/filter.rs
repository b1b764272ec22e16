//! Which tasks are meant: the filters of a list, and of everything that is done to many at once.

use super::{Failure, TaskStatus, Timestamp};

/// The tasks for which all of this holds; what is `None` holds for every task.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TaskFilter {
    pub(crate) status: Option<TaskStatus>,
    pub(crate) processor: Option<String>,
    /// One of the task's tags.
    pub(crate) tag: Option<String>,
    pub(crate) session_id: Option<String>,
    pub(crate) failure: Option<Failure>,
    /// Words of content, result and error, as somebody types them.
    pub(crate) words: Option<String>,
    /// Created at this time or later.
    pub(crate) since: Option<Timestamp>,
    /// Created before this time.
    pub(crate) until: Option<Timestamp>,
}

/// In which order tasks are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Order {
    #[default]
    NewestFirst,
    OldestFirst,
}

impl TaskFilter {
    /// Whether it lets every task through.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it asks for nothing but a status, or for nothing at all.
    pub(crate) fn is_status_alone(&self) -> bool {
        let status = self.status;
        *self
            == Self {
                status,
                ..Self::default()
            }
    }
}
