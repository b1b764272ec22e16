//! The Writer: one loop that owns the one write connection, and with it every change of the state.
//!
//! Each turn takes what has arrived, writes it in one transaction, and only after the commit changes
//! the queue state, hands claimed tasks over, publishes events and answers. Long work (a purge of many
//! rows) goes in chunks, one a turn; the full-text index follows in the time that is left.
//!
//! Reports of running attempts are never lost: when the storage takes no writes, they are held and
//! tried again, and no further reports are taken in until they are stored; submissions are answered
//! with the error meanwhile.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection, Row as _, SqliteConnection};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::events::Bus;
use crate::metrics::ByProcessor;
use crate::models::{ClaimedTask, Clock, TaskId, Timestamp};
use crate::state::db::checkpoint::Checkpointer;
use crate::state::db::health::StorageHealth;
use crate::state::db::open_files::keep_log_at_close;
use crate::state::dispatch::due_since::DueSince;
use crate::state::dispatch::queue_state::QueueState;
use crate::state::error::Error;
use crate::state::fts::indexer::Index;
use crate::state::journal::entry::JournalEntry;
use crate::state::stats::Stats;
use crate::state::writer::apply::CommittedBatch;
use crate::state::writer::background::BackgroundJob;
use crate::state::writer::batch::{Batch, Report, Submission};
use crate::state::writer::commit;
use crate::state::writer::commit::TxInput;
use crate::state::writer::message::{Order, Request};
use crate::state::writer::publish::Committed;
use crate::state::writer::questions::{Questions, while_answering};
use crate::state::writer::recount::Counter;
use crate::state::writer::waiters::CompletionWaiters;

/// Messages taken from one inbox in a turn.
const BATCH_MESSAGES: usize = 1024;
/// How often the loop steps back, at most, while more is arriving.
const GATHERING_YIELDS: usize = 16;
/// Pause between two tries while the storage takes no writes.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Pause between two probes while it does not and nobody writes.
const PROBE_PAUSE: Duration = Duration::from_secs(1);

/// The loop's state. Everything in it is touched by the loop alone.
pub(crate) struct Writer {
    pub(crate) conn: SqliteConnection,
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) reports: mpsc::Receiver<Report>,
    pub(crate) questions: Questions,
    pub(crate) queue_state: QueueState,
    pub(crate) bus: Bus,
    /// How often to look for changes by other programs and for tasks that have become due.
    pub(crate) poll_interval: Duration,
    pub(crate) checkpointer: Option<Checkpointer>,
    /// The full-text index.
    pub(crate) index: Index,
    /// What happened when.
    pub(crate) stats: Stats,
    pub(crate) meters: ByProcessor,
    /// Since when waiting tasks are due.
    pub(crate) due_since: DueSince,
    /// Where claimed tasks go.
    pub(crate) claims: Option<mpsc::UnboundedSender<Vec<ClaimedTask>>>,
    /// Attempts that outside workers have had since before this start, for whoever takes claims first.
    pub(crate) recalled: Vec<ClaimedTask>,
    /// In whose name the order is that is obeyed at this moment.
    pub(crate) by: Option<Arc<str>>,
    pub(crate) chores: VecDeque<BackgroundJob>,
    /// Chores that failed, for another try at the next poll.
    pub(crate) stalled: Vec<BackgroundJob>,
    pub(crate) waiters: CompletionWaiters,
    /// Told when waiting tasks have ended: purged, or replaced by an import.
    pub(crate) waiting_ended: Arc<Notify>,
    /// Whether the last claim stopped at its own size and not at the end of the queue.
    pub(crate) more_to_claim: bool,
    /// Failed tasks that submissions of the current batch wait for, in vain.
    pub(crate) failed_upstream: HashSet<TaskId>,
    /// Submissions that wait for one of their like to be stored.
    pub(crate) deferred: Vec<Submission>,
    /// Reports that could not be stored yet.
    pub(crate) held: Vec<Report>,
    /// Whether the last write failed.
    pub(crate) failing: bool,
    /// What others hear of the storage.
    pub(crate) health: StorageHealth,
    /// Whether the WAL was copied back since a file of the database was lost.
    pub(crate) is_folded: bool,
    pub(crate) data_version: i64,
    /// TaskCounts the waiting tasks when other programs have written.
    pub(crate) counter: Counter,
    pub(crate) next_poll: Instant,
    /// When the storage is tried again that took no writes, if nobody else tries it.
    pub(crate) next_probe: Instant,
    /// The clock as it was at the last turn.
    pub(crate) clock: Clock,
    /// Whether tasks may wait whose `run_at` was brought forward, and has to be put back if the clock is set
    /// forward.
    pub(crate) brought_forward: bool,
    /// When what is known of times was forgotten last.
    pub(crate) times_forgotten: Option<Instant>,
    /// When waiting tasks may be counted again: counting takes at most a twentieth of the time.
    pub(crate) next_count: Instant,
    /// A dump may come in until then: its tasks may name some that come later.
    pub(crate) importing_until: Instant,
}

