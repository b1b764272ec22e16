//! The state that the steps of the write path share: each group of fields is one struct.
//!
//! One thread owns it, that of the loop in `run`. Every step is an `impl Core` in its own file; a component that the
//! steps use (`dispatch`, `journal`, `fts`, `stats`, …) does not know it.

use std::collections::HashSet;
use std::sync::Arc;

use sqlx::SqliteConnection;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::events::Bus;
use crate::metrics::MetricsByProcessor;
use crate::models::{ClaimedTask, Clock, TaskId};
use crate::state::db::checkpoint::Checkpointer;
use crate::state::db::health::StorageHealth;
use crate::state::dispatch::due_since::DueSince;
use crate::state::dispatch::queue_state::QueueState;
use crate::state::error::Error;
use crate::state::fts::indexer::Index;
use crate::state::stats::Stats;
use crate::state::writer::after_sync::AfterSync;
use crate::state::writer::background::Background;
use crate::state::writer::batch::{AttemptReport, Submission};
use crate::state::writer::commit::Statements;
use crate::state::writer::completion_waiters::CompletionWaiters;
use crate::state::writer::questions::Questions;
use crate::state::writer::recount::Counter;

/// What the Writer knows and owns. The loop alone touches it.
pub(crate) struct Core {
    pub(crate) db: WriteSide,
    pub(crate) questions: Questions,
    /// Limits, pauses, lanes, running attempts and polls. It changes only after a commit.
    pub(crate) queue: QueueState,
    /// Whether tasks may be ready that the last claim did not take.
    pub(crate) more_to_claim: bool,
    /// Failed tasks that submissions of the current batch depend on.
    pub(crate) failed_upstream: HashSet<TaskId>,
    pub(crate) outbox: Outbox,
    pub(crate) held: HeldWork,
    pub(crate) background: Background,
    /// Since when pending tasks are ready.
    pub(crate) due_since: DueSince,
    /// The full-text index.
    pub(crate) index: Index,
    /// The counts for the charts.
    pub(crate) stats: Stats,
    /// The counts for Prometheus.
    pub(crate) meters: MetricsByProcessor,
    /// Counts the pending tasks after another program has written.
    pub(crate) recount: Counter,
    pub(crate) clock: ClockWatch,
    /// Until then a dump may come in: its tasks may depend on tasks that come later.
    pub(crate) importing_until: Instant,
}

/// The one write connection, and the condition of the storage behind it.
pub(crate) struct WriteSide {
    /// The statements of the batches, on the connection. Declared before it: they must be finalized before it closes.
    pub(crate) statements: Statements,
    pub(crate) conn: SqliteConnection,
    /// `PRAGMA data_version` when the pending tasks were last counted.
    pub(crate) data_version: i64,
    pub(crate) checkpointer: Option<Checkpointer>,
    /// What others read of the storage's condition.
    pub(crate) health: StorageHealth,
    /// Whether the last write failed.
    pub(crate) failing: bool,
    /// When a sync that has failed is tried again, at the earliest.
    pub(crate) next_sync: Instant,
    /// When a failing storage is probed, if nobody writes before.
    pub(crate) next_probe: Instant,
    /// Whether the WAL was copied back since a file of the database was lost.
    pub(crate) is_folded: bool,
    /// The database is damaged. Nothing is written any more, and the loop ends with this error.
    pub(crate) fatal: Option<Error>,
}

/// Where the results of a commit go.
pub(crate) struct Outbox {
    /// Everything that is sent goes through this.
    pub(crate) after_sync: AfterSync,
    pub(crate) bus: Bus,
    /// Id of the newest journal row that was published, or is about to be.
    pub(crate) head: i64,
    /// Clients that wait for the end of an attempt.
    pub(crate) waiters: CompletionWaiters,
    /// Notified when pending tasks have ended: purged, or replaced by an import.
    pub(crate) waiting_ended: Arc<Notify>,
    /// Who runs claimed tasks.
    pub(crate) runner: Option<mpsc::UnboundedSender<Vec<ClaimedTask>>>,
    /// Attempts that outside workers have had since before this start, for the first runner.
    pub(crate) recalled: Vec<ClaimedTask>,
}

/// What was taken in and goes into a later batch.
#[derive(Default)]
pub(crate) struct HeldWork {
    /// Reports that could not be stored yet. While there are any, no further ones are taken in.
    pub(crate) reports: Vec<AttemptReport>,
    /// Submissions that wait until another one with their key is stored.
    pub(crate) submissions: Vec<Submission>,
}

/// What the Writer knows of the system clock.
pub(crate) struct ClockWatch {
    /// The clock as it was at the last turn.
    pub(crate) clock: Clock,
    /// Whether some `run_at` was brought forward, and has to be put back if the clock is set forward.
    pub(crate) brought_forward: bool,
    /// When the lanes last forgot the times that they knew.
    pub(crate) times_forgotten: Option<Instant>,
}
