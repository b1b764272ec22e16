//! Long work of the Writer, done in chunks between batches, so that nobody waits for all of it.

use serde_json::json;

use super::announce::Committed;
use super::journal::Row;
use super::orders::{answer, journal};
use super::request::{Purged, Reply};
use super::transaction::{begin, end};
use super::writer::Writer;
use super::{Error, writes};
use crate::models::{EventType, Failure, Timestamp};

/// Rows changed in one chunk: a few milliseconds.
const CHUNK_ROWS: i64 = 500;

/// A purge that is under way.
pub(super) struct Chore {
    /// Tasks that arrived after this row are none of its business.
    upto: i64,
    removed: u64,
    cause: PurgeCause,
    reply: Reply<Purged>,
}

/// Who asked for it, and so how it is told.
#[derive(Clone, Copy)]
pub(super) enum PurgeCause {
    Asked,
    EmergencyStop { cancelled: u64 },
}

impl Chore {
    pub fn purge(upto: i64, cause: PurgeCause, reply: Reply<Purged>) -> Self {
        Self {
            upto,
            removed: 0,
            cause,
            reply,
        }
    }
}

impl Writer {
    /// Does one chunk; the rest goes to the end of the line.
    pub(super) async fn work_on(&mut self, mut chore: Chore) -> Result<(), Error> {
        match self.purge_chunk(&mut chore).await {
            Ok(Chunk::More) => {
                self.chores.push_back(chore);
                Ok(())
            }
            Ok(Chunk::Last) => {
                let purged = Purged {
                    removed: chore.removed,
                    active: self.ledger.running_total(),
                };
                answer(chore.reply, Ok(purged))
            }
            Err(error) => {
                tracing::warn!(%error, removed = chore.removed, "a purge stopped half-way");
                answer(chore.reply, Err(error))
            }
        }
    }

    async fn purge_chunk(&mut self, chore: &mut Chore) -> Result<Chunk, Error> {
        const ERROR: &str = "purged while it waited";
        let time = Timestamp::now();
        let now = time.to_string();
        let active = self.ledger.running_total();
        let conn = &mut self.conn;
        begin(conn).await?;
        let written = async {
            let purged = writes::purge_pending(conn, chore.upto, CHUNK_ROWS, ERROR, &now).await?;
            let mut rows: Vec<_> = purged
                .iter()
                .map(|task| Row::failed(task.task_id, Failure::Purged, ERROR, &now))
                .collect();
            if (purged.len() as i64) < CHUNK_ROWS {
                let removed = chore.removed + purged.len() as u64;
                rows.push(closing_row(chore.cause, removed, active));
            }
            let committed: Committed = journal(conn, rows, time).await?;
            Ok((purged, committed))
        };
        let written = written.await;
        let (purged, committed) = end(&mut self.conn, written).await?;
        let last = (purged.len() as i64) < CHUNK_ROWS;
        chore.removed += purged.len() as u64;
        for task in &purged {
            self.ledger.remove_pending(&task.processor, 1);
        }
        self.publish(committed).await;
        Ok(if last { Chunk::Last } else { Chunk::More })
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
