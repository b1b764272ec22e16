//! The rows of a transaction, as the virtual tables that the statements of [`commit`](super) read.

use crate::models::{IdempotencyKey, TaskId, Timestamp};
use crate::state::db::raw::id_text::IdText;
use crate::state::db::raw::row_table::TableRow;
use crate::state::db::raw::value::SqlValue;

/// A row for `tasks`. Everything is text or a number by now, so that SQLite reads it in place.
pub(crate) struct InsertTask<'a> {
    pub(crate) id: IdText,
    pub(crate) content: &'a str,
    pub(crate) started: bool,
    pub(crate) processor: &'a str,
    pub(crate) priority: i64,
    /// A JSON list; `None` stands for an empty one.
    pub(crate) tags: Option<String>,
    pub(crate) session_id: Option<&'a str>,
    pub(crate) history: Option<&'a str>,
    pub(crate) max_attempts: i64,
    pub(crate) run_at: Option<String>,
    pub(crate) timeout: Option<f64>,
    pub(crate) concurrency_key: Option<&'a str>,
    pub(crate) unique_key: Option<&'a str>,
    /// A JSON list.
    pub(crate) upstream: Option<String>,
    pub(crate) blocked: i64,
}

impl InsertTask<'_> {
    /// Returns whether it has columns that few tasks have.
    pub(crate) fn is_planned(&self) -> bool {
        self.run_at.is_some()
            || self.timeout.is_some()
            || self.concurrency_key.is_some()
            || self.unique_key.is_some()
            || self.upstream.is_some()
    }
}

impl TableRow for InsertTask<'_> {
    const TABLE: &'static str = "new_tasks";
    const COLUMNS: &'static str = "id, content, started, processor, priority, tags, session_id, history, \
         max_attempts, run_at, timeout, concurrency_key, unique_key, upstream, blocked";

    fn column(&self, index: usize) -> SqlValue<'_> {
        match index {
            0 => self.id.as_str().into(),
            1 => self.content.into(),
            2 => self.started.into(),
            3 => self.processor.into(),
            4 => self.priority.into(),
            5 => self.tags.as_deref().unwrap_or("[]").into(),
            6 => self.session_id.into(),
            7 => self.history.unwrap_or("{}").into(),
            8 => self.max_attempts.into(),
            9 => self.run_at.as_ref().into(),
            10 => self.timeout.into(),
            11 => self.concurrency_key.into(),
            12 => self.unique_key.into(),
            13 => self.upstream.as_ref().into(),
            14 => self.blocked.into(),
            _ => SqlValue::Null,
        }
    }
}

/// A row for `idempotency`.
pub(crate) struct InsertStoredReply<'a> {
    key: &'a IdempotencyKey,
    /// A JSON list.
    task_ids: String,
}

impl<'a> InsertStoredReply<'a> {
    pub(crate) fn new(
        key: &'a IdempotencyKey,
        task_ids: &[TaskId],
    ) -> Result<Self, serde_json::Error> {
        let task_ids = serde_json::to_string(task_ids)?;
        Ok(Self { key, task_ids })
    }
}

impl TableRow for InsertStoredReply<'_> {
    const TABLE: &'static str = "new_replies";
    const COLUMNS: &'static str = "key, body, task_ids";

    fn column(&self, index: usize) -> SqlValue<'_> {
        match index {
            0 => (&self.key.key).into(),
            1 => self.key.body.as_slice().into(),
            2 => (&self.task_ids).into(),
            _ => SqlValue::Null,
        }
    }
}

/// An edge between a dependency and a new task, for `open_dependencies` and, while it blocks, for `links`.
pub(crate) struct InsertEdge {
    upstream: IdText,
    downstream: IdText,
    blocks: bool,
}

impl InsertEdge {
    pub(crate) fn new(upstream: TaskId, downstream: TaskId, blocks: bool) -> Self {
        Self {
            upstream: upstream.into(),
            downstream: downstream.into(),
            blocks,
        }
    }
}

impl TableRow for InsertEdge {
    const TABLE: &'static str = "new_edges";
    const COLUMNS: &'static str = "upstream, downstream, blocks";

    fn column(&self, index: usize) -> SqlValue<'_> {
        match index {
            0 => self.upstream.as_str().into(),
            1 => self.downstream.as_str().into(),
            2 => self.blocks.into(),
            _ => SqlValue::Null,
        }
    }
}

