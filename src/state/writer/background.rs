//! Long work of the Writer, done in chunks between batches, so that no client waits for all of it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::models::TaskId;
use crate::state::writer::repair_times::RepairTimes;
use crate::state::writer::reply::Reply;

/// The jobs under way.
#[derive(Default)]
pub(crate) struct Background {
    pub(crate) jobs: VecDeque<BackgroundJob>,
    /// Jobs whose last chunk failed, for another try at the next poll.
    pub(crate) retry_later: Vec<BackgroundJob>,
}

/// A job under way.
pub(crate) enum BackgroundJob {
    Purge(Purge),
    /// Unblocks or fails the dependents of this task, if it is final.
    OnFinished(TaskId),
    /// Repairs the times that a clock that was set back would make tasks wait for.
    RepairTimes(RepairTimes),
}

/// A purge of the pending tasks.
pub(crate) struct Purge {
    /// Row number of the last task that it purges.
    pub(crate) upto: i64,
    pub(crate) removed: u64,
    pub(crate) cause: PurgeCause,
    pub(crate) actor: Option<Arc<str>>,
    pub(crate) reply: Reply<Purged>,
}

/// What caused a purge, and so which event says that it is done.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PurgeCause {
    Asked,
    EmergencyStop { cancelled: u64 },
}

/// The answer to a purge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Purged {
    pub(crate) removed: u64,
    /// Tasks that go on running.
    pub(crate) active: u64,
}

impl Background {
    /// Queues the jobs that failed once more.
    pub(crate) fn retry(&mut self) {
        self.jobs.extend(self.retry_later.drain(..));
    }
}
