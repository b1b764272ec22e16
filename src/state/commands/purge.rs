//! Fails every task that is PENDING when the command arrives, chunk by chunk, so that other commands do not wait
//! for all of it.

use std::sync::Arc;

use serde_json::json;
use sqlx::SqliteConnection;
use tokio::sync::oneshot;

use crate::models::{EventType, Failure, TaskId, Timestamp};
use crate::state::db::text::Text;
use crate::state::dispatch::lanes::lane_name::LaneName;
use crate::state::error::Error;
use crate::state::journal::entry::JournalEntry;
use crate::state::query::task_lookups;
use crate::state::writer::background::{BackgroundJob, Purge, PurgeCause, Purged};
use crate::state::writer::core::Core;
use crate::state::writer::message::WriterCommand;
use crate::state::writer::reply::LaterReply;

/// Rows changed in one chunk: a few milliseconds.
const CHUNK_ROWS: i64 = 500;
/// The error of a purged task.
const ERROR: &str = "purged while pending";

/// Purges the queue. The answer resolves when the last chunk is stored.
pub(crate) struct PurgeQueue;

impl WriterCommand for PurgeQueue {
    type Answer = LaterReply<Purged>;

    async fn run(self, core: &mut Core, actor: Option<&str>) -> Result<LaterReply<Purged>, Error> {
        let upto = task_lookups::newest_seq(&mut core.db.conn).await?;
        Ok(core.begin_purge(upto, PurgeCause::Asked, actor))
    }
}

/// A task that a purge has just failed.
struct PurgedTask {
    task_id: TaskId,
    processor: String,
    concurrency_key: Option<String>,
    was_blocked: bool,
}

impl Core {
    /// Begins a purge of what has arrived up to row `upto`, and returns where its answer will come.
    pub(crate) fn begin_purge(
        &mut self,
        upto: i64,
        cause: PurgeCause,
        actor: Option<&str>,
    ) -> LaterReply<Purged> {
        let (reply, answer) = oneshot::channel();
        let purge = Purge {
            upto,
            removed: 0,
            cause,
            actor: actor.map(Arc::from),
            reply,
        };
        self.background.jobs.push_back(BackgroundJob::Purge(purge));
        answer
    }

    /// Does one chunk of a purge, and answers after the last one.
    pub(crate) async fn work_on_purge(&mut self, mut purge: Purge) {
        match self.purge_chunk(&mut purge).await {
            Ok(PurgeProgress::More) => self.background.jobs.push_back(BackgroundJob::Purge(purge)),
            Ok(PurgeProgress::Last) => {
                let purged = Purged {
                    removed: purge.removed,
                    active: self.queue.running_total(),
                };
                self.answer(purge.reply, Ok(purged));
            }
            Err(error) => {
                self.say_that_waiting_ended();
                tracing::warn!(%error, removed = purge.removed, "a purge stopped half-way");
                self.answer(purge.reply, Err(error));
            }
        }
    }

    async fn purge_chunk(&mut self, purge: &mut Purge) -> Result<PurgeProgress, Error> {
        let time = Timestamp::now();
        let now = time.to_string();
        let active = self.queue.running_total();
        let (upto, cause, before) = (purge.upto, purge.cause, purge.removed);
        let actor = purge.actor.as_deref();
        let written = self.transact(time, async |conn| {
            let purged = purge_pending(conn, upto, &now).await?;
            let mut entries: Vec<_> = purged
                .iter()
                .map(|task| JournalEntry::failed(task.task_id, Failure::Purged, ERROR, &now))
                .collect();
            if is_last(&purged) {
                let removed = before + purged.len() as u64;
                entries.push(closing_entry(cause, removed, active).by(actor));
            }
            Ok((purged, entries))
        });
        let (purged, committed) = written.await?;
        purge.removed += purged.len() as u64;
        for task in &purged {
            self.apply_purged(task);
        }
        let is_last = is_last(&purged);
        if is_last && purge.removed > 0 {
            self.say_that_waiting_ended();
        }
        self.publish(committed).await;
        Ok(if is_last {
            PurgeProgress::Last
        } else {
            PurgeProgress::More
        })
    }

    fn apply_purged(&mut self, task: &PurgedTask) {
        self.meter_purged(&task.processor);
        if task.was_blocked {
            self.queue.blocked = self.queue.blocked.saturating_sub(1);
        } else {
            let lane = LaneName {
                processor: &task.processor,
                key: task.concurrency_key.as_deref(),
            };
            self.queue.lanes.remove(lane, 1);
        }
        self.on_finished(task.task_id);
    }
}

enum PurgeProgress {
    More,
    Last,
}

fn is_last(purged: &[PurgedTask]) -> bool {
    (purged.len() as i64) < CHUNK_ROWS
}

/// The event that says that a purge is done.
fn closing_entry(cause: PurgeCause, removed: u64, active: u64) -> JournalEntry {
    match cause {
        PurgeCause::Asked => JournalEntry::of_queue(
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

/// Fails a chunk of the PENDING tasks up to row `upto`, inside the caller's transaction.
async fn purge_pending(
    conn: &mut SqliteConnection,
    upto: i64,
    now: &str,
) -> Result<Vec<PurgedTask>, Error> {
    let purged = sqlx::query!(
        r#"UPDATE tasks SET status = 'FAILED', failure = 'purged', error = ?3, finished_at = ?4
            WHERE seq IN (SELECT seq FROM tasks
                           WHERE finished_at IS NULL AND status = 'PENDING' AND seq <= ?1
                           LIMIT ?2)
        RETURNING id AS "id!: Text", processor AS "processor!: Text",
                  concurrency_key AS "concurrency_key: Text",
                  blocked > 0 AS "was_blocked!: bool""#,
        upto,
        CHUNK_ROWS,
        ERROR,
        now
    )
    .fetch_all(conn)
    .await?;
    purged
        .into_iter()
        .map(|row| {
            Ok(PurgedTask {
                task_id: row.id.parse_id()?,
                processor: row.processor.into(),
                concurrency_key: row.concurrency_key.map(String::from),
                was_blocked: row.was_blocked,
            })
        })
        .collect()
}
