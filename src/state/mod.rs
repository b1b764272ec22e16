//! The StateManager: the only door to SQLite.
//!
//! [`open`] locks, migrates and reads the database; [`Opened::recover`] puts right what a crash has
//! left; [`Opened::start`] starts the Writer and gives out the [`StateManager`], a cheap handle
//! whose verbs are messages to the Writer (everything that changes something) or queries on the read
//! pool (everything else).
//!
//! Nothing that got an error was stored; what got an answer is on disk.

mod admission;
mod announce;
mod attempts;
mod batch;
mod bulk;
mod chains;
mod checkpoint;
mod chore;
mod claims;
mod closed;
mod connect;
mod deletion;
mod error;
mod explain;
mod history;
mod import;
mod index;
mod journal;
mod lanes;
mod ledger;
mod limits;
mod lists;
mod manual;
mod meta;
mod offers;
mod open;
mod orders;
mod rate;
mod reads;
mod reconfigure;
mod request;
mod retention;
mod retries;
mod room;
mod rows;
mod schedules;
mod settle;
mod submissions;
mod text;
mod transaction;
mod waiters;
mod waiting;
mod words;
mod writer;
mod writes;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use sqlx::SqlitePool;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

pub use batch::{Accepted, Once, Reservation};
pub use bulk::Bulk;
pub use chains::Upstream;
pub use connect::{Lock, OpenError};
pub use error::Error;
pub use explain::{Asked, Explanation, Obstacle, ProcessorStatus};
pub use history::{LogLine, Said};
pub use import::ImportReport;
pub use limits::{Limits, Rule};
pub use lists::Page;
pub use open::{Opened, Recovered, Start, WriterHandle, open};
pub use request::{Deleted, Due, PauseRequest, Paused, Purged, Retried};
pub use retention::Retention;
pub use schedules::Progress;
pub use waiters::Waiter;

use batch::{Report, Submission};
use request::{Order, Reply, Request};
use waiters::Waiters;

use crate::events::{Bus, Journal};
use crate::models::{
    Attempt, ClaimedTask, Event, NewTask, OfferId, Order as ListOrder, Outcome, QueueStatus, Task,
    TaskFilter, TaskId, TaskStatus, Timestamp,
};

/// Unit in which the memory of waiting submissions is counted.
const PERMIT_BYTES: usize = 1024;
/// How often the end of an attempt is looked for, besides waiting to be told.
const SECOND_LOOK: Duration = Duration::from_secs(1);
/// How long a search waits for the full-text index.
const INDEX_PATIENCE: Duration = Duration::from_secs(2);

/// The handle to the state; clone it freely.
#[derive(Clone)]
pub struct StateManager {
    requests: mpsc::Sender<Request>,
    reports: mpsc::Sender<Report>,
    /// Kibibytes that submissions may still take while they wait for the Writer.
    inbox: Arc<Semaphore>,
    read: SqlitePool,
    bus: Bus,
    waiters: Waiters,
}

impl StateManager {
    /// Takes room in memory for a submission of `bytes`, before it is read any further.
    ///
    /// # Errors
    /// [`Error::Busy`] at once, when too much is waiting already.
    pub fn reserve(&self, bytes: usize) -> Result<Reservation, Error> {
        let permits = u32::try_from(1 + bytes / PERMIT_BYTES).unwrap_or(u32::MAX);
        Arc::clone(&self.inbox)
            .try_acquire_many_owned(permits)
            .map(Reservation)
            .map_err(|_| Error::Busy)
    }

