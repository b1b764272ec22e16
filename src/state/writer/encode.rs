//! Encodes a batch and its plan as the rows of one transaction, and as the claimed tasks for the runner. Pure.

use std::collections::HashMap;

use serde::Serialize;

use crate::models::{Attempt, ClaimedTask, Outcome, TaskStatus, Terms, Timestamp, TraceContext};
use crate::state::dispatch::lanes::lane_name::LaneName;
use crate::state::dispatch::queue_state::QueueState;
use crate::state::journal::entry::JournalEntry;
use crate::state::writer::batch::{AttemptReport, Plan, PlannedClaim, WriteBatch};
use crate::state::writer::commit::{
    FinishAttempt, InsertEdge, InsertStart, InsertStoredReply, InsertTask, SetLease, SetNote,
    SetProgress,
};

impl WriteBatch {
    /// Returns the `tasks` rows of the submissions. `histories` holds the result of [`Self::histories`].
    pub(crate) fn task_rows<'a>(
        &'a self,
        plan: &Plan,
        histories: &'a [Option<String>],
    ) -> Result<Vec<InsertTask<'a>>, serde_json::Error> {
        self.submissions
            .iter()
            .zip(&plan.tasks)
            .zip(histories)
            .map(|((submission, (id, slot)), history)| {
                let task = &submission.task;
                Ok(InsertTask {
                    id: (*id).into(),
                    content: &task.content,
                    started: slot.is_some(),
                    processor: &task.processor,
                    priority: task.priority,
                    tags: json_unless_empty(&task.tags)?,
                    session_id: task.session_id.as_deref(),
                    history: history.as_deref(),
                    max_attempts: task.max_attempts,
                    run_at: task.run_at.map(|time| time.to_string()),
                    timeout: task.timeout.map(|timeout| timeout.as_secs_f64()),
                    concurrency_key: task.concurrency_key.as_deref(),
                    unique_key: task.unique_key.as_deref(),
                    upstream: json_unless_empty(&task.after)?,
                    blocked: submission.blockers.len() as i64,
                })
            })
            .collect()
    }

    /// Returns the edges from the dependencies to the new tasks.
    pub(crate) fn dependency_edges(&self, plan: &Plan) -> Vec<InsertEdge> {
        let tasks = self.submissions.iter().zip(&plan.tasks);
        tasks
            .flat_map(|(submission, (id, _))| {
                let upstream = submission.task.after.iter();
                upstream.map(|upstream| {
                    let blocks = submission.blockers.contains(upstream);
                    InsertEdge::new(*upstream, *id, blocks)
                })
            })
            .collect()
    }

    /// Returns the answers to store under idempotency keys. A request for several tasks has one answer; the first task
    /// holds its key.
    pub(crate) fn stored_reply_rows(
        &self,
        plan: &Plan,
    ) -> Result<Vec<InsertStoredReply<'_>>, serde_json::Error> {
        let keyed = self.submissions.iter().enumerate();
        keyed
            .filter_map(|(index, submission)| {
                let key = submission.idempotency_key.as_ref()?;
                let parts = self.submissions[index + 1..].iter();
                let parts =
                    parts.take_while(|part| part.reply.is_none() && part.idempotency_key.is_none());
                let ids = plan.tasks[index..=index + parts.count()].iter();
                let ids: Vec<_> = ids.map(|(id, _)| *id).collect();
                Some(InsertStoredReply::new(key, &ids))
            })
            .collect()
    }

    /// Returns the `context_history` of each submission: the unknown fields of the request, and its trace. `None` if both
    /// are missing.
    pub(crate) fn histories(&self) -> Vec<Option<String>> {
        let tasks = self.submissions.iter().map(|submission| &submission.task);
        tasks
            .map(|task| match (task.request.is_empty(), &task.trace) {
                (true, None) => None,
                (is_empty, trace) => Some(history(
                    (!is_empty).then_some(task.request.as_str()),
                    trace.as_ref(),
                )),
            })
            .collect()
    }

    /// Returns the ends of attempts. Each makes a task final, because [`Self::take_reschedules`] has removed the others.
    pub(crate) fn finish_rows(&self) -> Vec<FinishAttempt<'_>> {
        self.reports
            .iter()
            .filter_map(|report| match report {
                AttemptReport::Finished {
                    attempt, outcome, ..
                } => finish_row(attempt, outcome),
                _ => None,
            })
            .collect()
    }

    /// Returns the last progress of each attempt in this batch.
    pub(crate) fn progress_rows(&self) -> Vec<SetProgress> {
        let mut last = HashMap::new();
        for report in &self.reports {
            if let AttemptReport::Progress { attempt, progress } = report {
                last.insert(attempt, progress);
            }
        }
        last.into_iter()
            .map(|(attempt, progress)| SetProgress {
                seq: attempt.seq,
                attempt: attempt.number,
                progress: *progress,
            })
            .collect()
    }

    /// Returns the last note of each attempt. Each processor uses one name.
    pub(crate) fn note_rows(&self) -> Vec<SetNote<'_>> {
        let mut last = HashMap::new();
        for report in &self.reports {
            if let AttemptReport::Note {
                attempt,
                name,
                value,
            } = report
            {
                last.insert(attempt, (name, value));
            }
        }
        last.into_iter()
            .map(|(attempt, (name, value))| SetNote {
                seq: attempt.seq,
                attempt: attempt.number,
                path: format!("$.{name:?}"),
                value,
            })
            .collect()
    }

    /// Returns the journal entries of the batch in the order of their events: submissions, reports, starts.
    pub(crate) fn journal(
        &self,
        plan: &Plan,
        queue_state: &QueueState,
        now: &str,
    ) -> Vec<JournalEntry> {
        let created = self.submissions.iter().zip(&plan.tasks);
        let mut rows: Vec<_> = created
            .map(|(submission, (id, _))| JournalEntry::created(*id, &submission.task, now))
            .collect();
        // Output of an attempt that has ended is dropped.
        let reported = self.reports.iter().filter(|report| match report {
            AttemptReport::Line { attempt, .. }
            | AttemptReport::Progress { attempt, .. }
            | AttemptReport::Output { attempt, .. } => queue_state.is_running(attempt),
            AttemptReport::Note { .. } | AttemptReport::LiveLine { .. } => false,
            AttemptReport::Finished { .. } => true,
        });
        rows.extend(reported.filter_map(|report| report_row(report, now)));
        let at_once = plan.tasks.iter().filter(|(_, slot)| slot.is_some());
        rows.extend(at_once.map(|(id, _)| JournalEntry::started(*id, 1, now)));
        rows.extend(plan.claims.iter().map(|PlannedClaim { attempt, .. }| {
            JournalEntry::started(attempt.task_id, attempt.number, now)
                .if_reached(*attempt, TaskStatus::Processing)
        }));
        rows
    }

    /// Returns the starts that rate limits count, each with the time until which it counts.
    pub(crate) fn start_rows<'a>(
        &'a self,
        plan: &'a Plan,
        queue_state: &QueueState,
        now: Timestamp,
    ) -> Vec<InsertStart<'a>> {
        let submissions = self.submissions.iter().zip(&plan.tasks);
        let at_once = submissions.filter(|(_, (_, slot))| slot.is_some());
        let at_once = at_once.map(|(submission, (id, _))| (submission.lane(), *id, 1, None));
        let claimed = plan.claims.iter().filter_map(|claim| {
            let (processor, key) = claim.rated.as_ref()?;
            let key = key.as_deref();
            let Attempt {
                seq,
                task_id,
                number,
            } = claim.attempt;
            Some((LaneName { processor, key }, task_id, number, Some(seq)))
        });
        at_once
            .chain(claimed)
            .filter_map(|(lane, task_id, attempt, seq)| {
                let until = now.after(queue_state.limits().period(lane)?);
                let lane = (lane.processor, lane.key);
                Some(InsertStart::new(until, (task_id, attempt), lane, seq))
            })
            .collect()
    }

    /// Returns the leases of the attempts that start on outside workers.
    pub(crate) fn lease_rows(plan: &Plan, now: Timestamp) -> Vec<SetLease> {
        let at_once = plan.tasks.iter();
        let at_once = at_once.filter_map(|(id, slot)| Some((*id, 1, (*slot)?.lease?)));
        let claimed = plan.claims.iter().filter_map(|claim| {
            let Attempt {
                task_id, number, ..
            } = claim.attempt;
            Some((task_id, number, claim.slot.lease?))
        });
        at_once
            .chain(claimed)
            .map(|(task_id, attempt, lease)| {
                SetLease::new(task_id, attempt, now.after(lease.length))
            })
            .collect()
    }

    /// Returns the submissions that start at once as claimed tasks for the runner. `first_seq` is the row number of the
    /// first submission.
    pub(crate) fn started(&self, plan: &Plan, first_seq: i64) -> Vec<ClaimedTask> {
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
                        lease: (*slot)?.lease,
                    },
                })
            })
            .collect()
    }
}

