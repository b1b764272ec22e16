//! Queries, which run on the read pool beside the Writer.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::timeout;

use crate::events::Journal;
use crate::models::{
    Attempt, Event, ListOrder, Task, TaskFilter, TaskId, TaskStatus, Timestamp, TraceContext,
};
use crate::state::commands::catch_up::CatchUpIndex;
use crate::state::commands::snapshot::TakeSnapshot;
use crate::state::dependencies;
use crate::state::dependencies::Upstream;
use crate::state::dispatch::due_sql;
use crate::state::dispatch::snapshot::QueueSnapshot;
use crate::state::error::Error;
use crate::state::journal::task_log::{LogLine, LogPart};
use crate::state::journal::task_rows::{AnswerUpdate, LogEntry};
use crate::state::journal::{events, task_log, task_rows};
use crate::state::query::list::Page;
use crate::state::query::task_lookups;
use crate::state::query::{list, tasks};
use crate::state::stats::chart::{Chart, Window};
use crate::state::store::StateManager;

/// How long a search waits for the full-text index.
const INDEX_PATIENCE: Duration = Duration::from_secs(2);

impl StateManager {
    /// The task of this id.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn task(&self, id: TaskId) -> Result<Option<Task>, Error> {
        tasks::task(&self.read, id, true).await
    }

    /// The task of this id, without its log.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn task_without_logs(&self, id: TaskId) -> Result<Option<Task>, Error> {
        tasks::task(&self.read, id, false).await
    }

    /// The trace of the task in row `seq`, if it was submitted with a valid one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn trace_of(&self, seq: i64) -> Result<Option<TraceContext>, Error> {
        let trace = "SELECT CASE WHEN json_valid(context_history)
                                 THEN context_history ->> '$.trace' END
                       FROM tasks WHERE seq = ?1";
        let trace: Option<Option<String>> = sqlx::query_scalar(trace)
            .bind(seq)
            .fetch_optional(&self.read)
            .await?;
        Ok(trace
            .flatten()
            .and_then(|trace| serde_json::from_str(&trace).ok()))
    }

    /// Tasks in order of arrival, after row `after` (0: from the first), each with its row number; fewer
    /// than `limit` where they are large, so that only an empty page is the end.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) async fn tasks_after(
        &self,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, Task)>, Error> {
        tasks::tasks_after(&self.read, after, limit).await
    }

    /// The row number of the newest task; 0 if there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn newest_row(&self) -> Result<i64, Error> {
        task_lookups::newest_seq(&self.read).await
    }

    /// Tasks newest first, before row `before` (`i64::MAX`: from the newest), each with its row
    /// number; fewer than `limit` where they are large, so that only an empty page is the end.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) async fn tasks_before(
        &self,
        before: i64,
        limit: u32,
    ) -> Result<Vec<(i64, Task)>, Error> {
        tasks::tasks_before(&self.read, before, limit).await
    }

    /// The tasks of a filter: a page of at most `limit` (fewer where they are large) beyond row `cursor`, if
    /// wanted with their logs.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) async fn tasks_of(
        &self,
        filter: &TaskFilter,
        order: ListOrder,
        cursor: Option<i64>,
        limit: u32,
        with_logs: bool,
    ) -> Result<Page, Error> {
        self.index_is_current(filter).await?;
        if filter.is_empty() {
            let mut conn = self.read.acquire().await?;
            return list::page(&mut conn, filter, order, cursor, limit, with_logs).await;
        }
        let mut search = self.searches.begin().await?;
        list::page(&mut search, filter, order, cursor, limit, with_logs).await
    }

    /// Waits until everything is indexed that was stored before, if the filter has words; for [`INDEX_PATIENCE`] at
    /// most.
    pub(crate) async fn index_is_current(&self, filter: &TaskFilter) -> Result<(), Error> {
        if filter.words.is_none() {
            return Ok(());
        }
        match timeout(INDEX_PATIENCE, self.ask_and_wait(CatchUpIndex)).await {
            Ok(Err(error @ Error::Stopping)) => Err(error),
            _ => Ok(()),
        }
    }

    /// A task's status and result, without its log.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) async fn task_state(
        &self,
        id: TaskId,
    ) -> Result<Option<(TaskStatus, Option<String>)>, Error> {
        task_lookups::task_state(&self.read, id).await
    }

    /// A task's status and the number of its last attempt; `None` if there is no such task.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) async fn task_attempt(
        &self,
        id: TaskId,
    ) -> Result<Option<(TaskStatus, i64)>, Error> {
        task_lookups::task_attempt(&self.read, id).await
    }

    /// The tasks of these attempts as they are, with their logs, in the order of their row numbers.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) async fn tasks_of_attempts(&self, attempts: &[Attempt]) -> Result<Vec<Task>, Error> {
        let seqs: Vec<_> = attempts.iter().map(|attempt| attempt.seq).collect();
        let mut conn = self.read.acquire().await?;
        tasks::tasks_at(&mut conn, &seqs, ListOrder::OldestFirst, true).await
    }

    /// A task's processor.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn task_processor(&self, id: TaskId) -> Result<Option<String>, Error> {
        task_lookups::task_processor(&self.read, id).await
    }

    /// Waits until the task is final or does not exist; for ever, if that never happens.
    ///
    /// # Errors
    /// When the task cannot be read.
    pub(crate) async fn finished(&self, task: TaskId) -> Result<(), Error> {
        loop {
            let mut waiter = self.waiters.wait_for(task);
            let state = task_lookups::task_state(&self.read, task).await?;
            let is_over = state.is_none_or(|(status, _)| status.is_final());
            if is_over || waiter.end().await.is_some_and(TaskStatus::is_final) {
                return Ok(());
            }
        }
    }

    /// Those of these tasks that exist and are FAILED.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) async fn failed_among(&self, tasks: &[TaskId]) -> Result<HashSet<TaskId>, Error> {
        task_lookups::failed_among(&self.read, tasks).await
    }

    /// Resolves when PENDING tasks have ended: purged, or replaced by an import. One caller at a time.
    pub(crate) async fn waiting_ended(&self) {
        self.waiting_ended.notified().await;
    }

    /// One task's journal rows after row `since`, at most `limit`, with their ids.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) async fn task_rows_after(
        &self,
        id: TaskId,
        since: i64,
        limit: u32,
    ) -> Result<Vec<(i64, LogEntry)>, Error> {
        task_rows::task_rows_after(&self.read, id, since, limit).await
    }

    /// How many lines its processor has added to a task's log, and their bytes.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) async fn log_size(&self, task: TaskId) -> Result<(u64, u64), Error> {
        task_log::log_size(&self.read, task).await
    }

    /// The rows of one task's journal after row `since`, up to row `upto`, that change the answer of its
    /// running attempt, with their ids; at most `limit`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) async fn task_growth(
        &self,
        id: TaskId,
        since: i64,
        upto: i64,
        limit: u32,
    ) -> Result<Vec<(i64, AnswerUpdate)>, Error> {
        task_rows::answer_updates(&self.read, id, since, upto, limit).await
    }

    /// A part of one task's log, oldest line first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn task_log(
        &self,
        task: TaskId,
        part: LogPart,
    ) -> Result<Vec<LogLine>, Error> {
        task_log::task_log(&self.read, task, part).await
    }

    /// A task's upstream tasks, with their results.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) async fn upstream(&self, task: TaskId) -> Result<Vec<Upstream>, Error> {
        dependencies::upstream_of(&self.read, task).await
    }

    /// Why a task that is about to run must not: one of its upstream tasks has no result.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn upstream_problem(&self, task: TaskId) -> Result<Option<String>, Error> {
        dependencies::problem_of(&self.read, task).await
    }

    /// The tasks that a task still depends on, with their statuses if they exist.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) async fn awaited_by(
        &self,
        task: TaskId,
    ) -> Result<Vec<(TaskId, Option<TaskStatus>)>, Error> {
        dependencies::awaited_by(&self.read, task).await
    }

    /// How many tasks of the same processor and key start before a PENDING task.
    ///
    /// # Errors
    /// When they cannot be counted.
    pub(crate) async fn count_ahead(&self, task: TaskId) -> Result<i64, Error> {
        let now = Timestamp::now().to_string();
        due_sql::count_ahead(&self.read, task, &now).await
    }

    /// What waits and runs at this moment.
    ///
    /// # Errors
    /// When it cannot be read, or the Writer is gone.
    pub(crate) async fn load(&self) -> Result<QueueSnapshot, Error> {
        let now = Timestamp::now().to_string();
        let oldest = due_sql::oldest_due(&self.read, &now).await?;
        self.ask(TakeSnapshot(oldest)).await
    }

    /// The chart of the window of time that ends at this moment.
    pub(crate) fn chart(&self, window: Window) -> Chart {
        self.stats.chart(window, Timestamp::now())
    }

    /// Whether the database has no task.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn is_empty(&self) -> Result<bool, Error> {
        Ok(task_lookups::newest_seq(&self.read).await? == 0)
    }
}

impl Journal for StateManager {
    type Error = Error;

    async fn events_after(
        &self,
        after: i64,
        upto: i64,
        task_id: Option<TaskId>,
        limit: u32,
    ) -> Result<Vec<Event>, Error> {
        match task_id {
            None => events::events_after(&self.read, after, upto, limit).await,
            Some(task) => events::task_events_after(&self.read, task, after, upto, limit).await,
        }
    }
}
