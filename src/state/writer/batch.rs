//! The contents of one transaction, decided before it begins. Pure.
//!
//! Submissions and reports that arrive together are written together. That is legal because nobody in
//! a batch has been answered yet: any order of them is an order in which they could have come. A
//! task that finds a free slot, with no ready task before it, is inserted as started and so
//! shares its submitter's fsync.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use uuid::Uuid;

use crate::models::{Attempt, NewTask, Outcome, Reschedule, TaskId, Timestamp};
use crate::state::dispatch::capacity::{Capacity, ReservedSlot};
use crate::state::dispatch::lanes::lane_name::LaneName;
use crate::state::dispatch::lanes::lane_name::OwnedLane;
use crate::state::dispatch::queue_state::QueueState;
use crate::state::error::Error;
use crate::terminal::OutputLine;

/// A task to accept.
pub(crate) struct Submission {
    pub(crate) task: NewTask,
    pub(crate) once: Option<IdempotencyKey>,
    /// Upstream tasks that have not COMPLETED; the preconditions find them.
    pub(crate) blockers: Vec<TaskId>,
    /// `None` for a task that is stored together with others or not at all.
    pub(crate) reply: Option<oneshot::Sender<Result<Accepted, Error>>>,
    pub(crate) room: Option<Reservation>,
}

/// Identifies a repeated request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdempotencyKey {
    /// The `Idempotency-Key`.
    pub(crate) key: String,
    /// SHA-256 of the request's body.
    pub(crate) body: [u8; 32],
}

impl Submission {
    /// A submission that nobody waits for.
    pub(crate) fn new(task: NewTask) -> Self {
        Self {
            task,
            once: None,
            blockers: Vec::new(),
            reply: None,
            room: None,
        }
    }

    pub(crate) fn lane(&self) -> LaneName<'_> {
        LaneName {
            processor: &self.task.processor,
            key: self.task.concurrency_key.as_deref(),
        }
    }

    /// Whether it is ready: it needs nothing but a free slot.
    fn is_due(&self, now: Timestamp) -> bool {
        self.blockers.is_empty() && self.task.run_at.is_none_or(|time| time <= now)
    }
}

/// A submission's share of the memory for submissions that wait for the Writer; released when dropped.
pub(crate) struct Reservation(
    #[expect(dead_code, reason = "held, not used")] pub(crate) OwnedSemaphorePermit,
);

/// The answer to a submission: the task is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) task_id: TaskId,
    pub(crate) created_at: Timestamp,
}

/// What a running attempt reports.
#[derive(Debug)]
pub(crate) enum AttemptReport {
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
    /// `value` (JSON) becomes `context_history.<name>`. A processor notes under one name.
    Note {
        attempt: Attempt,
        name: String,
        value: String,
    },
    Finished {
        attempt: Attempt,
        outcome: Outcome,
        /// The actor who asked for this end.
        actor: Option<Arc<str>>,
        /// Gets, when the end is stored, whether the attempt was still running.
        reply: Option<oneshot::Sender<bool>>,
    },
}

/// Submissions and reports to be written in one transaction.
#[derive(Default)]
pub(crate) struct WriteBatch {
    pub(crate) submissions: Vec<Submission>,
    pub(crate) reports: Vec<AttemptReport>,
}

/// What starts with a batch, and the capacity that is left.
pub(crate) struct Plan {
    /// One for each submission: its id, and its slot if it starts at once.
    pub(crate) tasks: Vec<(TaskId, Option<ReservedSlot>)>,
    /// PENDING tasks that start.
    pub(crate) claims: Vec<PlannedClaim>,
    pub(crate) room: Capacity,
}

/// A PENDING task that starts.
pub(crate) struct PlannedClaim {
    pub(crate) attempt: Attempt,
    pub(crate) slot: ReservedSlot,
    /// Its lane, if a rate counts its start.
    pub(crate) rated: Option<OwnedLane>,
}

/// Attempts whose tasks become PENDING again; each with the sender to answer.
pub(crate) type Reschedules = Vec<(Attempt, Reschedule, Option<oneshot::Sender<bool>>)>;

impl WriteBatch {
    pub(crate) fn is_empty(&self) -> bool {
        self.submissions.is_empty() && self.reports.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.submissions.len() + self.reports.len()
    }

    /// Splits the batch into batches of one, in order.
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

    /// Decides which submissions start at once. The queue state's lanes must have been advanced to `now`.
    pub(crate) fn plan(&self, queue_state: &QueueState, now: Timestamp) -> Plan {
        let mut room = queue_state.capacity(self.ending(), now);
        let mut tasks: Vec<_> = self
            .submissions
            .iter()
            .map(|_| (Uuid::now_v7(), None))
            .collect();
        // Tasks that are ready already come first.
        if !room.halted && !room.can_start_pending(queue_state) {
            for index in self.by_priority() {
                let submission = &self.submissions[index];
                if submission.is_due(now) {
                    let bytes = submission.task.content.len();
                    tasks[index].1 = room.reserve(queue_state, submission.lane(), bytes);
                }
            }
        }
        Plan {
            tasks,
            claims: Vec::new(),
            room,
        }
    }

    /// Attempts that end with this batch.
    pub(crate) fn ending(&self) -> impl Iterator<Item = &Attempt> {
        self.reports.iter().filter_map(|report| match report {
            AttemptReport::Finished { attempt, .. } => Some(attempt),
            _ => None,
        })
    }

    fn by_priority(&self) -> Vec<usize> {
        let mut order: Vec<_> = (0..self.submissions.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(self.submissions[index].task.priority));
        order
    }

    /// Takes out the attempts whose tasks become PENDING again.
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

    /// Takes out the live lines, and drops those that the batch has outdated: by the next live line of their
    /// attempt, by the line that replaces them, or by its end.
    pub(crate) fn take_live_lines(&mut self) -> Vec<(Attempt, String, OutputLine)> {
        let is_live = |report: &AttemptReport| matches!(report, AttemptReport::LiveLine { .. });
        if !self.reports.iter().any(is_live) {
            return Vec::new();
        }
        let mut shown: Vec<(Attempt, String, OutputLine)> = Vec::new();
        let mut kept = Vec::with_capacity(self.reports.len());
        for report in std::mem::take(&mut self.reports) {
            let newer = match &report {
                AttemptReport::LiveLine { attempt, .. }
                | AttemptReport::Finished { attempt, .. } => Some(attempt),
                AttemptReport::Line { attempt, line, .. } if line.replaces => Some(attempt),
                _ => None,
            };
            if let Some(newer) = newer {
                shown.retain(|(attempt, ..)| attempt != newer);
            }
            match report {
                AttemptReport::LiveLine {
                    attempt,
                    agent,
                    line,
                } => shown.push((attempt, agent, line)),
                report => kept.push(report),
            }
        }
        self.reports = kept;
        shown
    }
}
