//! Long work of the Writer, done in chunks between batches, so that nobody waits for all of it.

use std::sync::Arc;

use serde_json::json;

use crate::models::{EventType, Failure, TaskId, Timestamp};
use crate::state::commands::{answer, journal};
use crate::state::dependencies::Progress;
use crate::state::dispatch::lanes::lane_name::LaneName;
use crate::state::error::Error;
use crate::state::journal::entry::JournalEntry;
use crate::state::writer::clock_steps::RepairTimes;
use crate::state::writer::commit;
use crate::state::writer::message::{Purged, Reply};
use crate::state::writer::publish::Committed;
use crate::state::writer::run::Writer;

/// Rows changed in one chunk: a few milliseconds.
const CHUNK_ROWS: i64 = 500;

/// Long work that is under way.
pub(crate) enum BackgroundJob {
    Purge(Purge),
    /// Goes through those that wait for this task, if it is final.
    Resolve(TaskId),
    /// Puts right what a clock that was set back would let wait.
    RepairTimes(RepairTimes),
}

/// A purge.
pub(crate) struct Purge {
    /// Tasks that arrived after this row are none of its business.
    upto: i64,
    removed: u64,
    cause: PurgeCause,
    /// In whose name.
    by: Option<Arc<str>>,
    reply: Reply<Purged>,
}

/// Who asked for it, and so how it is told.
#[derive(Clone, Copy)]
pub(crate) enum PurgeCause {
    ExplainedTask,
    EmergencyStop { cancelled: u64 },
}

impl BackgroundJob {
    pub(crate) fn purge(
        upto: i64,
        cause: PurgeCause,
        by: Option<Arc<str>>,
        reply: Reply<Purged>,
    ) -> Self {
        Self::Purge(Purge {
            upto,
            removed: 0,
            cause,
            by,
            reply,
        })
    }
}

impl Writer {
    /// Does one chunk; the rest goes to the end of the line.
    pub(crate) async fn work_on(&mut self, chore: BackgroundJob) -> Result<(), Error> {
        match chore {
            BackgroundJob::Purge(purge) => self.work_on_purge(purge).await,
            BackgroundJob::RepairTimes(repair) => self.work_on_times(repair).await,
            BackgroundJob::Resolve(task) => match self.resolve_chunk(task).await {
                Err(error @ Error::Corrupt(_)) => Err(error),
                Err(error) => {
                    self.note_failure(&error);
                    self.stalled.push(BackgroundJob::Resolve(task));
                    Ok(())
                }
                Ok(Progress::More) => {
                    self.chores.push_back(BackgroundJob::Resolve(task));
                    Ok(())
                }
                Ok(Progress::Done | Progress::NotFinal) => Ok(()),
            },
        }
    }

    async fn work_on_purge(&mut self, mut purge: Purge) -> Result<(), Error> {
        match self.purge_chunk(&mut purge).await {
            Ok(Chunk::More) => {
                self.chores.push_back(BackgroundJob::Purge(purge));
                Ok(())
            }
            Ok(Chunk::Last) => {
                let purged = Purged {
                    removed: purge.removed,
                    active: self.queue_state.running_total(),
                };
                answer(purge.reply, Ok(purged))
            }
            Err(error) => {
                self.waiting_ended.notify_one();
                tracing::warn!(%error, removed = purge.removed, "a purge stopped half-way");
                answer(purge.reply, Err(error))
            }
        }
    }

    async fn purge_chunk(&mut self, purge: &mut Purge) -> Result<Chunk, Error> {
        const ERROR: &str = "purged while it waited";
        let time = Timestamp::now();
        let now = time.to_string();
        let active = self.queue_state.running_total();
        self.begin().await?;
        let conn = &mut self.conn;
        let written = async {
            let purged = commit::purge_pending(conn, purge.upto, CHUNK_ROWS, ERROR, &now).await?;
            let mut rows: Vec<_> = purged
                .iter()
                .map(|task| JournalEntry::failed(task.task_id, Failure::Purged, ERROR, &now))
                .collect();
            if (purged.len() as i64) < CHUNK_ROWS {
                let removed = purge.removed + purged.len() as u64;
                rows.push(closing_row(purge.cause, removed, active).by(purge.by.as_deref()));
            }
            let committed: Committed = journal(conn, rows, time).await?;
            Ok((purged, committed))
        };
        let written = written.await;
        let (purged, committed) = self.end(written).await?;
        let last = (purged.len() as i64) < CHUNK_ROWS;
        purge.removed += purged.len() as u64;
        for task in &purged {
            self.count_purged(task);
        }
        if last && purge.removed > 0 {
            self.waiting_ended.notify_one();
        }
        self.publish(committed).await;
        Ok(if last { Chunk::Last } else { Chunk::More })
    }
}

impl Writer {
    fn count_purged(&mut self, task: &commit::Purged) {
        self.meter_purged(task);
        if task.was_blocked {
            self.queue_state.blocked = self.queue_state.blocked.saturating_sub(1);
        } else {
            let lane = LaneName {
                processor: &task.processor,
                key: task.concurrency_key.as_deref(),
            };
            self.queue_state.lanes.remove(lane, 1);
        }
        self.resolve(task.task_id);
    }
}

enum Chunk {
    More,
    Last,
}

fn closing_row(cause: PurgeCause, removed: u64, active: u64) -> JournalEntry {
    match cause {
        PurgeCause::ExplainedTask => JournalEntry::of_queue(
            EventType::QueuePurged,
            "Queue purged",
            json!({ "removed": removed, "active": active }),
        ),
        PurgeCause::EmergencyStop { cancelled } => JournalEntry::of_queue(
            EventType::EmergencyStop,
            "Emergency stop",
            json!({ "cancelled": cancelled, "purged": removed }),
        ),
    }
}
