//! Long work of the Writer, done in chunks between batches, so that nobody waits for all of it.

use std::sync::Arc;

use serde_json::json;

use super::announce::Committed;
use super::chains::Progress;
use super::clock::RepairTimes;
use super::journal::Row;
use super::lanes::LaneName;
use super::orders::{answer, journal};
use super::request::{Purged, Reply};
use super::writer::Writer;
use super::{Error, writes};
use crate::models::{EventType, Failure, TaskId, Timestamp};

/// Rows changed in one chunk: a few milliseconds.
const CHUNK_ROWS: i64 = 500;

/// Long work that is under way.
pub(crate) enum Chore {
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
    Asked,
    EmergencyStop { cancelled: u64 },
}

impl Chore {
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
    pub(crate) async fn work_on(&mut self, chore: Chore) -> Result<(), Error> {
        match chore {
            Chore::Purge(purge) => self.work_on_purge(purge).await,
            Chore::RepairTimes(repair) => self.work_on_times(repair).await,
            Chore::Resolve(task) => match self.resolve_chunk(task).await {
                Err(error @ Error::Corrupt(_)) => Err(error),
                Err(error) => {
                    self.note_failure(&error);
                    self.stalled.push(Chore::Resolve(task));
                    Ok(())
                }
                Ok(Progress::More) => {
                    self.chores.push_back(Chore::Resolve(task));
                    Ok(())
                }
                Ok(Progress::Done | Progress::NotFinal) => Ok(()),
            },
        }
    }

    async fn work_on_purge(&mut self, mut purge: Purge) -> Result<(), Error> {
        match self.purge_chunk(&mut purge).await {
            Ok(Chunk::More) => {
                self.chores.push_back(Chore::Purge(purge));
                Ok(())
            }
            Ok(Chunk::Last) => {
                let purged = Purged {
                    removed: purge.removed,
                    active: self.ledger.running_total(),
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
        let active = self.ledger.running_total();
        self.begin().await?;
        let conn = &mut self.conn;
        let written = async {
            let purged = writes::purge_pending(conn, purge.upto, CHUNK_ROWS, ERROR, &now).await?;
            let mut rows: Vec<_> = purged
                .iter()
                .map(|task| Row::failed(task.task_id, Failure::Purged, ERROR, &now))
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
    fn count_purged(&mut self, task: &writes::Purged) {
        self.meter_purged(task);
        if task.was_blocked {
            self.ledger.blocked = self.ledger.blocked.saturating_sub(1);
        } else {
            let lane = LaneName {
                processor: &task.processor,
                key: task.concurrency_key.as_deref(),
            };
            self.ledger.lanes.remove(lane, 1);
        }
        self.resolve(task.task_id);
    }
}

enum Chunk {
    More,
    Last,
}

fn closing_row(cause: PurgeCause, removed: u64, active: u64) -> Row {
    match cause {
        PurgeCause::Asked => Row::of_queue(
            EventType::QueuePurged,
            "Queue purged",
            json!({ "removed": removed, "active": active }),
        ),
        PurgeCause::EmergencyStop { cancelled } => Row::of_queue(
            EventType::EmergencyStop,
            "Emergency stop",
            json!({ "cancelled": cancelled, "purged": removed }),
        ),
    }
}