impl Writer {
    /// Runs until it is told to close, or nobody can ask it any more.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the database is damaged: the process must not go on.
    pub(crate) async fn run(mut self) -> Result<(), Error> {
        loop {
            let mut requests = Vec::new();
            let mut reports = std::mem::take(&mut self.held);
            let retrying = !reports.is_empty();
            let retry_at = Instant::now() + RETRY_PAUSE;
            let spare_at = self.index_due().into_iter().chain(self.stats_due()).min();
            tokio::select! {
                biased;
                taken = self.requests.recv_many(&mut requests, BATCH_MESSAGES) => {
                    if taken == 0 {
                        return Ok(());
                    }
                }
                _ = self.reports.recv_many(&mut reports, BATCH_MESSAGES), if !retrying => {}
                () = self.questions.arrive() => {}
                () = tokio::time::sleep_until(retry_at), if retrying => {}
                () = std::future::ready(()), if self.has_work() => {}
                () = tokio::time::sleep_until(self.next_poll) => {}
                () = self.counter.ended(), if self.counter.is_counting() => {}
                () = sleep_until_if_any(spare_at), if spare_at.is_some() => {}
            }
            self.let_others_arrive().await;
            take_waiting(&mut self.requests, &mut requests);
            self.questions.take_waiting();
            if !retrying {
                take_waiting(&mut self.reports, &mut reports);
            }
            if self.turn(requests, reports).await? == Turn::Last {
                // The lock of the database is given back after this.
                let _ = self.conn.close().await;
                return Ok(());
            }
        }
    }

    /// One turn: a look outside when it is time, the batch, the orders in the order of their arrival,
    /// a chunk of long work.
    async fn turn(&mut self, requests: Vec<Request>, reports: Vec<Report>) -> Result<Turn, Error> {
        let mut batch = Batch {
            submissions: std::mem::take(&mut self.deferred),
            reports,
        };
        let live_lines = batch.take_live_lines();
        let mut orders = Vec::new();
        for request in requests {
            match request {
                Request::Submit(submission) => batch.submissions.push(*submission),
                Request::Order(order, by) => orders.push((order, by)),
            }
        }
        self.look_at_clock().await?;
        self.take_count().await?;
        if Instant::now() >= self.next_poll {
            self.queue_state.lanes.clear_prefetched();
            self.look_outside().await?;
            self.fold_if_lost().await;
            self.end_pauses_if_any().await?;
            self.chores.extend(self.stalled.drain(..));
            self.next_poll = Instant::now() + self.poll_interval;
            self.probe_if_failing(&batch).await?;
        }
        self.more_to_claim = false;
        let is_idle = batch.is_empty() && self.chores.is_empty();
        if !batch.is_empty() || self.may_claim() {
            self.store(batch).await?;
        }
        self.show_live_lines(live_lines);
        for (order, by) in orders {
            if let Order::Close(reply) = order {
                let closed = self.close().await;
                let _ = reply.send(closed);
                return Ok(Turn::Last);
            }
            self.by = by;
            let obeyed = self.obey(order).await;
            // Whatever it does next it does by itself.
            self.by = None;
            obeyed?;
        }
        if let Some(chore) = self.chores.pop_front() {
            self.work_on(chore).await?;
        }
        if !is_idle {
            self.index.last_work = Instant::now();
        }
        self.questions.answer(&self.queue_state);
        self.store_stats_if_due().await?;
        self.index_if_due().await?;
        Ok(Turn::Next)
    }