/// Progress of an attempt.
pub(crate) struct SetProgress {
    pub(crate) seq: i64,
    pub(crate) attempt: i64,
    pub(crate) progress: f64,
}

impl TableRow for SetProgress {
    const TABLE: &'static str = "new_progress";
    const COLUMNS: &'static str = "seq, attempt, progress";

    fn column(&self, index: usize) -> SqlValue<'_> {
        match index {
            0 => self.seq.into(),
            1 => self.attempt.into(),
            2 => self.progress.into(),
            _ => SqlValue::Null,
        }
    }
}

/// A field of a running attempt's `context_history`: its path, and its value as JSON.
pub(crate) struct SetNote<'a> {
    pub(crate) seq: i64,
    pub(crate) attempt: i64,
    pub(crate) path: String,
    pub(crate) value: &'a str,
}

impl TableRow for SetNote<'_> {
    const TABLE: &'static str = "new_notes";
    const COLUMNS: &'static str = "seq, attempt, path, value";

    fn column(&self, index: usize) -> SqlValue<'_> {
        match index {
            0 => self.seq.into(),
            1 => self.attempt.into(),
            2 => (&self.path).into(),
            3 => self.value.into(),
            _ => SqlValue::Null,
        }
    }
}

/// The lease of an outside worker on an attempt that begins.
pub(crate) struct SetLease {
    task_id: IdText,
    attempt: i64,
    until: String,
}

impl SetLease {
    pub(crate) fn new(task_id: TaskId, attempt: i64, until: Timestamp) -> Self {
        Self {
            task_id: task_id.into(),
            attempt,
            until: until.to_string(),
        }
    }
}

impl TableRow for SetLease {
    const TABLE: &'static str = "new_leases";
    const COLUMNS: &'static str = "task_id, attempt, until";

    fn column(&self, index: usize) -> SqlValue<'_> {
        match index {
            0 => self.task_id.as_str().into(),
            1 => self.attempt.into(),
            2 => (&self.until).into(),
            _ => SqlValue::Null,
        }
    }
}

/// The end of an attempt.
pub(crate) struct FinishAttempt<'a> {
    pub(crate) seq: i64,
    pub(crate) attempt: i64,
    pub(crate) status: &'static str,
    pub(crate) result: Option<&'a str>,
    pub(crate) failure: Option<&'static str>,
    pub(crate) error: Option<&'a str>,
}

impl TableRow for FinishAttempt<'_> {
    const TABLE: &'static str = "new_ends";
    const COLUMNS: &'static str = "seq, attempt, status, result, failure, error";

    fn column(&self, index: usize) -> SqlValue<'_> {
        match index {
            0 => self.seq.into(),
            1 => self.attempt.into(),
            2 => self.status.into(),
            3 => self.result.into(),
            4 => self.failure.into(),
            5 => self.error.into(),
            _ => SqlValue::Null,
        }
    }
}

/// The row number of a PENDING task that starts.
pub(crate) struct ClaimTask(pub(crate) i64);

impl TableRow for ClaimTask {
    const TABLE: &'static str = "new_claims";
    const COLUMNS: &'static str = "seq";

    fn column(&self, _index: usize) -> SqlValue<'_> {
        self.0.into()
    }
}

/// A row for `starts`. A claimed task has its row number in `seq`: it has not started if it has lost its race.
pub(crate) struct InsertStart<'a> {
    until: String,
    task_id: IdText,
    attempt: i64,
    processor: &'a str,
    concurrency_key: Option<&'a str>,
    seq: Option<i64>,
}

impl<'a> InsertStart<'a> {
    pub(crate) fn new(
        until: Timestamp,
        (task_id, attempt): (TaskId, i64),
        (processor, concurrency_key): (&'a str, Option<&'a str>),
        seq: Option<i64>,
    ) -> Self {
        Self {
            until: until.to_string(),
            task_id: task_id.into(),
            attempt,
            processor,
            concurrency_key,
            seq,
        }
    }
}

impl TableRow for InsertStart<'_> {
    const TABLE: &'static str = "new_starts";
    const COLUMNS: &'static str = "until, task_id, attempt, processor, concurrency_key, seq";

    fn column(&self, index: usize) -> SqlValue<'_> {
        match index {
            0 => (&self.until).into(),
            1 => self.task_id.as_str().into(),
            2 => self.attempt.into(),
            3 => self.processor.into(),
            4 => self.concurrency_key.into(),
            5 => self.seq.into(),
            _ => SqlValue::Null,
        }
    }
}
