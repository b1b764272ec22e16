//! What one transaction is made of, worked out before it begins. Pure.
//!
//! Submissions and reports that arrive together are written together. That is legal because nobody in
//! a batch has been answered yet: any order of them is an order in which they could have come. A
//! task that finds a free place, with nobody waiting before it, is inserted as started at once and so
//! shares its submitter's fsync.

use std::collections::HashMap;

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use uuid::Uuid;

use super::Error;
use super::journal::Row;
use super::lanes::LaneName;
use super::ledger::Ledger;
use super::room::{Room, Slot};
use super::writes::{FinishAttempt, InsertOnce, InsertTask, SetProgress};
use crate::models::{
    Again, Attempt, ClaimedTask, NewTask, Outcome, TaskId, TaskStatus, Terms, Timestamp,
};

/// A task that somebody wants accepted.
pub(super) struct Submission {
    pub task: NewTask,
    pub once: Option<Once>,
    /// Upstream tasks that have not COMPLETED; known once it is admitted.
    pub blockers: Vec<TaskId>,
    /// Nobody, for a task that is one of many that stand or fall together.
    pub reply: Option<oneshot::Sender<Result<Accepted, Error>>>,
    pub room: Option<Reservation>,
}

/// What makes a repeated request known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// The `Idempotency-Key`.
    pub key: String,
    /// SHA-256 of the request's body.
    pub body: [u8; 32],
}

impl Submission {
    /// A submission by itself.
    pub fn new(task: NewTask) -> Self {
        Self {
            task,
            once: None,
            blockers: Vec::new(),
            reply: None,
            room: None,
        }
    }

    pub fn lane(&self) -> LaneName<'_> {
        LaneName {
            processor: &self.task.processor,
            key: self.task.concurrency_key.as_deref(),
        }
    }

    /// Whether nothing but a free place is needed for it to start.
    fn is_due(&self, now: Timestamp) -> bool {
        self.blockers.is_empty() && self.task.run_at.is_none_or(|time| time <= now)
    }
}

/// A submission's share of the memory that waiting submissions may take; given back when dropped.
pub struct Reservation(
    #[expect(dead_code, reason = "held, not used")] pub(super) OwnedSemaphorePermit,
);

/// The answer to a submission: the task is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub task_id: TaskId,
    pub created_at: Timestamp,
}

/// What a running attempt says of itself.
#[derive(Debug)]
pub(super) enum Report {
    Line {
        attempt: Attempt,
        agent: String,
        line: String,
    },
    Progress {
        attempt: Attempt,
        progress: f64,
    },
    /// More of the answer.
    Output {
        attempt: Attempt,
        agent: String,
        text: String,
    },
    /// `value` (JSON) becomes `context_history.<name>`.
    Note {
        attempt: Attempt,
        name: String,
        value: String,
    },
    Finished {
        attempt: Attempt,
        outcome: Outcome,
        /// Hears, when it is stored, whether the attempt was still running.
        reply: Option<oneshot::Sender<bool>>,
    },
}

/// Submissions and reports to be written in one transaction.
#[derive(Default)]
pub(super) struct Batch {
    pub submissions: Vec<Submission>,
    pub reports: Vec<Report>,
}

/// What a batch does besides what is reported, and the room that is left for waiting tasks.
pub(super) struct Plan {
    /// One for each submission: its id, and its place if it starts at once.
    pub tasks: Vec<(TaskId, Option<Slot>)>,
    /// Attempts of waiting tasks that are to start.
    pub claims: Vec<(Attempt, Slot)>,
    pub room: Room,
}