/// Returns a `context_history` of these parts. It joins texts, so the client's fields are not parsed again.
fn history(request: Option<&str>, trace: Option<&TraceContext>) -> String {
    let mut history = String::with_capacity(request.map_or(0, str::len) + 16);
    if let Some(request) = request {
        history.push_str("{\"request\":");
        history.push_str(request);
    }
    if let Some(trace) = trace {
        history.push_str(if history.is_empty() { "{" } else { "," });
        history.push_str("\"trace\":");
        let trace = serde_json::to_string(trace);
        history.push_str(&trace.expect("two texts always encode"));
    }
    history.push('}');
    history
}

/// Returns the row of an attempt's end; `None` for a reschedule.
fn finish_row<'a>(attempt: &Attempt, outcome: &'a Outcome) -> Option<FinishAttempt<'a>> {
    let row = FinishAttempt {
        seq: attempt.seq,
        attempt: attempt.number,
        status: TaskStatus::Failed.as_str(),
        result: None,
        failure: None,
        error: None,
    };
    match outcome {
        Outcome::Completed { result } => Some(FinishAttempt {
            status: TaskStatus::Completed.as_str(),
            result: Some(result),
            ..row
        }),
        Outcome::Failed { failure, error } => Some(FinishAttempt {
            failure: Some(failure.as_str()),
            error: Some(error),
            ..row
        }),
        Outcome::Reschedule(_) => None,
    }
}

