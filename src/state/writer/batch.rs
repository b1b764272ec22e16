//! [`WriteBatch`]: the submissions and reports of one transaction; [`Plan`]: which tasks start with it. Pure.
//!
//! The Writer writes everything together that arrives together. Any order inside a batch is correct, because no client
//! in it has an answer yet. A new task that finds a free slot, with no ready task before it, is inserted as started. So
//! its start needs no transaction of its own.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use uuid::Uuid;

use crate::models::{Attempt, IdempotencyKey, NewTask, Outcome, Reschedule, TaskId, Timestamp};
use crate::state::dispatch::capacity::{Capacity, ReservedSlot};
use crate::state::dispatch::lanes::lane_name::LaneName;
use crate::state::dispatch::lanes::lane_name::OwnedLane;
use crate::state::dispatch::queue_state::QueueState;
use crate::state::error::Error;
use crate::terminal::OutputLine;

/// A task to accept.
pub(crate) struct Submission {
    pub(crate) task: NewTask,
    pub(crate) idempotency_key: Option<IdempotencyKey>,
    /// Dependencies that have not COMPLETED. The preconditions set them.
    pub(crate) blockers: Vec<TaskId>,
    /// `None` if the task is a part of a request for several tasks, which has one reply.
    pub(crate) reply: Option<oneshot::Sender<Result<Accepted, Error>>>,
    pub(crate) reservation: Option<Reservation>,
}

impl Submission {
    /// Returns a submission without a reply channel.
    pub(crate) fn new(task: NewTask) -> Self {
        Self {
            task,
            idempotency_key: None,
            blockers: Vec::new(),
            reply: None,
            reservation: None,
        }
    }

    /// Returns the lane of the task.
    pub(crate) fn lane(&self) -> LaneName<'_> {
        LaneName {
            processor: &self.task.processor,
            key: self.task.concurrency_key.as_deref(),
        }
    }

    /// Returns whether the task is ready: it needs only a free slot.
    fn is_ready(&self, now: Timestamp) -> bool {
        self.blockers.is_empty() && self.task.run_at.is_none_or(|time| time <= now)
    }
}

/// A submission's share of the memory for submissions that the Writer has not processed; released when dropped.
pub(crate) struct Reservation(
    #[expect(dead_code, reason = "held, not used")] pub(crate) OwnedSemaphorePermit,
);

/// The answer to a submission. The task is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) task_id: TaskId,
    pub(crate) created_at: Timestamp,
}

/// A report of a running attempt.
#[derive(Debug)]
pub(crate) enum AttemptReport {
    /// A line for the task's log.
    Line {
        attempt: Attempt,
        agent: String,
        line: OutputLine,
    },
    /// An unfinished output line. It is published and not stored.
    LiveLine {
        attempt: Attempt,
        agent: String,
        line: OutputLine,
    },
    Progress {
        attempt: Attempt,
        progress: f64,
    },
    /// The next part of the answer.
    Output {
        attempt: Attempt,
        agent: String,
        text: String,
    },
    /// A note: `value` (JSON) becomes `context_history.<name>`. Each processor uses one name.
    Note {
        attempt: Attempt,
        name: String,
        value: String,
    },
    /// The end of the attempt.
    Finished {
        attempt: Attempt,
        outcome: Outcome,
        /// The actor who cancelled or ended it.
        actor: Option<Arc<str>>,
        /// Receives, when the end is stored, whether the attempt was still running.
        reply: Option<oneshot::Sender<bool>>,
    },
}

/// Submissions and reports for one transaction.
#[derive(Default)]
pub(crate) struct WriteBatch {
    pub(crate) submissions: Vec<Submission>,
    pub(crate) reports: Vec<AttemptReport>,
}

/// The tasks that start with a batch, and the capacity that is left.
pub(crate) struct Plan {
    /// For each submission: the id of its task, and its slot if it starts at once.
    pub(crate) tasks: Vec<(TaskId, Option<ReservedSlot>)>,
    /// PENDING tasks that start.
    pub(crate) claims: Vec<PlannedClaim>,
    pub(crate) capacity: Capacity,
}

/// A PENDING task that starts.
pub(crate) struct PlannedClaim {
    pub(crate) attempt: Attempt,
    pub(crate) slot: ReservedSlot,
    /// Its lane, if a rate limit counts its start.
    pub(crate) rated: Option<OwnedLane>,
}