/// Attempts whose tasks wait again; each with who waits for it.
pub(super) type Releases = Vec<(Attempt, Again, Option<oneshot::Sender<bool>>)>;

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.submissions.is_empty() && self.reports.is_empty()
    }

    pub fn len(&self) -> usize {
        self.submissions.len() + self.reports.len()
    }

    /// The batch as batches of one, in order.
    pub fn split(self) -> impl Iterator<Item = Batch> {
        let submissions = self.submissions.into_iter().map(|submission| Batch {
            submissions: vec![submission],
            reports: Vec::new(),
        });
        let reports = self.reports.into_iter().map(|report| Batch {
            submissions: Vec::new(),
            reports: vec![report],
        });
        submissions.chain(reports)
    }

    /// Decides which submissions start at once.
    pub fn plan(&self, ledger: &Ledger, now: Timestamp) -> Plan {
        let mut room = ledger.room(self.ending(), now);
        let mut tasks: Vec<_> = self
            .submissions
            .iter()
            .map(|_| (Uuid::now_v7(), None))
            .collect();
        // Whoever waits and could start comes first.
        if !room.closed && !ledger.can_start(&room, now) {
            for index in self.by_priority() {
                let submission = &self.submissions[index];
                if submission.is_due(now) {
                    tasks[index].1 = room.take(submission.lane(), submission.task.content.len());
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
    fn ending(&self) -> impl Iterator<Item = &Attempt> {
        self.reports.iter().filter_map(|report| match report {
            Report::Finished { attempt, .. } => Some(attempt),
            _ => None,
        })
    }

    fn by_priority(&self) -> Vec<usize> {
        let mut order: Vec<_> = (0..self.submissions.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(self.submissions[index].task.priority));
        order
    }

    /// The rows of the submissions; `histories` are their encoded `context_history`, where they
    /// have one.
    pub fn task_rows<'a>(
        &'a self,
        plan: &Plan,
        histories: &'a [Option<String>],
    ) -> Vec<InsertTask<'a>> {
        self.submissions
            .iter()
            .zip(&plan.tasks)
            .zip(histories)
            .map(|((submission, (id, slot)), history)| {
                let task = &submission.task;
                InsertTask {
                    id: *id,
                    content: &task.content,
                    started: slot.is_some(),
                    processor: &task.processor,
                    priority: task.priority,
                    tags: &task.tags,
                    session_id: task.session_id.as_deref(),
                    history: history.as_deref(),
                    max_attempts: task.max_attempts,
                    run_at: task.run_at,
                    timeout: task.timeout.map(|timeout| timeout.as_secs_f64()),
                    concurrency_key: task.concurrency_key.as_deref(),
                    unique_key: task.unique_key.as_deref(),
                    upstream: (!task.after.is_empty()).then_some(&task.after),
                    blocked: submission.blockers.len(),
                }
            })
            .collect()
    }

    /// Which of the new tasks wait for which others: (upstream, downstream).
    pub fn links(&self, plan: &Plan) -> Vec<(TaskId, TaskId)> {
        let tasks = self.submissions.iter().zip(&plan.tasks);
        tasks
            .flat_map(|(submission, (id, _))| {
                let blockers = submission.blockers.iter();
                blockers.map(|blocker| (*blocker, *id))
            })
            .collect()
    }

    /// The answers that are to be given again to the same request; those of many tasks at once are one
    /// answer, kept with the first of them.
    pub fn once_rows<'a>(&'a self, plan: &Plan) -> Vec<InsertOnce<'a>> {
        let keyed = self.submissions.iter().enumerate();
        keyed
            .filter_map(|(index, submission)| {
                let once = submission.once.as_ref()?;
                let parts = self.submissions[index + 1..].iter();
                let parts = parts.take_while(|part| part.reply.is_none() && part.once.is_none());
                let ids = plan.tasks[index..=index + parts.count()].iter();
                Some(InsertOnce::new(once, ids.map(|(id, _)| *id).collect()))
            })
            .collect()
    }

    /// What the clients sent besides the known fields, as `context_history`.
    pub fn histories(&self) -> Vec<Option<String>> {
        self.submissions
            .iter()
            .map(|submission| {
                let request = &submission.task.request;
                (!request.is_empty()).then(|| serde_json::json!({ "request": request }).to_string())
            })
            .collect()
    }

    /// The outcomes, all of which make a task final: releases have been taken out.
    pub fn finish_rows(&self) -> Vec<FinishAttempt<'_>> {
        self.reports
            .iter()
            .filter_map(|report| match report {
                Report::Finished {
                    attempt, outcome, ..
                } => finish_row(attempt, outcome),
                _ => None,
            })
            .collect()
    }

    /// Takes the attempts out whose tasks wait again.
    pub fn take_releases(&mut self) -> Releases {
        let is_release = |report: &mut Report| {
            matches!(
                report,
                Report::Finished {
                    outcome: Outcome::Again(_),
                    ..
                }
            )
        };
        self.reports
            .extract_if(.., is_release)
            .filter_map(|report| match report {
                Report::Finished {
                    attempt,
                    outcome: Outcome::Again(again),
                    reply,
                } => Some((attempt, again, reply)),
                _ => None,
            })
            .collect()
    }

    /// Takes the notes out: (attempt, name, value).
    pub fn take_notes(&mut self) -> Vec<(Attempt, String, String)> {
        let is_note = |report: &mut Report| matches!(report, Report::Note { .. });
        self.reports
            .extract_if(.., is_note)
            .filter_map(|report| match report {
                Report::Note {
                    attempt,
                    name,
                    value,
                } => Some((attempt, name, value)),
                _ => None,
            })
            .collect()
    }

    /// The last progress of each attempt in this batch.
    pub fn progress_rows(&self) -> Vec<SetProgress> {
        let mut last = HashMap::new();
        for report in &self.reports {
            if let Report::Progress { attempt, progress } = report {
                last.insert(attempt, progress);
            }
        }
        last.into_iter()
            .map(|(attempt, progress)| SetProgress(attempt.seq, attempt.number, *progress))
            .collect()
    }

    /// The journal of the batch, in the order in which its changes are told: what was accepted, what
    /// was reported, what starts.
    pub fn journal(&self, plan: &Plan, ledger: &Ledger, now: &str) -> Vec<Row> {
        let created = self.submissions.iter().zip(&plan.tasks);
        let mut rows: Vec<_> = created
            .map(|(submission, (id, _))| Row::created(*id, &submission.task, now))
            .collect();
        // What is said is told while its attempt holds a place.
        let told = self.reports.iter().filter(|report| match report {
            Report::Line { attempt, .. }
            | Report::Progress { attempt, .. }
            | Report::Output { attempt, .. } => ledger.is_running(attempt),
            Report::Note { .. } => false,
            Report::Finished { .. } => true,
        });
        rows.extend(told.filter_map(|report| report_row(report, now)));
        let at_once = plan.tasks.iter().filter(|(_, slot)| slot.is_some());
        rows.extend(at_once.map(|(id, _)| Row::started(*id, 1, now)));
        rows.extend(plan.claims.iter().map(|(attempt, _)| {
            Row::started(attempt.task_id, attempt.number, now)
                .if_reached(*attempt, TaskStatus::Processing)
        }));
        rows
    }

    /// The submissions that start at once, as their executors get them; `first_seq` is the row number
    /// of the first submission.
    pub fn started(&self, plan: &Plan, first_seq: i64) -> Vec<ClaimedTask> {
        self.submissions
            .iter()
            .zip(&plan.tasks)
            .enumerate()
            .filter_map(|(index, (submission, (task_id, slot)))| {
                let task = &submission.task;
                Some(ClaimedTask {
                    attempt: Attempt {
                        seq: first_seq + index as i64,
                        task_id: *task_id,
                        number: 1,
                    },
                    content: task.content.clone(),
                    processor: task.processor.clone(),
                    concurrency_key: task.concurrency_key.clone(),
                    terms: Terms {
                        max_attempts: task.max_attempts,
                        uncounted: 0,
                        timeout: task.timeout,
                        has_upstream: !task.after.is_empty(),
                        offer: (*slot)?.offer,
                    },
                })
            })
            .collect()
    }
}

