//! Attempts that end without an outcome: their tasks wait again, at once or later, and may hold up their
//! whole processor.

use std::collections::HashMap;

use crate::models::{Again, Attempt, Failure, Outcome, Pause, Timestamp};
use crate::state::commands::journal;
use crate::state::commands::pause_processor;
use crate::state::error::Error;
use crate::state::journal::entry::JournalEntry;
use crate::state::retry::sql;
use crate::state::retry::sql::{RetryAttempt, Waiting};
use crate::state::writer::batch::{Releases, Report};
use crate::state::writer::run::Writer;

/// What the database answered: the tasks that wait again, by row number.
struct Released {
    waiting: HashMap<i64, Waiting>,
    time: Timestamp,
}

impl Writer {
    /// Lets the attempts' tasks wait again.
    pub(crate) async fn release(&mut self, releases: Releases) -> Result<(), Error> {
        match self.write_releases(&releases).await {
            Ok(released) => {
                for (attempt, again, reply) in releases {
                    let freed = self.queue_state.remove_running(&attempt);
                    let waiting = released.waiting.get(&attempt.seq);
                    self.count_retried(freed.filter(|_| waiting.is_some()), released.time);
                    if let Some(task) = waiting {
                        let lanes = &mut self.queue_state.lanes;
                        lanes.add(task.lane(), task.place(), released.time);
                        if again.run_at.is_none() {
                            self.due_since.record(task.seq, released.time);
                        }
                    }
                    if let Some(reply) = reply {
                        let _ = reply.send(waiting.is_some());
                    }
                }
                self.more_to_claim = self.may_claim();
                Ok(())
            }
            Err(error @ Error::Corrupt(_)) => Err(error),
            Err(error @ Error::Refused(_)) => self.release_one_by_one(releases, &error).await,
            Err(error) => {
                self.note_failure(&error);
                let held = releases.into_iter().map(|(attempt, again, reply)| {
                    let outcome = Outcome::Again(again);
                    Report::Finished {
                        attempt,
                        outcome,
                        by: None,
                        reply,
                    }
                });
                self.held.extend(held);
                Ok(())
            }
        }
    }

    /// Finds the guilty one of refused releases; its task cannot wait again, and so fails.
    async fn release_one_by_one(
        &mut self,
        mut releases: Releases,
        error: &Error,
    ) -> Result<(), Error> {
        if releases.len() > 1 {
            for release in releases {
                Box::pin(self.release(vec![release])).await?;
            }
            return Ok(());
        }
        if let Some((attempt, _, reply)) = releases.pop() {
            let outcome = Outcome::Failed {
                failure: Failure::Error,
                error: format!("the task could not be made to wait again: {error}"),
            };
            self.held.push(Report::Finished {
                attempt,
                outcome,
                by: None,
                reply,
            });
        }
        Ok(())
    }

    async fn write_releases(&mut self, releases: &Releases) -> Result<Released, Error> {
        let time = Timestamp::now();
        let now = time.to_string();
        let holds = self.new_holds(releases, time);
        let mut closed = self.queue_state.paused_processors.clone();
        closed.extend(holds.iter().cloned());
        let rows: Vec<_> = releases
            .iter()
            .map(|(attempt, again, _)| {
                let error = again.error.as_deref();
                RetryAttempt(attempt.seq, attempt.number, again.run_at, error)
            })
            .collect();
        self.begin().await?;
        let conn = &mut self.conn;
        let written = async {
            let waiting = sql::retry_attempts_if_running(conn, &rows).await?;
            let waiting: HashMap<_, _> = waiting.into_iter().map(|task| (task.seq, task)).collect();
            if !holds.is_empty() {
                pause_processor::remember(conn, &closed).await?;
            }
            let told = releases
                .iter()
                .filter(|(attempt, ..)| waiting.contains_key(&attempt.seq))
                .map(|(attempt, again, _)| row_of(attempt, again, &now));
            let told = told.chain(
                holds
                    .iter()
                    .map(|(name, hold)| pause_processor::held_row(name, hold)),
            );
            let committed = journal(conn, told.collect(), time).await?;
            Ok((waiting, committed))
        };
        let written = written.await;
        let (waiting, committed) = self.end(written).await?;
        self.queue_state.paused_processors = closed;
        self.publish(committed).await;
        Ok(Released { waiting, time })
    }

    /// The processors that are to start nothing for a while and do start something at this moment.
    fn new_holds(&self, releases: &Releases, now: Timestamp) -> Vec<(String, Pause)> {
        let mut holds: HashMap<&str, Pause> = HashMap::new();
        for (attempt, again, _) in releases {
            let (Some(until), Some(lane)) = (again.hold, self.queue_state.lane_of(attempt)) else {
                continue;
            };
            let is_closed = (self.queue_state.paused_processors.get(lane.processor))
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

fn row_of(attempt: &Attempt, again: &Again, now: &str) -> JournalEntry {
    JournalEntry::retrying(
        attempt.task_id,
        attempt.number,
        &again.because,
        again.error.as_deref(),
        again.run_at,
        now,
    )
}
