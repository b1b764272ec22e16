//! Attempts that end without an outcome: their tasks become PENDING again, at once or later, and may put their
//! whole processor on hold. A transaction of its own, after the batch.

use std::collections::HashMap;

use crate::models::{Attempt, Failure, Outcome, Pause, Reschedule, Timestamp};
use crate::state::dispatch::paused_processors;
use crate::state::error::Error;
use crate::state::journal::entry::JournalEntry;
use crate::state::retry::sql;
use crate::state::retry::sql::{RetryAttempt, Waiting};
use crate::state::writer::batch::{AttemptReport, Reschedules};
use crate::state::writer::core::Core;

/// The tasks that are PENDING again, by row number.
struct Rescheduled {
    waiting: HashMap<i64, Waiting>,
    time: Timestamp,
}

impl Core {
    /// Makes the attempts' tasks PENDING again.
    pub(crate) async fn reschedule(&mut self, reschedules: Reschedules) {
        match self.write_reschedules(&reschedules).await {
            Ok(rescheduled) => self.apply_reschedules(reschedules, &rescheduled),
            Err(error @ Error::Refused(_)) => {
                self.reschedule_one_by_one(reschedules, &error).await;
            }
            Err(error) => {
                self.note_failure(&error);
                let held = reschedules.into_iter().map(|(attempt, again, reply)| {
                    let outcome = Outcome::Reschedule(again);
                    AttemptReport::Finished {
                        attempt,
                        outcome,
                        actor: None,
                        reply,
                    }
                });
                self.held.reports.extend(held);
            }
        }
    }

    fn apply_reschedules(&mut self, reschedules: Reschedules, rescheduled: &Rescheduled) {
        for (attempt, again, reply) in reschedules {
            let freed = self.queue.remove_running(&attempt);
            let waiting = rescheduled.waiting.get(&attempt.seq);
            self.count_retried(freed.filter(|_| waiting.is_some()), rescheduled.time);
            if let Some(task) = waiting {
                let lanes = &mut self.queue.lanes;
                lanes.add(task.lane(), task.place(), rescheduled.time);
                if again.run_at.is_none() {
                    self.due_since.record(task.seq, rescheduled.time);
                }
            }
            if let Some(reply) = reply {
                let is_waiting = waiting.is_some();
                self.outbox.after_sync.deliver(move || {
                    let _ = reply.send(is_waiting);
                });
            }
        }
        self.more_to_claim = self.may_claim();
    }

    /// Finds the guilty one of refused reschedules; its task cannot become PENDING again, and so fails.
    async fn reschedule_one_by_one(&mut self, mut reschedules: Reschedules, error: &Error) {
        if reschedules.len() > 1 {
            for reschedule in reschedules {
                Box::pin(self.reschedule(vec![reschedule])).await;
            }
            return;
        }
        if let Some((attempt, _, reply)) = reschedules.pop() {
            let outcome = Outcome::Failed {
                failure: Failure::Error,
                error: format!("the task could not be rescheduled: {error}"),
            };
            self.held.reports.push(AttemptReport::Finished {
                attempt,
                outcome,
                actor: None,
                reply,
            });
        }
    }

    async fn write_reschedules(&mut self, reschedules: &Reschedules) -> Result<Rescheduled, Error> {
        let time = Timestamp::now();
        let now = time.to_string();
        let holds = self.new_holds(reschedules, time);
        let mut closed = self.queue.paused_processors.clone();
        closed.extend(holds.iter().cloned());
        let rows: Vec<_> = reschedules
            .iter()
            .map(|(attempt, again, _)| {
                let error = again.error.as_deref();
                RetryAttempt(attempt.seq, attempt.number, again.run_at, error)
            })
            .collect();
        let written = self.transact(time, async |conn| {
            let waiting = sql::retry_attempts_if_running(conn, &rows).await?;
            let waiting: HashMap<_, _> = waiting.into_iter().map(|task| (task.seq, task)).collect();
            if !holds.is_empty() {
                paused_processors::store(conn, &closed).await?;
            }
            let retrying = reschedules
                .iter()
                .filter(|(attempt, ..)| waiting.contains_key(&attempt.seq))
                .map(|(attempt, again, _)| entry_of(attempt, again, &now));
            let held = holds
                .iter()
                .map(|(name, hold)| paused_processors::hold_entry(name, hold));
            let entries = retrying.chain(held).collect();
            Ok((waiting, entries))
        });
        let (waiting, committed) = written.await?;
        self.queue.paused_processors = closed;
        self.publish(committed).await;
        Ok(Rescheduled { waiting, time })
    }

    /// The processors that these attempts put on hold for longer than they are paused already.
    fn new_holds(&self, reschedules: &Reschedules, now: Timestamp) -> Vec<(String, Pause)> {
        let mut holds: HashMap<&str, Pause> = HashMap::new();
        for (attempt, again, _) in reschedules {
            let (Some(until), Some(lane)) = (again.hold, self.queue.lane_of(attempt)) else {
                continue;
            };
            let is_closed = (self.queue.paused_processors.get(lane.processor))
                .is_some_and(|pause| pause.until.is_none_or(|end| end >= until));
            let is_earlier = (holds.get(lane.processor))
                .is_some_and(|hold| hold.until.is_some_and(|end| end >= until));
            if until > now && !is_closed && !is_earlier {
                let hold = Pause {
                    since: now,
                    until: Some(until),
                    reason: Some(again.because.clone()),
                    by: None,
                    emergency_stop: false,
                    asked: None,
                };
                holds.insert(lane.processor, hold);
            }
        }
        let holds = holds.into_iter();
        holds.map(|(name, hold)| (name.to_owned(), hold)).collect()
    }
}

fn entry_of(attempt: &Attempt, again: &Reschedule, now: &str) -> JournalEntry {
    JournalEntry::retrying(
        attempt.task_id,
        attempt.number,
        &again.because,
        again.error.as_deref(),
        again.run_at,
        now,
    )
}
