//! The answer that a client received for one submitted task.

use std::collections::HashMap;

/// The answer to one submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// No answer: the service was killed first. The task may exist or not.
    Unanswered,
    /// An error: the task must not exist.
    Rejected,
    /// 201 with this id: the task must exist.
    Accepted(String),
}

/// The answers by the content of the task, which is unique.
pub(crate) type Answers = HashMap<String, Answer>;
