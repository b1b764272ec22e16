//! From a path to a running Writer: open, recover, start.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection, SqliteConnection};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::config::Durability;
use crate::events::Bus;
use crate::metrics::{Metrics, MetricsByProcessor};
use crate::models::{ClaimedTask, Clock, Failure, HiveLink, Pause, Reading, TaskId, Timestamp};
use crate::state::commands::reconfigure::recall_starts;
use crate::state::db::checkpoint::Checkpointer;
use crate::state::db::health::StorageHealth;
use crate::state::db::lock::Lock;
use crate::state::db::meta;
use crate::state::db::open;
use crate::state::db::open::Connections;
use crate::state::db::open_error::OpenError;
use crate::state::dependencies;
use crate::state::dispatch::due_since::DueSince;
use crate::state::dispatch::lane_heads_sql;
use crate::state::dispatch::limits::{ExecutionSite, Limits};
use crate::state::dispatch::paused_processors;
use crate::state::dispatch::queue_state::QueueState;
use crate::state::error::Error;
use crate::state::fts::indexer::Index;
use crate::state::journal::append::append;
use crate::state::journal::entry::JournalEntry;
use crate::state::journal::events;
use crate::state::query::running_rows;
use crate::state::query::running_rows::Interrupted;
use crate::state::retry::sql;
use crate::state::stats::Stats;
use crate::state::store::PERMIT_BYTES;
use crate::state::store::StateManager;
use crate::state::store::overview::LastCount;
use crate::state::writer::after_sync::AfterSync;
use crate::state::writer::background::{Background, BackgroundJob};
use crate::state::writer::commit::Statements;
use crate::state::writer::completion_waiters::CompletionWaiters;
use crate::state::writer::core::{ClockWatch, Core, HeldWork, Outbox, WriteSide};
use crate::state::writer::questions::Questions;
use crate::state::writer::recount::Counter;
use crate::state::writer::repair_times;
use crate::state::writer::repair_times::{Journalled, RepairTimes};
use crate::state::writer::run;
use crate::state::writer::run::{PollTimer, Writer, WriterInbox};

/// Requests that may wait for the Writer.
const REQUEST_MESSAGES: usize = 16_384;
/// Reports that may wait for the Writer; whoever has more waits.
const REPORT_MESSAGES: usize = 4096;
/// Questions that may wait for it.
const QUESTION_MESSAGES: usize = 1024;
/// A task under which the service has died this often is not tried again.
const CRASHES_UNTIL_LOST: i64 = 3;

/// A database that is open and locked, and not yet served.
pub(crate) struct Opened {
    connections: Connections,
    /// Interrupted tasks that run again.
    requeued: Vec<Interrupted>,
    /// Interrupted tasks that have failed as `lost`.
    lost: Vec<Interrupted>,
    /// What the journal's last rows say of the clock.
    journalled: Journalled,
}

/// With what the Writer starts.
pub(crate) struct Start<'a> {
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) poll_interval: Duration,
    pub(crate) inbox_limit_bytes: usize,
    /// The processor of rows that name none.
    pub(crate) default_processor: &'a str,
    /// The number of attempts of rows that say none, by processor.
    pub(crate) max_attempts: BTreeMap<String, i64>,
    /// Whether the Hive takes tasks, until [`StateManager::set_hive_link`] says otherwise.
    pub(crate) hive: HiveLink,
}

/// What recovery has put right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recovered {
    /// Tasks that run again.
    pub(crate) requeued: usize,
    /// Tasks that have failed as `lost`.
    pub(crate) lost: usize,
}

/// The Writer's end: resolves when it has closed the database, or with the reason why the process
/// must not go on.
pub(crate) type WriterHandle = JoinHandle<Result<(), Error>>;

/// Opens, locks and migrates the database at `path`, creating it as needed.
///
/// # Errors
/// One sentence for the person who starts the service.
pub(crate) async fn open(path: &Path, durability: Durability) -> Result<Opened, OpenError> {
    let mut connections = open::open(path, durability).await?;
    let journalled = repair_times::journalled(&mut connections.write).await;
    let journalled = journalled.map_err(|error| OpenError::sqlite(path, &error))?;
    Ok(Opened {
        connections,
        requeued: Vec::new(),
        lost: Vec::new(),
        journalled,
    })
}