fn finish_row<'a>(attempt: &Attempt, outcome: &'a Outcome) -> Option<FinishAttempt<'a>> {
    let (seq, number) = (attempt.seq, attempt.number);
    match outcome {
        Outcome::Completed { result } => Some(FinishAttempt(
            seq,
            number,
            TaskStatus::Completed.as_str(),
            Some(result),
            None,
            None,
        )),
        Outcome::Failed { failure, error } => Some(FinishAttempt(
            seq,
            number,
            TaskStatus::Failed.as_str(),
            None,
            Some(failure.as_str()),
            Some(error),
        )),
        Outcome::Again(_) => None,
    }
}

fn report_row(report: &Report, now: &str) -> Option<Row> {
    match report {
        Report::Line {
            attempt,
            agent,
            line,
        } => Some(Row::line(attempt.task_id, agent.clone(), line.clone())),
        Report::Output {
            attempt,
            agent,
            text,
        } => Some(Row::output(attempt.task_id, agent.clone(), text)),
        Report::Progress { attempt, progress } => Some(Row::progress(attempt.task_id, *progress)),
        Report::Note { .. } => None,
        Report::Finished {
            attempt, outcome, ..
        } => {
            let (row, status) = match outcome {
                Outcome::Completed { result } => (
                    Row::completed(attempt.task_id, result, now),
                    TaskStatus::Completed,
                ),
                Outcome::Failed { failure, error } => (
                    Row::failed(attempt.task_id, *failure, error, now),
                    TaskStatus::Failed,
                ),
                // Taken out before.
                Outcome::Again(_) => return None,
            };
            Some(row.if_reached(*attempt, status))
        }
    }
}
