//! The row that the Writer inserts into `logs`, as a JSON array.

use serde::Serialize;

use crate::models::{TaskId, Timestamp};

/// A row for `logs`: task_id, type, agent, message, data, at (`None`: the time of the transaction), guard.
///
/// The guard is a row number, an attempt and a status. The row is written only if the task has these by then;
/// otherwise the change that the row reports has lost its race.
#[derive(Serialize)]
pub(crate) struct InsertLog<'a>(
    pub(crate) Option<TaskId>,
    pub(crate) &'static str,
    pub(crate) Option<&'a str>,
    pub(crate) Option<&'a str>,
    pub(crate) &'a str,
    pub(crate) Option<Timestamp>,
    pub(crate) Option<i64>,
    pub(crate) Option<i64>,
    pub(crate) Option<&'static str>,
);
