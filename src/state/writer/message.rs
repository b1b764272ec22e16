//! What the Writer can be asked besides accepting tasks: rare, each in a transaction of its own.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::models::{
    ClaimedTask, HiveLink, NewTask, OfferId, Pause, QueueStatus, Task, TaskId, Timestamp,
};
use crate::state::commands::reconfigure::Reconfigured;
use crate::state::dispatch::due_since::DueKey;
use crate::state::dispatch::snapshot::QueueSnapshot;
use crate::state::error::Error;
use crate::state::import::ImportReport;
use crate::state::query::list::FoundTask;
use crate::state::writer::batch::{IdempotencyKey, Submission};

/// Where the answer to a request goes.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// A message to the Writer that somebody waits for.
pub(crate) enum Request {
    Submit(Box<Submission>),
    /// An order, and in whose name it is given.
    Order(Order, Option<Arc<str>>),
}

/// Everything that is not a submission.
pub(crate) enum Order {
    /// From now on, claimed tasks go here.
    Claim(mpsc::UnboundedSender<Vec<ClaimedTask>>, Reply<()>),
    /// No more claims.
    StopClaiming(Reply<()>),
    Pause(PauseRequest, Reply<Paused>),
    /// The queue, or one processor.
    Resume(Option<String>, Reply<Resumed>),
    Purge(Reply<Purged>),
    /// Pauses; the tasks that wait at this moment are purged by `FinishEmergencyStop`.
    BeginEmergencyStop(Reply<i64>),
    FinishEmergencyStop {
        upto: i64,
        cancelled: u64,
        reply: Reply<Purged>,
    },
    /// Answers, and so says that everything is done that was asked before.
    Answer(Reply<()>),
    Import {
        tasks: Vec<Task>,
        replace: bool,
        reply: Reply<ImportReport>,
    },
    /// All tasks of a dump are in.
    EndImport(Reply<()>),
    /// All tasks or none, in one transaction.
    SubmitAll(Vec<Submission>, Option<IdempotencyKey>, Reply<Vec<TaskId>>),
    /// The task of a due time of a schedule, unless that time has been dealt with; without a task it is
    /// skipped.
    SubmitScheduled(Box<Due>, Reply<Option<TaskId>>),
    /// A task that has FAILED waits again.
    Retry(TaskId, RetryAt, Reply<Retried>),
    /// Deletes a final task with its journal.
    Delete(TaskId, Reply<Deleted>),
    /// TxInput those of these tasks that are still as they were found.
    Change(Change, Vec<FoundTask>, Reply<Changed>),
    /// Answers when everything is indexed that is in the journal at this moment.
    CatchUp(Reply<()>),
    /// Forgets some idempotency keys from before this time; how many.
    ForgetKeys(Timestamp, Reply<u64>),
    /// Gives some free pages of the file back; how many are left.
    Shrink(Reply<i64>),
    /// An outside worker takes up to so many tasks of these processors.
    Offer(OfferId, Vec<String>, u64, Reply<()>),
    /// How many of its tasks have not started.
    Withdraw(OfferId, Reply<u64>),
    /// Whether the Hive takes tasks from now on.
    SetHiveLink(HiveLink, Reply<()>),
    /// A sentence for everybody who listens, with its level and its data.
    Tell(&'static str, String, Value, Reply<()>),
    /// What waits and runs, in one answer. These are tasks of each processor that wait longest.
    QueueSnapshot(Vec<(String, DueKey)>, Reply<QueueSnapshot>),
    /// Other settings of the queue.
    SetLimits(Box<Reconfigured>, Reply<()>),
    /// These tokens were used.
    TokensUsed(Vec<String>, Reply<()>),
    /// Remembers some JSON under a key of `meta`.
    SetMeta(&'static str, String, Reply<()>),
    /// Writes what has arrived, then closes the database.
    Close(Reply<()>),
}

/// What is done to many tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Retry(RetryAt),
    Delete,
}

/// What was done to some of many tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) changed: u64,
    /// Tasks that were kept, because open tasks need their results.
    pub(crate) needed: u64,
}

/// The answer to a pause.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Paused {
    /// Tasks that go on running.
    pub(crate) active: u64,
    /// What holds after it.
    pub(crate) pause: Pause,
}

/// The answer to a resume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resumed {
    /// Whether there was a pause to end.
    pub(crate) was_paused: bool,
    pub(crate) status: QueueStatus,
}

/// The answer to a purge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Purged {
    pub(crate) removed: u64,
    /// Tasks that go on running.
    pub(crate) active: u64,
}

/// What is to be paused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PauseRequest {
    /// One processor; `None` stands for the whole queue.
    pub(crate) processor: Option<String>,
    /// The pause ends by itself at this time.
    pub(crate) until: Option<Timestamp>,
    pub(crate) reason: Option<String>,
}

impl PauseRequest {
    /// The pause that is asked for, from this moment on.
    pub(crate) fn pause(&self, by: Option<&str>) -> Pause {
        Pause {
            since: Timestamp::now(),
            until: self.until,
            reason: self.reason.clone(),
            by: by.map(str::to_owned),
            emergency_stop: false,
            asked: None,
        }
    }
}

/// What a schedule has to do at a due time.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub(crate) schedule: String,
    pub(crate) time: Timestamp,
    /// `None` skips the time.
    pub(crate) task: Option<NewTask>,
    /// The schedule has come further than to `time`, by a clock that was ahead, and is to go on from there.
    pub(crate) turns_back: bool,
}

/// When a task starts that is retried by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryAt {
    /// As soon as it may, but for a task that never began: not before its `run_at`.
    AsGiven,
    /// As soon as it may.
    Now,
}

/// The answer to a retry by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retried {
    Done {
        /// It does not start before this time, which it was given when it was submitted.
        later: Option<Timestamp>,
    },
    /// There is no such task.
    Missing,
    /// It has not FAILED.
    NotFailed,
}

/// The answer to a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deleted {
    Done,
    /// There is no such task.
    Missing,
    /// It waits or runs.
    NotFinal,
    /// This open task needs its result.
    NeededBy(TaskId),
}
