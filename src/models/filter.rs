//! Which tasks are meant: the filters of a list, and of everything that is done to many at once.

use super::{Failure, TaskStatus, Timestamp};

/// The tasks for which all of this holds; what is `None` holds for every task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskFilter {
    pub status: Option<TaskStatus>,
    pub processor: Option<String>,
    /// One of the task's tags.
    pub tag: Option<String>,
    pub session_id: Option<String>,
    pub failure: Option<Failure>,
    /// Words of content, result and error, as somebody types them.
    pub words: Option<String>,
    /// Created at this time or later.
    pub since: Option<Timestamp>,
    /// Created before this time.
    pub until: Option<Timestamp>,
}

/// In which order tasks are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    #[default]
    NewestFirst,
    OldestFirst,
}

impl TaskFilter {
    /// The tasks of one status.
    pub fn of_status(status: TaskStatus) -> Self {
        Self {
            status: Some(status),
            ..Self::default()
        }
    }

    /// Whether it lets every task through.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it asks for nothing but a status, or for nothing at all.
    pub fn is_status_alone(&self) -> bool {
        let status = self.status;
        *self
            == Self {
                status,
                ..Self::default()
            }
    }
}
