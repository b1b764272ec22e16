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
use super::ledger::{Ledger, Room};
use super::writes::{FinishAttempt, InsertTask, SetProgress};
use crate::models::{Attempt, ClaimedTask, NewTask, Outcome, TaskId, TaskStatus, Timestamp};

/// A task that somebody wants accepted.
pub(super) struct Submission {
    pub task: NewTask,
    pub reply: oneshot::Sender<Result<Accepted, Error>>,
    pub room: Reservation,
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
    /// One for each submission: its id, and whether it starts at once.
    pub tasks: Vec<(TaskId, bool)>,
    /// Attempts of waiting tasks that are to start.
    pub claims: Vec<Attempt>,
    pub room: Room,
}

/// Attempts given back to the queue; each with who waits for it.
pub(super) type Releases = Vec<(Attempt, Option<oneshot::Sender<bool>>)>;

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
    pub fn plan(&self, ledger: &Ledger) -> Plan {
        let mut room = ledger.room(self.ending());
        let mut tasks: Vec<_> = self
            .submissions
            .iter()
            .map(|_| (Uuid::now_v7(), false))
            .collect();
        // Whoever waits and could start comes first.
        let overtakes_nobody = ledger.startable(&room).next().is_none();
        if overtakes_nobody {
            for index in self.by_priority() {
                let task = &self.submissions[index].task;
                tasks[index].1 = room.take(&task.processor, task.content.len());
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
            Report::Line { .. } | Report::Progress { .. } => None,
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
            .map(|((Submission { task, .. }, &(id, started)), history)| {
                InsertTask(
                    id,
                    &task.content,
                    started,
                    &task.processor,
                    task.priority,
                    &task.tags,
                    task.session_id.as_deref(),
                    history.as_deref(),
                )
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
                Report::Line { .. } | Report::Progress { .. } => None,
            })
            .collect()
    }

    /// Takes the attempts out that are given back to the queue.
    pub fn take_releases(&mut self) -> Releases {
        let is_release = |report: &mut Report| {
            matches!(
                report,
                Report::Finished {
                    outcome: Outcome::Released,
                    ..
                }
            )
        };
        self.reports
            .extract_if(.., is_release)
            .filter_map(|report| match report {
                Report::Finished { attempt, reply, .. } => Some((attempt, reply)),
                Report::Line { .. } | Report::Progress { .. } => None,
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
        // Lines and progress are told while their attempt holds a place.
        let told = self.reports.iter().filter(|report| match report {
            Report::Line { attempt, .. } | Report::Progress { attempt, .. } => {
                ledger.is_running(attempt)
            }
            Report::Finished { .. } => true,
        });
        rows.extend(told.map(|report| report_row(report, now)));
        let at_once = plan.tasks.iter().filter(|(_, started)| *started);
        rows.extend(at_once.map(|(id, _)| Row::started(*id, 1, now)));
        rows.extend(plan.claims.iter().map(|attempt| {
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
            .filter(|(_, (_, (_, started)))| *started)
            .map(|(index, (submission, &(task_id, _)))| ClaimedTask {
                attempt: Attempt {
                    seq: first_seq + index as i64,
                    task_id,
                    number: 1,
                },
                content: submission.task.content.clone(),
                processor: submission.task.processor.clone(),
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
        Outcome::Released => None,
    }
}

fn report_row(report: &Report, now: &str) -> Row {
    match report {
        Report::Line {
            attempt,
            agent,
            line,
        } => Row::line(attempt.task_id, agent.clone(), line.clone()),
        Report::Progress { attempt, progress } => Row::progress(attempt.task_id, *progress),
        Report::Finished {
            attempt, outcome, ..
        } => {
            let status = match outcome {
                Outcome::Completed { .. } => TaskStatus::Completed,
                Outcome::Failed { .. } => TaskStatus::Failed,
                Outcome::Released => TaskStatus::Pending,
            };
            Row::finished(*attempt, outcome, now).if_reached(*attempt, status)
        }
    }
}
