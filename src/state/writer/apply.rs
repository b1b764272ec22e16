//! Applies a committed batch outside the database, in the order queue state, runner, events,
//! answers. And what becomes of a batch that could not be written.

use std::collections::HashSet;

use crate::models::{ClaimedTask, Failure, Outcome, Timestamp};
use crate::state::dispatch::lanes::head::LanePosition;
use crate::state::dispatch::lanes::lane_name::LaneName;
use crate::state::error::Error;
use crate::state::journal::entry::JournalEntry;
use crate::state::journal::events;
use crate::state::writer::batch::{Accepted, AttemptReport, Plan, WriteBatch};
use crate::state::writer::commit::TxOutput;
use crate::state::writer::core::Core;
use crate::state::writer::publish::Committed;

fn lane_of(task: &ClaimedTask) -> LaneName<'_> {
    LaneName {
        processor: &task.processor,
        key: task.concurrency_key.as_deref(),
    }
}

/// A committed batch, before it is applied.
pub(crate) struct CommittedBatch {
    pub(crate) plan: Plan,
    /// Row number of the first submission.
    pub(crate) first_seq: i64,
    /// Submissions that start at once.
    pub(crate) started: Vec<ClaimedTask>,
    /// Tasks that were PENDING before and start.
    pub(crate) waiting: Vec<ClaimedTask>,
    /// Row numbers of tasks whose reports came too late.
    pub(crate) lost: HashSet<i64>,
    pub(crate) committed: Committed,
}

impl CommittedBatch {
    pub(crate) fn nothing(plan: Plan, time: Timestamp) -> Self {
        Self {
            plan,
            first_seq: 0,
            started: Vec::new(),
            waiting: Vec::new(),
            lost: HashSet::new(),
            committed: Committed {
                first_event: 0,
                rows: Vec::new(),
                time,
            },
        }
    }
}

impl Core {
    /// Returns the journal rows that were written, and the row numbers of the tasks whose change lost its race
    /// and so was not written.
    pub(crate) async fn rows_written(
        &mut self,
        rows: Vec<JournalEntry>,
        output: &TxOutput,
    ) -> (Vec<JournalEntry>, HashSet<i64>) {
        let mut lost = HashSet::new();
        if output.logs == rows.len() as i64 {
            return (rows, lost);
        }
        let (after, upto) = (output.first_log - 1, output.first_log + output.logs - 1);
        let limit = u32::try_from(output.logs).unwrap_or(u32::MAX);
        let stored = match events::events_after(&mut self.db.conn, after, upto, limit).await {
            Ok(stored) => stored,
            Err(error) => {
                // Nothing is published that may not be true; the next look outside publishes what is.
                tracing::warn!(%error, "the journal cannot be read");
                self.db.data_version = i64::MIN;
                return (Vec::new(), lost);
            }
        };
        let mut stored = stored.iter().peekable();
        let mut written = Vec::with_capacity(rows.len());
        for row in rows {
            if stored.next_if(|event| row.is(event)).is_some() {
                written.push(row);
            } else {
                lost.extend(row.guard.map(|guard| guard.attempt.seq));
            }
        }
        (written, lost)
    }

    /// Applies a committed batch: the queue state, the runner, the events, the answers, in this order.
    pub(crate) async fn apply_committed(&mut self, batch: WriteBatch, written: CommittedBatch) {
        self.writing_works();
        let CommittedBatch {
            plan,
            first_seq,
            started,
            waiting,
            lost,
            committed,
        } = written;
        let now = committed.time;
        self.count_new(&batch, &plan, first_seq, now);
        self.count_submitted(&batch, &started, now);
        for upstream in std::mem::take(&mut self.failed_upstream) {
            self.on_finished(upstream);
        }
        let (mut finishers, mut runs) = (Vec::new(), Vec::new());
        for report in batch.reports {
            let AttemptReport::Finished { attempt, .. } = &report else {
                continue;
            };
            let (attempt, won) = (*attempt, !lost.contains(&attempt.seq));
            let freed = self.queue.remove_running(&attempt).filter(|_| won);
            runs.extend(self.count_finished(&report, freed, now));
            self.on_finished(attempt.task_id);
            if let AttemptReport::Finished { reply, .. } = report {
                finishers.extend(reply.map(|reply| (reply, won)));
            }
        }
        self.stats.count(now, runs);
        for task in &waiting {
            self.queue.lanes.start(lane_of(task), task.attempt.seq);
        }
        let mut claimed = started;
        claimed.extend(waiting);
        for task in &mut claimed {
            self.queue.add_running(task, now);
            self.count_poll(task.terms.lease);
            if task.terms.lease.is_some() {
                // The worker gets it with the answer to its poll; nothing else needs it.
                task.content = String::new();
            }
        }
        self.more_to_claim = self.may_claim();
        if let (Some(runner), false) = (&self.outbox.runner, claimed.is_empty()) {
            let runner = runner.clone();
            self.outbox.after_sync.deliver(move || {
                // The orchestrator outlives the claims it has asked for.
                let _ = runner.send(claimed);
            });
        }
        self.publish(committed).await;
        let (submissions, tasks) = (batch.submissions, plan.tasks);
        self.outbox.after_sync.deliver(move || {
            for (reply, won) in finishers {
                let _ = reply.send(won);
            }
            for (submission, (task_id, _)) in submissions.into_iter().zip(tasks) {
                submission.answer(Ok(Accepted {
                    task_id,
                    created_at: now,
                }));
            }
        });
    }

    /// Adds the new PENDING tasks to the queue state: queued, scheduled, or blocked.
    fn count_new(&mut self, batch: &WriteBatch, plan: &Plan, first_seq: i64, now: Timestamp) {
        let tasks = batch.submissions.iter().zip(&plan.tasks).zip(first_seq..);
        for ((submission, (_, slot)), seq) in tasks {
            if !submission.blockers.is_empty() {
                self.queue.blocked += 1;
                self.queue.awaited.extend(&submission.blockers);
            } else if slot.is_none() {
                let task = &submission.task;
                let place = LanePosition::new(task.priority, task.run_at.unwrap_or(now), seq);
                self.queue.lanes.add(submission.lane(), place, now);
            }
        }
    }

    /// Nothing was stored: submitters get the error, reports are held for another try.
    pub(crate) fn fail(&mut self, batch: WriteBatch, error: &Error) {
        self.note_failure(error);
        if self.db.fatal.is_some() {
            // The process stops, and every client hears that.
            return;
        }
        for submission in batch.submissions {
            submission.answer(Err(error.clone()));
        }
        if error.is_of_row() {
            for report in batch.reports {
                self.replace_refused(report, error);
            }
        } else {
            self.held.reports.extend(batch.reports);
        }
    }

    /// Replaces an outcome that the database refuses by one that it takes.
    fn replace_refused(&mut self, report: AttemptReport, error: &Error) {
        match report {
            AttemptReport::Finished {
                attempt,
                outcome: Outcome::Completed { .. },
                actor,
                reply,
            } => {
                let outcome = Outcome::Failed {
                    failure: Failure::Error,
                    error: format!("the result could not be stored: {error}"),
                };
                self.held.reports.push(AttemptReport::Finished {
                    attempt,
                    outcome,
                    actor,
                    reply,
                });
            }
            AttemptReport::Finished { attempt, .. } => {
                tracing::error!(task_id = %attempt.task_id, %error, "the outcome was refused");
                self.queue.remove_running(&attempt);
            }
            AttemptReport::Note { attempt, .. } => {
                tracing::error!(task_id = %attempt.task_id, %error, "a note was refused");
            }
            _ => {}
        }
    }
}