/// Attempts whose tasks become PENDING again, each with the sender for its answer.
pub(crate) type Reschedules = Vec<(Attempt, Reschedule, Option<oneshot::Sender<bool>>)>;

impl WriteBatch {
    pub(crate) fn is_empty(&self) -> bool {
        self.submissions.is_empty() && self.reports.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.submissions.len() + self.reports.len()
    }

    /// Splits the batch into batches of one item, in order.
    pub(crate) fn split(self) -> impl Iterator<Item = WriteBatch> {
        let submissions = self.submissions.into_iter().map(|submission| WriteBatch {
            submissions: vec![submission],
            reports: Vec::new(),
        });
        let reports = self.reports.into_iter().map(|report| WriteBatch {
            submissions: Vec::new(),
            reports: vec![report],
        });
        submissions.chain(reports)
    }

    /// Returns the plan: which submissions start at once. The queue state's lanes must have been advanced to `now`.
    pub(crate) fn plan(&self, queue_state: &QueueState, now: Timestamp) -> Plan {
        let mut capacity = queue_state.capacity(self.ending(), now);
        let mut tasks: Vec<_> = self
            .submissions
            .iter()
            .map(|_| (Uuid::now_v7(), None))
            .collect();
        // Ready tasks in the database start before new ones.
        if !capacity.halted && !capacity.can_start_pending(queue_state) {
            for index in self.by_priority() {
                let submission = &self.submissions[index];
                if submission.is_ready(now) {
                    let bytes = submission.task.content.len();
                    tasks[index].1 = capacity.reserve(queue_state, submission.lane(), bytes);
                }
            }
        }
        Plan {
            tasks,
            claims: Vec::new(),
            capacity,
        }
    }

    /// Returns the attempts that end with this batch.
    pub(crate) fn ending(&self) -> impl Iterator<Item = &Attempt> {
        self.reports.iter().filter_map(|report| match report {
            AttemptReport::Finished { attempt, .. } => Some(attempt),
            _ => None,
        })
    }

    /// Returns the indexes of the submissions, the most urgent first.
    fn by_priority(&self) -> Vec<usize> {
        let mut order: Vec<_> = (0..self.submissions.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(self.submissions[index].task.priority));
        order
    }

    /// Removes and returns the attempts whose tasks become PENDING again.
    pub(crate) fn take_reschedules(&mut self) -> Reschedules {
        let is_reschedule = |report: &mut AttemptReport| {
            matches!(
                report,
                AttemptReport::Finished {
                    outcome: Outcome::Reschedule(_),
                    ..
                }
            )
        };
        self.reports
            .extract_if(.., is_reschedule)
            .filter_map(|report| match report {
                AttemptReport::Finished {
                    attempt,
                    outcome: Outcome::Reschedule(again),
                    reply,
                    ..
                } => Some((attempt, again, reply)),
                _ => None,
            })
            .collect()
    }

    /// Removes and returns the live lines. Drops outdated ones: the batch holds a later live line of the attempt, a line
    /// that replaces it, or the attempt's end.
    pub(crate) fn take_live_lines(&mut self) -> Vec<(Attempt, String, OutputLine)> {
        let is_live = |report: &AttemptReport| matches!(report, AttemptReport::LiveLine { .. });
        if !self.reports.iter().any(is_live) {
            return Vec::new();
        }
        let mut live: Vec<(Attempt, String, OutputLine)> = Vec::new();
        let mut kept = Vec::with_capacity(self.reports.len());
        for report in std::mem::take(&mut self.reports) {
            let outdated = match &report {
                AttemptReport::LiveLine { attempt, .. }
                | AttemptReport::Finished { attempt, .. } => Some(attempt),
                AttemptReport::Line { attempt, line, .. } if line.replaces => Some(attempt),
                _ => None,
            };
            if let Some(outdated) = outdated {
                live.retain(|(attempt, ..)| attempt != outdated);
            }
            match report {
                AttemptReport::LiveLine {
                    attempt,
                    agent,
                    line,
                } => live.push((attempt, agent, line)),
                report => kept.push(report),
            }
        }
        self.reports = kept;
        live
    }
}