impl Opened {
    /// Tasks that were running when the service died, without those that outside workers have. The lock on the file
    /// proves that nothing runs them any more.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) async fn interrupted(&mut self) -> Result<Vec<(TaskId, String)>, Error> {
        let interrupted = running_rows::interrupted(&mut self.connections.write).await?;
        let interrupted = interrupted.into_iter();
        Ok(interrupted
            .map(|task| (task.attempt.task_id, task.processor))
            .collect())
    }

    /// Makes every interrupted task PENDING again, or FAILED as `lost` after its third crash. Tasks of processors
    /// that run outside are never lost by crashes: they cannot take the service down. Outside workers keep their tasks.
    ///
    /// # Errors
    /// When it could not be stored; then nothing was changed.
    pub(crate) async fn recover(
        &mut self,
        is_outside: impl Fn(&str) -> bool,
    ) -> Result<Recovered, Error> {
        let conn = &mut self.connections.write;
        let interrupted = running_rows::interrupted(&mut *conn).await?;
        if interrupted.is_empty() {
            return Ok(Recovered::default());
        }
        let time = Timestamp::now();
        let now = time.to_string();
        let (lost, again): (Vec<Interrupted>, Vec<Interrupted>) =
            interrupted.into_iter().partition(|task| {
                task.crashes + 1 >= CRASHES_UNTIL_LOST && !is_outside(&task.processor)
            });
        let mut rows = Vec::with_capacity(lost.len() + again.len());
        let mut tx = conn.begin_with("BEGIN IMMEDIATE").await?;
        if !again.is_empty() {
            let attempts: Vec<_> = again.iter().map(|task| task.attempt).collect();
            sql::release_crashed_if_running(&mut tx, &attempts).await?;
            rows.extend(attempts.iter().map(|attempt| {
                let error = "was interrupted by a crash of the service";
                JournalEntry::retrying(attempt.task_id, attempt.number, error, None, None, &now)
            }));
        }
        if !lost.is_empty() {
            let error = format!("the service died {CRASHES_UNTIL_LOST} times while it ran");
            let attempts: Vec<_> = lost.iter().map(|task| task.attempt).collect();
            sql::fail_lost(&mut tx, &attempts, &error, &now).await?;
            rows.extend(
                attempts.iter().map(|attempt| {
                    JournalEntry::failed(attempt.task_id, Failure::Lost, &error, &now)
                }),
            );
        }
        append(&mut tx, &rows, time).await?;
        tx.commit().await?;
        let recovered = Recovered {
            requeued: again.len(),
            lost: lost.len(),
        };
        (self.requeued, self.lost) = (again, lost);
        Ok(recovered)
    }

    /// Starts the Writer. Nothing is claimed until somebody asks for claims.
    ///
    /// # Errors
    /// When what the service remembers cannot be read.
    pub(crate) async fn start(
        mut self,
        start: Start<'_>,
    ) -> Result<(StateManager, WriterHandle, Lock), Error> {
        let conn = &mut self.connections.write;
        meta::set_defaults(&mut *conn, start.default_processor, &start.max_attempts).await?;
        // Before the tasks are counted, so that later writes of other programs show.
        let data_version = sqlx::query_scalar("PRAGMA data_version")
            .fetch_one(&mut *conn)
            .await?;
        let meters = MetricsByProcessor::new(start.metrics, start.limits.sites.keys());
        let mut due_since = DueSince::new(Timestamp::now());
        for task in &self.requeued {
            meters.of(&task.processor).retries.inc();
            due_since.record(task.attempt.seq, Timestamp::now());
        }
        for task in &self.lost {
            meters.of(&task.processor).failed(Failure::Lost, 1);
        }
        let mut queue_state = read_ledger(conn, start.limits, self.journalled.last).await?;
        queue_state.hive = start.hive;
        let recalled = recall_leases(conn, &mut queue_state).await?;
        // Tasks may have become final whose edges were not processed.
        let upstream = queue_state.awaited.iter().copied();
        let mut jobs: VecDeque<_> = upstream.map(BackgroundJob::OnFinished).collect();
        let now = Reading::now();
        let brought_forward = meta::get(&mut *conn, meta::BROUGHT_FORWARD)
            .await?
            .is_some();
        if self.journalled.is_ahead_of(now.time) || brought_forward {
            jobs.push_front(BackgroundJob::RepairTimes(RepairTimes::new(
                brought_forward,
            )));
        }
        queue_state.restoring = brought_forward;
        let bus = Bus::new(events::newest_event(&mut *conn).await?);
        let index = Index::recall(&mut *conn).await?;
        let stats = Stats::recall(&mut *conn).await?;
        let checkpointer = Checkpointer::start(self.connections.options, bus.watch()).await?;

        let health = StorageHealth::new(self.connections.files);
        let after_sync = AfterSync::start(self.connections.log_sync, health.clone())
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        let waiters = CompletionWaiters::default();
        let waiting_ended = Arc::<Notify>::default();
        let (messages, messages_inbox) = mpsc::channel(REQUEST_MESSAGES);
        let (reports, reports_inbox) = mpsc::channel(REPORT_MESSAGES);
        let (questions, questions_inbox) = mpsc::channel(QUESTION_MESSAGES);
        // From now on a commit does not wait for the disk: whoever hears of it does.
        let no_wait = sqlx::query("PRAGMA synchronous = NORMAL");
        no_wait.execute(&mut self.connections.write).await?;
        let statements = Statements::prepare(&mut self.connections.write).await?;
        let core = Core {
            db: WriteSide {
                statements,
                conn: self.connections.write,
                data_version,
                checkpointer: Some(checkpointer),
                health: health.clone(),
                failing: false,
                next_sync: Instant::now(),
                next_probe: Instant::now(),
                is_folded: false,
                fatal: None,
            },
            questions: Questions::new(questions_inbox),
            queue: queue_state,
            more_to_claim: false,
            failed_upstream: HashSet::new(),
            outbox: Outbox {
                after_sync,
                head: bus.head(),
                bus: bus.clone(),
                waiters: waiters.clone(),
                waiting_ended: Arc::clone(&waiting_ended),
                runner: None,
                recalled,
            },
            held: HeldWork::default(),
            background: Background {
                jobs,
                retry_later: Vec::new(),
            },
            due_since,
            index,
            stats: stats.clone(),
            meters,
            recount: Counter::new(self.connections.read_options),
            clock: ClockWatch {
                clock: Clock::trusted(now),
                brought_forward,
                times_forgotten: None,
            },
            importing_until: Instant::now(),
        };
        let mut writer = Writer {
            inbox: WriterInbox {
                messages: messages_inbox,
                reports: reports_inbox,
            },
            core,
            poll: PollTimer {
                interval: start.poll_interval,
                next: Instant::now(),
            },
        };
        // An import may have been interrupted, or another program may have deleted tasks.
        writer.core.fail_hopeless().await?;
        let inbox_permits =
            (start.inbox_limit_bytes / PERMIT_BYTES).clamp(1, Semaphore::MAX_PERMITS);
        let state = StateManager {
            messages,
            reports,
            questions,
            inbox: Arc::new(Semaphore::new(inbox_permits)),
            read: self.connections.read,
            searches: self.connections.searches,
            bus,
            waiters,
            waiting_ended,
            actor: None,
            stats,
            last_count: LastCount::default(),
            newest_at_start: self.journalled.last,
            health,
        };
        let handle = run::spawn(writer).map_err(|error| Error::Unavailable(error.to_string()))?;
        Ok((state, handle, self.connections.lock))
    }
}

