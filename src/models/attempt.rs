//! One run of a task by its processor: what is handed out at a claim and what comes back.

use super::{Failure, TaskId};

/// Which run of which task: the guard of everything that is written about a running task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// The task's row number.
    pub seq: i64,
    pub task_id: TaskId,
    /// The first attempt is 1.
    pub number: i64,
}

/// A task whose row has become PROCESSING; whoever holds this runs it.
#[derive(Clone, Debug)]
pub struct ClaimedTask {
    pub attempt: Attempt,
    pub content: String,
    /// A name from the row: not necessarily one that is configured.
    pub processor: String,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Completed {
        result: String,
    },
    Failed {
        failure: Failure,
        error: String,
    },
    /// Interrupted by a clean stop: the task waits again and the attempt does not count.
    Released,
}
