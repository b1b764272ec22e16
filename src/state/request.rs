//! What the Writer can be asked besides accepting tasks: rare, each in a transaction of its own.

use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};

use super::Error;
use super::batch::Submission;
use super::import::ImportReport;
use crate::models::{ClaimedTask, QueueStatus, Task};

/// Where the answer to a request goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// A message to the Writer that somebody waits for.
pub(super) enum Request {
    Submit(Submission),
    Order(Order),
}

/// Everything that is not a submission.
pub(super) enum Order {
    /// From now on, claimed tasks go here.
    Claim(mpsc::UnboundedSender<Vec<ClaimedTask>>, Reply<()>),
    /// No more claims.
    StopClaiming(Reply<()>),
    Pause(Option<String>, Reply<Paused>),
    Resume(Reply<QueueStatus>),
    Purge(Reply<Purged>),
    /// Pauses; the tasks that wait at this moment are purged by `FinishEmergencyStop`.
    BeginEmergencyStop(Reply<i64>),
    FinishEmergencyStop {
        upto: i64,
        cancelled: u64,
        reply: Reply<Purged>,
    },
    Status(Reply<QueueStatus>),
    Import {
        tasks: Vec<Task>,
        replace: bool,
        reply: Reply<ImportReport>,
    },
    SetDumpFields(Map<String, Value>, Reply<()>),
    /// Writes what has arrived, then closes the database.
    Close(Reply<()>),
}

/// The answer to a pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paused {
    /// Tasks that go on running.
    pub active: u64,
}

/// The answer to a purge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purged {
    pub removed: u64,
    /// Tasks that go on running.
    pub active: u64,
}