/// The attempts that outside workers go on with. Each gets the lease that its processor has in the settings, or
/// the one of its claim if the processor is no longer for workers.
async fn recall_leases(
    conn: &mut SqliteConnection,
    queue_state: &mut QueueState,
) -> Result<Vec<ClaimedTask>, Error> {
    let leased = running_rows::leased(conn).await?;
    let recalled = leased.into_iter().map(|(mut task, since)| {
        let home = queue_state.limits().site(&task.processor);
        if let (Some(ExecutionSite::OutsideWorker { lease }), Some(own)) =
            (home, &mut task.terms.lease)
        {
            own.length = lease;
        }
        queue_state.restore_running(&task, since);
        task
    });
    Ok(recalled.collect())
}

/// Reads the queue state from the database.
async fn read_ledger(
    conn: &mut SqliteConnection,
    limits: Limits,
    newest: Option<Timestamp>,
) -> Result<QueueState, Error> {
    let now = Timestamp::now();
    let pause = match meta::get(&mut *conn, meta::PAUSE).await? {
        Some(pause) => {
            let pause: Pause = serde_json::from_str(&pause)?;
            Some(pause.begun_by(now))
        }
        None => None,
    };
    let mut queue_state = QueueState::new(limits, pause);
    queue_state.paused_processors = paused_processors::recall(conn, now).await?;
    (queue_state.lanes, queue_state.blocked) =
        lane_heads_sql::count_pending(&mut *conn, now).await?;
    queue_state.awaited = dependencies::awaited(conn).await?.into_iter().collect();
    recall_starts(conn, &mut queue_state, newest).await?;
    Ok(queue_state)
}
