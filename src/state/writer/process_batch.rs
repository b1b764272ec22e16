//! Processes a batch up to the commit: preconditions, plan, claims, rows, commit. Then `apply` takes over.

use tokio::time::Instant;

use crate::models::Timestamp;
use crate::state::db::tx;
use crate::state::error::Error;
use crate::state::journal::entry::JournalEntry;
use crate::state::writer::apply::CommittedBatch;
use crate::state::writer::batch::WriteBatch;
use crate::state::writer::commit::{ClaimTask, TxInput, TxOutput};
use crate::state::writer::core::Core;
use crate::state::writer::publish::Committed;
use crate::state::writer::questions::while_answering;

impl Core {
    /// Writes a batch, applies and publishes it. A batch that the database refuses is replayed one by one, so
    /// that only the guilty one is refused.
    pub(crate) async fn process_batch(&mut self, mut batch: WriteBatch) {
        let reschedules = batch.take_reschedules();
        self.check_preconditions(&mut batch).await;
        match self.write(&batch).await {
            Ok(written) => self.apply_committed(batch, written).await,
            Err(error) if error.is_of_row() && batch.len() > 1 => {
                self.replay_one_by_one(batch).await;
            }
            Err(error) => self.fail(batch, &error),
        }
        if !reschedules.is_empty() {
            self.reschedule(reschedules).await;
        }
    }

    async fn replay_one_by_one(&mut self, batch: WriteBatch) {
        let mut singles = batch.split();
        while let Some(single) = singles.next() {
            match self.write(&single).await {
                Ok(written) => self.apply_committed(single, written).await,
                Err(error) => {
                    let is_of_row = error.is_of_row();
                    self.fail(single, &error);
                    if !is_of_row {
                        // The rest keeps its order, for another try.
                        singles.for_each(|rest| self.fail(rest, &error));
                        return;
                    }
                }
            }
        }
    }

    /// One transaction: submissions, then reports, then claims with the capacity that is left.
    pub(crate) async fn write(&mut self, batch: &WriteBatch) -> Result<CommittedBatch, Error> {
        self.refuse_if_unwritable()?;
        let time = Timestamp::now();
        let now = time.to_string();
        self.queue.lanes.advance(time);
        self.queue.wake_lanes(batch.ending());
        let mut plan = batch.plan(&self.queue, time);
        self.plan_claims(&mut plan, time, &now).await?;
        if batch.is_empty() && plan.claims.is_empty() {
            return Ok(CommittedBatch::nothing(plan, time));
        }
        let rows = batch.journal(&plan, &self.queue, &now);
        let histories = batch.histories();
        let claims = plan.claims.iter().map(|claim| ClaimTask(claim.attempt.seq));
        let claims = claims.collect();
        let input = TxInput {
            tasks: batch.task_rows(&plan, &histories)?,
            stored_replies: batch.stored_reply_rows(&plan)?,
            edges: batch.dependency_edges(&plan),
            progress: batch.progress_rows(),
            notes: batch.note_rows(),
            finished: batch.finish_rows(),
            claims,
            leases: WriteBatch::lease_rows(&plan, time),
            starts: batch.start_rows(&plan, &self.queue, time),
            logs: rows.iter().map(JournalEntry::to_insert).collect(),
        };
        let begun = Instant::now();
        self.begin_batch().await?;
        let mut output = self.commit_batch(&input, &now)?;
        self.outbox.after_sync.committed();
        self.meters.committed(begun.elapsed(), batch.len());
        if output.claimed.len() < plan.claims.len() {
            // Another program was faster.
            self.queue.lanes.clear_prefetched();
        }
        self.count_claimed(&output, time);
        plan.hand_out(&mut output.claimed);
        let (rows, lost) = self.rows_written(rows, &output).await;
        Ok(CommittedBatch {
            started: batch.started(&plan, output.first_seq),
            first_seq: output.first_seq,
            plan,
            waiting: output.claimed,
            lost,
            committed: Committed {
                first_event: output.first_log,
                rows,
                time,
            },
        })
    }

    /// Begins the transaction of a batch, and answers questions while another program is writing.
    async fn begin_batch(&mut self) -> Result<(), Error> {
        if self.db.statements.begin()? {
            return Ok(());
        }
        let begin = tx::begin(&mut self.db.conn);
        while_answering(&mut self.questions, &self.queue, &self.db.health, begin).await
    }

    /// Writes and commits a batch.
    fn commit_batch(&mut self, input: &TxInput<'_>, now: &str) -> Result<TxOutput, Error> {
        let _writing = self.db.health.write();
        self.db.statements.commit(input, now)
    }

    /// Whether pending tasks could start at this moment.
    pub(crate) fn may_claim(&mut self) -> bool {
        if self.queue.lanes.total() == 0 {
            return false;
        }
        let now = Timestamp::now();
        self.queue.lanes.advance(now);
        let room = self.queue.capacity(std::iter::empty(), now);
        room.can_start_pending(&self.queue)
    }
}