    /// Tries the storage that took no writes, unless something is written anyway.
    async fn probe_if_failing(&mut self, batch: &Batch) -> Result<(), Error> {
        if !self.failing || !batch.is_empty() || Instant::now() < self.next_probe {
            return Ok(());
        }
        let probed = self.probe().await;
        self.next_probe = Instant::now() + PROBE_PAUSE;
        match probed {
            Err(error @ Error::Corrupt(_)) => Err(error),
            _ => Ok(()),
        }
    }

    /// Lets everyone who is ready to hand something in do so before the transaction begins.
    ///
    /// Without it a burst of requests is split: the loop is woken by the first of them, and would
    /// make the others wait for a commit of one. No timer is involved: on an idle machine this ends
    /// at once.
    async fn let_others_arrive(&self) {
        let mut waiting = self.requests.len() + self.reports.len();
        for _ in 0..GATHERING_YIELDS {
            tokio::task::yield_now().await;
            let now_waiting = self.requests.len() + self.reports.len();
            if now_waiting == waiting {
                return;
            }
            waiting = now_waiting;
        }
    }

    /// Whether the next turn has something to do even if nothing arrives.
    fn has_work(&self) -> bool {
        self.more_to_claim || !self.chores.is_empty() || !self.deferred.is_empty()
    }

    /// Writes a batch and settles it; a batch that the database refuses is replayed one by one, so
    /// that only the guilty is refused.
    async fn store(&mut self, mut batch: Batch) -> Result<(), Error> {
        let releases = batch.take_releases();
        self.admit(&mut batch).await?;
        match self.write(&batch).await {
            Ok(written) => self.settle(batch, written).await,
            Err(error) if error.is_of_row() && batch.len() > 1 => {
                let mut singles = batch.split();
                while let Some(single) = singles.next() {
                    match self.write(&single).await {
                        Ok(written) => self.settle(single, written).await,
                        Err(error) if error.is_of_row() => self.fail(single, error)?,
                        Err(error) => {
                            // The rest keeps its order, for another try.
                            self.fail(single, error.clone())?;
                            singles.try_for_each(|rest| self.fail(rest, error.clone()))?;
                        }
                    }
                }
            }
            Err(error) => self.fail(batch, error)?,
        }
        if !releases.is_empty() {
            self.release(releases).await?;
        }
        Ok(())
    }

    /// One transaction: submissions, then reports, then claims with the room that is left.
    pub(crate) async fn write(&mut self, batch: &Batch) -> Result<CommittedBatch, Error> {
        let time = Timestamp::now();
        let now = time.to_string();
        self.queue_state.lanes.advance(time);
        self.queue_state.wake_lanes(batch.ending());
        let mut plan = batch.plan(&self.queue_state, time);
        self.plan_claims(&mut plan, time, &now).await?;
        if batch.is_empty() && plan.claims.is_empty() {
            return Ok(CommittedBatch::nothing(plan, time));
        }
        let rows = batch.journal(&plan, &self.queue_state, &now);
        let histories = batch.histories();
        let changes = TxInput {
            tasks: batch.task_rows(&plan, &histories),
            once: batch.once_rows(&plan),
            links: batch.links(&plan),
            progress: batch.progress_rows(),
            notes: batch.note_rows(),
            finished: batch.finish_rows(),
            claims: plan.claims.iter().map(|claim| claim.attempt.seq).collect(),
            leases: Batch::lease_rows(&plan, time),
            starts: batch.start_rows(&plan, &self.queue_state, time),
            logs: rows.iter().map(JournalEntry::to_insert).collect(),
        };
        let begun = Instant::now();
        let commit = commit::commit(&mut self.conn, &changes, &now);
        let mut applied =
            while_answering(&mut self.questions, &self.queue_state, &self.health, commit).await?;
        self.meters.committed(begun.elapsed(), batch.len());
        if applied.claimed.len() < plan.claims.len() {
            // Another program was faster.
            self.queue_state.lanes.clear_prefetched();
        }
        self.count_claimed(&applied, time);
        plan.hand_out(&mut applied.claimed);
        let (rows, lost) = self.rows_written(rows, &applied).await;
        Ok(CommittedBatch {
            started: batch.started(&plan, applied.first_seq),
            first_seq: applied.first_seq,
            plan,
            waiting: applied.claimed,
            lost,
            committed: Committed {
                first_event: applied.first_log,
                rows,
                time,
            },
        })
    }