    /// Accepts a task: it is on disk when this returns. A repeat of the request that `once` names gets
    /// the first one's answer.
    ///
    /// # Errors
    /// When it could not be stored, or something stands in its way.
    pub async fn submit(
        &self,
        task: NewTask,
        once: Option<Once>,
        room: Reservation,
    ) -> Result<Accepted, Error> {
        let (reply, answer) = oneshot::channel();
        let submission = Box::new(Submission {
            once,
            reply: Some(reply),
            room: Some(room),
            ..Submission::new(task)
        });
        self.requests
            .try_send(Request::Submit(submission))
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => Error::Busy,
                mpsc::error::TrySendError::Closed(_) => Error::Stopping,
            })?;
        answer.await.unwrap_or(Err(Error::Stopping))
    }

    /// Accepts all of these tasks or none, in one transaction; their ids, in their order.
    ///
    /// # Errors
    /// When they could not be stored, or something stands in the way of one of them.
    pub async fn submit_all(
        &self,
        tasks: Vec<NewTask>,
        once: Option<Once>,
        room: Reservation,
    ) -> Result<Vec<TaskId>, Error> {
        let mut submissions: Vec<_> = tasks.into_iter().map(Submission::new).collect();
        if let Some(first) = submissions.first_mut() {
            first.once = once;
            first.room = Some(room);
        }
        self.ask(|reply| Order::SubmitAll(submissions, reply)).await
    }

    /// Deals with a due time of a schedule once; the task that it made just now or before, if any.
    ///
    /// # Errors
    /// When it could not be stored.
    pub async fn submit_scheduled(&self, due: Due) -> Result<Option<TaskId>, Error> {
        self.ask(|reply| Order::SubmitScheduled(Box::new(due), reply))
            .await
    }

    /// How far each schedule has come, by name.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn schedule_progress(&self) -> Result<HashMap<String, Progress>, Error> {
        schedules::progress(&self.read).await
    }

    /// Lets a task wait again that has FAILED, with all its attempts before it.
    ///
    /// # Errors
    /// When it could not be stored, or another task has its unique key.
    pub async fn retry(&self, task: TaskId) -> Result<Retried, Error> {
        self.ask(|reply| Order::Retry(task, reply)).await
    }

    /// Deletes a final task with its journal.
    ///
    /// # Errors
    /// When it could not be deleted.
    pub async fn delete(&self, task: TaskId) -> Result<Deleted, Error> {
        self.ask(|reply| Order::Delete(task, reply)).await
    }

    /// Waits until the task is final, or until it is found to be so; for ever, if it never is.
    ///
    /// # Errors
    /// When the task cannot be read.
    pub async fn finished(&self, task: TaskId) -> Result<(), Error> {
        loop {
            let mut waiter = self.waiters.wait_for(task);
            let state = reads::task_state(&self.read, task).await?;
            let is_over = state.is_none_or(|(status, _)| status.is_final());
            if is_over || waiter.end().await.is_some_and(TaskStatus::is_final) {
                return Ok(());
            }
        }
    }

    /// Waits for the end of the attempt that runs at this moment; to be called before what ends it, and
    /// given to [`StateManager::ended`].
    pub fn wait_for_end(&self, task: TaskId) -> Waiter {
        self.waiters.wait_for(task)
    }

    /// What the task has become when the end of the attempt is stored: PENDING if it waits again.
    ///
    /// # Errors
    /// When the task cannot be read.
    pub async fn ended(&self, mut waiter: Waiter) -> Result<TaskStatus, Error> {
        loop {
            if let Ok(Some(status)) = timeout(SECOND_LOOK, waiter.end()).await {
                return Ok(status);
            }
            // Of a row that another program has changed, the journal may tell nothing.
            match reads::task_state(&self.read, waiter.task()).await? {
                Some((TaskStatus::Processing, _)) => {}
                Some((status, _)) => return Ok(status),
                None => return Ok(TaskStatus::Failed),
            }
        }
    }

    /// A task's upstream tasks, with what they have left.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn upstream(&self, task: TaskId) -> Result<Vec<Upstream>, Error> {
        chains::upstream_of(&self.read, task).await
    }

    /// Why a waiting task does not start.
    ///
    /// # Errors
    /// When the Writer is gone.
    pub async fn explain(&self, asked: Asked) -> Result<Explanation, Error> {
        self.ask(|reply| Order::Explain(asked, reply)).await
    }

    /// How many tasks of its processor and key start before a waiting task.
    ///
    /// # Errors
    /// When they cannot be counted.
    pub async fn count_ahead(&self, task: TaskId) -> Result<i64, Error> {
        let now = Timestamp::now().to_string();
        waiting::count_ahead(&self.read, task, &now).await
    }

    /// One task's log lines after row `since`, at most `limit`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn task_log(
        &self,
        task: TaskId,
        since: i64,
        limit: u32,
    ) -> Result<Vec<LogLine>, Error> {
        history::task_log(&self.read, task, since, limit).await
    }

    /// The condition of every processor that has limits, tasks, or a pause.
    ///
    /// # Errors
    /// When the Writer is gone.
    pub async fn processors(&self) -> Result<HashMap<String, ProcessorStatus>, Error> {
        self.ask(Order::Processors).await
    }

    /// Up to `limit` tasks of these processors, which run elsewhere, have somebody to run them. The
    /// caller chooses the id, so that it can withdraw an offer whose answer it did not wait for.
    ///
    /// What may start at once has started before anything that is asked after this returns.
    ///
    /// # Errors
    /// When the Writer is gone.
    pub async fn offer(
        &self,
        offer: OfferId,
        processors: Vec<String>,
        limit: u64,
    ) -> Result<(), Error> {
        self.ask(|reply| Order::Offer(offer, processors, limit, reply))
            .await
    }

    /// Ends an offer: what is not started for it when this returns is not started any more. Answers
    /// how many tasks that is.
    ///
    /// # Errors
    /// When the Writer is gone.
    pub async fn withdraw(&self, offer: OfferId) -> Result<u64, Error> {
        self.ask(|reply| Order::Withdraw(offer, reply)).await
    }

    /// From now on these limits hold, and for rows that say nothing themselves this processor and these
    /// numbers of attempts, by processor. What runs goes on.
    ///
    /// # Errors
    /// When it could not be stored; then nothing has changed.
    pub async fn set_limits(
        &self,
        limits: Limits,
        default_processor: String,
        max_attempts: BTreeMap<String, i64>,
    ) -> Result<(), Error> {
        let limits = Box::new(limits);
        self.ask(|reply| Order::SetLimits(limits, default_processor, max_attempts, reply))
            .await
    }

    /// Adds to a running attempt's answer as it grows. Waits while the Writer is behind.
    pub async fn output(&self, attempt: Attempt, agent: &str, text: String) {
        let agent = agent.to_owned();
        self.report(Report::Output {
            attempt,
            agent,
            text,
        })
        .await;
    }

    /// Sets `context_history.<name>` of a running task. Waits while the Writer is behind.
    pub async fn note(&self, attempt: Attempt, name: &str, value: &Value) {
        let (name, value) = (name.to_owned(), value.to_string());
        self.report(Report::Note {
            attempt,
            name,
            value,
        })
        .await;
    }

    /// Adds a line to a running attempt's log. Waits while the Writer is behind; a line of an
    /// attempt that has ended is dropped.
    pub async fn log(&self, attempt: Attempt, agent: &str, line: String) {
        let agent = agent.to_owned();
        self.report(Report::Line {
            attempt,
            agent,
            line,
        })
        .await;
    }

    /// Sets a running attempt's progress, 0 to 1. Waits while the Writer is behind.
    pub async fn set_progress(&self, attempt: Attempt, progress: f64) {
        self.report(Report::Progress { attempt, progress }).await;
    }

    /// Hands in how an attempt ended. It is stored sooner or later, whatever the storage does
    /// meanwhile; if the service dies before that, the attempt counts as interrupted.
    pub async fn finish(&self, attempt: Attempt, outcome: Outcome) {
        self.report(Report::Finished {
            attempt,
            outcome,
            reply: None,
        })
        .await;
    }

    /// Like [`StateManager::finish`], and waits until it is stored; whether the attempt was still
    /// running, so that the outcome counts.
    pub async fn finish_and_wait(&self, attempt: Attempt, outcome: Outcome) -> bool {
        let (reply, answer) = oneshot::channel();
        self.report(Report::Finished {
            attempt,
            outcome,
            reply: Some(reply),
        })
        .await;
        answer.await.unwrap_or(false)
    }

    async fn report(&self, report: Report) {
        // The Writer is gone only when the process stops; then the attempt counts as interrupted.
        let _ = self.reports.send(report).await;
    }

    /// From now on, tasks that may run are started and sent to the returned channel: the standing
    /// demand for work.
    ///
    /// # Errors
    /// When the Writer is gone.
    pub async fn claim(&self) -> Result<mpsc::UnboundedReceiver<Vec<ClaimedTask>>, Error> {
        // Unbounded, because what is in it is already bounded by the limits.
        let (claims, claimed) = mpsc::unbounded_channel();
        self.ask(|reply| Order::Claim(claims, reply)).await?;
        Ok(claimed)
    }

    /// Ends the demand: what is not started when this returns is not started any more.
    ///
    /// # Errors
    /// When the Writer is gone.
    pub async fn stop_claiming(&self) -> Result<(), Error> {
        self.ask(Order::StopClaiming).await
    }

    /// Starts nothing more until [`StateManager::resume`], also after a restart.
    ///
    /// # Errors
    /// When it could not be stored.
    pub async fn pause(&self, request: PauseRequest) -> Result<Paused, Error> {
        self.ask(|reply| Order::Pause(request, reply)).await
    }

    /// Starts tasks again, of the whole queue or of one processor.
    ///
    /// # Errors
    /// When it could not be stored.
    pub async fn resume(&self, processor: Option<String>) -> Result<QueueStatus, Error> {
        self.ask(|reply| Order::Resume(processor, reply)).await
    }

    /// Fails every task that waits at this moment.
    ///
    /// # Errors
    /// When it could not be stored; some of the tasks may have been purged then.
    pub async fn purge(&self) -> Result<Purged, Error> {
        self.ask(Order::Purge).await
    }

    /// Pauses the queue; the returned mark is for [`StateManager::finish_emergency_stop`], which
    /// purges what waits at this moment.
    ///
    /// # Errors
    /// When it could not be stored.
    pub async fn begin_emergency_stop(&self) -> Result<i64, Error> {
        self.ask(Order::BeginEmergencyStop).await
    }

    /// Purges, and tells everybody that `cancelled` running tasks were stopped.
    ///
    /// # Errors
    /// When it could not be stored; the queue stays paused.
    pub async fn finish_emergency_stop(&self, upto: i64, cancelled: u64) -> Result<Purged, Error> {
        self.ask(|reply| Order::FinishEmergencyStop {
            upto,
            cancelled,
            reply,
        })
        .await
    }

    /// The queue's condition. Everything that was handed to the Writer before is in it.
    ///
    /// # Errors
    /// When the Writer is gone.
    pub async fn queue_status(&self) -> Result<QueueStatus, Error> {
        self.ask(Order::Status).await
    }

    /// Writes tasks of a dump, in one transaction.
    ///
    /// # Errors
    /// When they could not be stored; then none of them was.
    pub async fn import(&self, tasks: Vec<Task>, replace: bool) -> Result<ImportReport, Error> {
        self.ask(|reply| Order::Import {
            tasks,
            replace,
            reply,
        })
        .await
    }

    /// What the last imported dump held besides its tasks, in its order.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn dump_fields(&self) -> Result<Map<String, Value>, Error> {
        match reads::meta(&self.read, meta::DUMP_FIELDS).await? {
            Some(fields) => Ok(serde_json::from_str(&fields)?),
            None => Ok(Map::new()),
        }
    }

    /// Remembers what a dump held besides its tasks.
    ///
    /// # Errors
    /// When it could not be stored.
    pub async fn set_dump_fields(&self, fields: Map<String, Value>) -> Result<(), Error> {
        self.ask(|reply| Order::SetDumpFields(fields, reply)).await
    }

    /// Writes what has arrived and closes the database. Whoever asks for more gets
    /// [`Error::Stopping`].
    ///
    /// # Errors
    /// When the WAL could not be copied back; the data is safe in it all the same.
    pub async fn close(&self) -> Result<(), Error> {
        self.read.close().await;
        self.ask(Order::Close).await
    }

    async fn ask<T>(&self, order: impl FnOnce(Reply<T>) -> Order) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.requests
            .send(Request::Order(order(reply)))
            .await
            .map_err(|_| Error::Stopping)?;
        answer.await.unwrap_or(Err(Error::Stopping))
    }

    /// The task of this id.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn task(&self, id: TaskId) -> Result<Option<Task>, Error> {
        reads::task(&self.read, id).await
    }

    /// Tasks in order of arrival, after row `after` (0: from the first), each with its row number; fewer
    /// than `limit` where they are large, so that only an empty page is the end.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn tasks_after(&self, after: i64, limit: u32) -> Result<Vec<(i64, Task)>, Error> {
        reads::tasks_after(&self.read, after, limit).await
    }

    /// Tasks newest first, before row `before` (`i64::MAX`: from the newest), each with its row
    /// number; fewer than `limit` where they are large, so that only an empty page is the end.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn tasks_before(&self, before: i64, limit: u32) -> Result<Vec<(i64, Task)>, Error> {
        reads::tasks_before(&self.read, before, limit).await
    }

    /// The tasks of a filter: a page of at most `limit` (fewer where they are large) beyond row `cursor`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn tasks_of(
        &self,
        filter: &TaskFilter,
        order: ListOrder,
        cursor: Option<i64>,
        limit: u32,
    ) -> Result<Page, Error> {
        self.index_is_current(filter).await?;
        lists::page(&self.read, filter, order, cursor, limit).await
    }

    /// Has everything indexed that was stored before, if the filter looks for words. After
    /// [`INDEX_PATIENCE`] it goes on with what is indexed by then.
    async fn index_is_current(&self, filter: &TaskFilter) -> Result<(), Error> {
        if filter.words.is_none() {
            return Ok(());
        }
        match tokio::time::timeout(INDEX_PATIENCE, self.ask(Order::CatchUp)).await {
            Ok(Err(error @ Error::Stopping)) => Err(error),
            _ => Ok(()),
        }
    }

    /// A task's status and result, without its log.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn task_state(
        &self,
        id: TaskId,
    ) -> Result<Option<(TaskStatus, Option<String>)>, Error> {
        reads::task_state(&self.read, id).await
    }

    /// One task's journal rows after row `since`, at most `limit`, with their ids.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn task_rows_after(
        &self,
        id: TaskId,
        since: i64,
        limit: u32,
    ) -> Result<Vec<(i64, Said)>, Error> {
        history::task_rows_after(&self.read, id, since, limit).await
    }

    /// Whether there is no task.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn is_empty(&self) -> Result<bool, Error> {
        Ok(reads::newest_seq(&self.read).await? == 0)
    }

    /// Where commits are announced.
    pub fn bus(&self) -> &Bus {
        &self.bus
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
            None => history::events_after(&self.read, after, upto, limit).await,
            Some(task) => history::task_events_after(&self.read, task, after, upto, limit).await,
        }
    }
}