/// Returns the values as a JSON list; `None` if there are none.
fn json_unless_empty<T: Serialize>(values: &[T]) -> Result<Option<String>, serde_json::Error> {
    match values {
        [] => Ok(None),
        values => serde_json::to_string(values).map(Some),
    }
}

/// Returns the journal entry of a report; `None` if it has none.
fn report_row(report: &AttemptReport, now: &str) -> Option<JournalEntry> {
    match report {
        AttemptReport::Line {
            attempt,
            agent,
            line,
        } => Some(JournalEntry::line(
            attempt.task_id,
            agent.clone(),
            line.clone(),
        )),
        AttemptReport::Output {
            attempt,
            agent,
            text,
        } => Some(JournalEntry::output(attempt.task_id, agent.clone(), text)),
        AttemptReport::Progress { attempt, progress } => {
            Some(JournalEntry::progress(attempt.task_id, *progress))
        }
        AttemptReport::Note { .. } | AttemptReport::LiveLine { .. } => None,
        AttemptReport::Finished {
            attempt,
            outcome,
            actor,
            ..
        } => {
            let (row, status) = match outcome {
                Outcome::Completed { result } => (
                    JournalEntry::completed(attempt.task_id, result, now),
                    TaskStatus::Completed,
                ),
                Outcome::Failed { failure, error } => (
                    JournalEntry::failed(attempt.task_id, *failure, error, now),
                    TaskStatus::Failed,
                ),
                // `take_reschedules` has removed these.
                Outcome::Reschedule(_) => return None,
            };
            Some(row.by(actor.as_deref()).if_reached(*attempt, status))
        }
    }
}