    /// Whether waiting tasks could start now.
    pub(crate) fn may_claim(&mut self) -> bool {
        if self.queue_state.lanes.total() == 0 {
            return false;
        }
        let now = Timestamp::now();
        self.queue_state.lanes.advance(now);
        let room = self.queue_state.capacity(std::iter::empty(), now);
        room.can_start_pending(&self.queue_state)
    }

    /// Closes the database, with the WAL copied back into it.
    async fn close(&mut self) -> Result<(), Error> {
        let mut reports = std::mem::take(&mut self.held);
        while let Ok(report) = self.reports.try_recv() {
            reports.push(report);
        }
        let submissions = Vec::new();
        self.store(Batch {
            submissions,
            reports,
        })
        .await?;
        if !self.held.is_empty() {
            tracing::error!(
                reports = self.held.len(),
                "outcomes could not be stored; their tasks run again at the next start"
            );
        }
        if let Err(error) = self.store_stats().await {
            tracing::warn!(%error, "the counts for the charts were not stored; the next start counts again");
        }
        self.counter.close().await;
        if let Some(checkpointer) = self.checkpointer.take() {
            checkpointer.stop().await;
        }
        self.is_folded = false;
        self.fold_if_lost().await;
        if let Some(lost) = self.health.lost_file() {
            return Err(Error::Unavailable(lost.what()));
        }
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&mut self.conn)
            .await?;
        Ok(())
    }

    /// IdempotencyKey a file of the database is lost, copies the WAL back into the open file, which is then whole by itself,
    /// wherever it stands by now. A WAL that is still at its path is empty after that: it would damage a
    /// file that was put in the database's place.
    async fn fold_if_lost(&mut self) {
        if self.health.lost_file().is_none() {
            self.is_folded = false;
            return;
        }
        if self.is_folded {
            return;
        }
        let conn = &mut self.conn;
        let folded = async {
            keep_log_at_close(conn).await?;
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
                .fetch_one(conn)
                .await
        };
        match folded.await {
            // 1 says that somebody still reads.
            Ok(answer) => self.is_folded = answer.get::<i64, _>(0) == 0,
            Err(error) => {
                tracing::warn!(%error, "the write-ahead log could not be copied back; it is tried again");
            }
        }
    }
}

/// Takes what has arrived, up to a batch, without waiting.
fn take_waiting<T>(inbox: &mut mpsc::Receiver<T>, taken: &mut Vec<T>) {
    while taken.len() < BATCH_MESSAGES
        && let Ok(message) = inbox.try_recv()
    {
        taken.push(message);
    }
}

async fn sleep_until_if_any(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Whether the loop goes on.
#[derive(PartialEq, Eq)]
enum Turn {
    Next,
    Last,
}

/// Appends journal rows; the first one's id (0 if there are none).
pub(crate) async fn insert_rows(
    conn: &mut SqliteConnection,
    rows: &[JournalEntry],
    now: &str,
) -> Result<i64, Error> {
    if rows.is_empty() {
        return Ok(0);
    }
    let logs: Vec<_> = rows.iter().map(JournalEntry::to_insert).collect();
    commit::insert_logs(conn, &logs, now).await
}
