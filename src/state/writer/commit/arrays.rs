//! The rows of a transaction, as the JSON arrays that the statements of [`commit`](super) read.

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use crate::models::{IdempotencyKey, TaskId, Timestamp};
use crate::state::query::lookups::hex;

/// A row for `tasks`, as a JSON list in this order.
#[derive(Clone, Copy)]
pub(crate) struct InsertTask<'a> {
    pub(crate) id: TaskId,
    pub(crate) content: &'a str,
    pub(crate) started: bool,
    pub(crate) processor: &'a str,
    pub(crate) priority: i64,
    pub(crate) tags: &'a [String],
    pub(crate) session_id: Option<&'a str>,
    pub(crate) history: Option<&'a str>,
    pub(crate) max_attempts: i64,
    pub(crate) run_at: Option<Timestamp>,
    pub(crate) timeout: Option<f64>,
    pub(crate) concurrency_key: Option<&'a str>,
    pub(crate) unique_key: Option<&'a str>,
    pub(crate) upstream: Option<&'a [TaskId]>,
    pub(crate) blocked: usize,
}

impl InsertTask<'_> {
    /// Whether it has fields that few tasks have: then its list is longer.
    pub(crate) fn is_planned(&self) -> bool {
        self.run_at.is_some()
            || self.timeout.is_some()
            || self.concurrency_key.is_some()
            || self.unique_key.is_some()
            || self.upstream.is_some()
    }
}

impl Serialize for InsertTask<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_planned = self.is_planned();
        let mut row = serializer.serialize_seq(Some(if is_planned { 15 } else { 9 }))?;
        row.serialize_element(&self.id)?;
        row.serialize_element(self.content)?;
        row.serialize_element(&self.started)?;
        row.serialize_element(self.processor)?;
        row.serialize_element(&self.priority)?;
        row.serialize_element(self.tags)?;
        row.serialize_element(&self.session_id)?;
        row.serialize_element(&self.history)?;
        row.serialize_element(&self.max_attempts)?;
        if is_planned {
            row.serialize_element(&self.run_at)?;
            row.serialize_element(&self.timeout)?;
            row.serialize_element(&self.concurrency_key)?;
            row.serialize_element(&self.unique_key)?;
            row.serialize_element(&self.upstream)?;
            row.serialize_element(&self.blocked)?;
        }
        row.end()
    }
}

/// A row for `idempotency`: key, body (hex), task_ids.
#[derive(Serialize)]
pub(crate) struct InsertStoredReply<'a>(&'a str, String, Vec<TaskId>);

impl<'a> InsertStoredReply<'a> {
    pub(crate) fn new(key: &'a IdempotencyKey, task_ids: Vec<TaskId>) -> Self {
        Self(&key.key, hex(&key.body), task_ids)
    }
}

/// Progress of an attempt: seq, attempt, progress.
#[derive(Serialize)]
pub(crate) struct SetProgress(pub(crate) i64, pub i64, pub f64);

/// A field of a running attempt's `context_history`: seq, attempt, path, value as JSON.
#[derive(Serialize)]
pub(crate) struct SetNote<'a>(pub(crate) i64, pub i64, pub(crate) String, pub &'a str);

/// The lease of an outside worker on an attempt that begins: task_id, attempt, leased_until.
#[derive(Serialize)]
pub(crate) struct SetLease(pub(crate) TaskId, pub i64, pub(crate) Timestamp);

/// The end of an attempt: seq, attempt, status, result, failure, error.
#[derive(Serialize)]
pub(crate) struct FinishAttempt<'a>(
    pub(crate) i64,
    pub(crate) i64,
    pub &'static str,
    pub(crate) Option<&'a str>,
    pub(crate) Option<&'static str>,
    pub(crate) Option<&'a str>,
);

/// A row for `starts`: until, task_id, attempt, processor, concurrency_key, and for a claimed task its row number:
/// it has not started if it has lost its race.
#[derive(Serialize)]
pub(crate) struct InsertStart<'a>(
    pub(crate) Timestamp,
    pub(crate) TaskId,
    pub(crate) i64,
    pub &'a str,
    pub(crate) Option<&'a str>,
    pub(crate) Option<i64>,
);
