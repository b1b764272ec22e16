//! The Writer obeys: pause, resume, purge, emergency stop, import and the rest, each in a transaction
//! of its own, after the batch it arrived with.

pub(super) mod bulk;
pub(super) mod delete;
pub(super) mod pause_processor;
pub(super) mod reconfigure;
pub(super) mod submit_many;

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::SqliteConnection;
use tokio::time::Instant;

use crate::models::{EventType, Pause, Timestamp};
use crate::state::db::meta;
use crate::state::dispatch::lanes::lane_name::LaneName;
use crate::state::error::Error;
use crate::state::journal::entry::JournalEntry;
use crate::state::query::task_lookups;
use crate::state::writer::background::{BackgroundJob, PurgeCause};
use crate::state::writer::commit;
use crate::state::writer::message::{Order, Paused, Purged, Reply, Resumed};
use crate::state::writer::publish::Committed;
use crate::state::writer::questions::while_answering;
use crate::state::writer::run::{Writer, insert_rows};
use crate::state::{import, retention, tokens};

/// How long the next chunk of a dump may take to come.
const BETWEEN_CHUNKS: Duration = Duration::from_mins(1);

impl Writer {
    /// Carries out one order and answers it.
    ///
    /// # Errors
    /// Only [`Error::Corrupt`]: everything else is the asker's answer.
    pub(crate) async fn obey(&mut self, order: Order) -> Result<(), Error> {
        match order {
            Order::Claim(claims, reply) => {
                let recalled = std::mem::take(&mut self.recalled);
                if !recalled.is_empty() {
                    // Who asks for claims waits for them.
                    let _ = claims.send(recalled);
                }
                self.claims = Some(claims);
                self.queue_state.claiming = true;
                self.more_to_claim = true;
                answer(reply, Ok(()))
            }
            Order::StopClaiming(reply) => {
                self.queue_state.claiming = false;
                answer(reply, Ok(()))
            }
            Order::Answer(reply) => answer(reply, Ok(())),
            Order::Pause(request, reply) => {
                let paused = match &request.processor {
                    None => self.pause(request.pause(self.by.as_deref())).await,
                    Some(name) => {
                        self.pause_processor(name, request.pause(self.by.as_deref()))
                            .await
                    }
                };
                answer(reply, paused)
            }
            Order::Resume(None, reply) => {
                let resumed = self.resume().await;
                answer(reply, resumed)
            }
            Order::Resume(Some(name), reply) => {
                let resumed = self.resume_processor(&name).await;
                answer(reply, resumed)
            }
            Order::SubmitAll(submissions, once, reply) => {
                let submitted = self.submit_all(submissions, once).await;
                answer(reply, submitted)
            }
            Order::EndImport(reply) => {
                self.importing_until = Instant::now();
                let ended = self.fail_hopeless().await;
                // So that no start looks through the rows of a whole dump.
                self.stats.store_soon();
                answer(reply, ended)
            }
            Order::SubmitScheduled(due, reply) => {
                let submitted = self.submit_scheduled(*due).await;
                answer(reply, submitted)
            }
            Order::Retry(task, at, reply) => {
                let retried = self.retry(task, at).await;
                answer(reply, retried)
            }
            Order::Delete(task, reply) => {
                let deleted = self.delete(task).await;
                answer(reply, deleted)
            }
            Order::Change(change, found, reply) => {
                let changed = self.change(change, &found).await;
                answer(reply, changed)
            }
            Order::CatchUp(reply) => self.catch_up(reply).await,
            Order::ForgetKeys(before, reply) => {
                let forgotten = {
                    let write = retention::forget_keys(&mut self.conn, before);
                    while_answering(&mut self.questions, &self.queue_state, &self.health, write)
                        .await
                };
                answer(reply, forgotten)
            }
            Order::Shrink(reply) => {
                let left = {
                    let write = retention::shrink(&mut self.conn);
                    while_answering(&mut self.questions, &self.queue_state, &self.health, write)
                        .await
                };
                answer(reply, left)
            }
            Order::Offer(offer, processors, limit, reply) => {
                self.offer(offer, processors, limit);
                answer(reply, Ok(()))
            }
            Order::Withdraw(offer, reply) => {
                let left = self.withdraw(offer);
                answer(reply, Ok(left))
            }
            Order::SetHiveLink(link, reply) => {
                self.queue_state.hive = link;
                // What has waited for the Hive starts with the next turn, which is due at once.
                self.more_to_claim = true;
                answer(reply, Ok(()))
            }
            Order::Tell(level, message, data, reply) => {
                let told = self.tell(level, &message, data).await;
                answer(reply, told)
            }
            Order::QueueSnapshot(oldest, reply) => {
                let load = self.load(&oldest, Timestamp::now());
                answer(reply, Ok(load))
            }
            Order::SetLimits(change, reply) => {
                let set = self.set_limits(*change).await;
                answer(reply, set)
            }
            Order::Purge(reply) => {
                self.begin_purge(None, PurgeCause::ExplainedTask, reply)
                    .await
            }
            Order::BeginEmergencyStop(reply) => {
                let begun = self.begin_emergency_stop().await;
                answer(reply, begun)
            }
            Order::FinishEmergencyStop {
                upto,
                cancelled,
                reply,
            } => {
                let cause = PurgeCause::EmergencyStop { cancelled };
                self.begin_purge(Some(upto), cause, reply).await
            }
            Order::Import {
                tasks,
                replace,
                reply,
            } => {
                self.importing_until = Instant::now() + BETWEEN_CHUNKS;
                let imported = self.import(tasks, replace).await;
                answer(reply, imported)
            }
            Order::TokensUsed(names, reply) => {
                let noted = {
                    let write = tokens::note_use(&mut self.conn, &names);
                    while_answering(&mut self.questions, &self.queue_state, &self.health, write)
                        .await
                };
                answer(reply, noted)
            }
            Order::SetMeta(key, value, reply) => {
                let set = {
                    let write = meta::set(&mut self.conn, key, &value);
                    while_answering(&mut self.questions, &self.queue_state, &self.health, write)
                        .await
                };
                answer(reply, set)
            }
            Order::Close(_) => unreachable!("the loop closes"),
        }
    }

    /// SlidingWindow nothing more, now and after a restart; the pause that holds from now on. One that changes
    /// nothing is no event.
    async fn pause(&mut self, next: Pause) -> Result<Paused, Error> {
        let active = self.queue_state.running_total();
        let time = next.since;
        let pause = Pause::on_top_of(self.queue_state.pause.as_ref(), next);
        if self.queue_state.pause.as_ref() == Some(&pause) {
            return Ok(Paused { active, pause });
        }
        // Of an emergency stop of a paused queue, EMERGENCY_STOP says enough.
        let is_told = self.queue_state.pause.is_none() || !pause.emergency_stop;
        let row = is_told.then(|| {
            JournalEntry::of_queue(
                EventType::QueuePaused,
                "Queue paused",
                json!({ "active_tasks": active, "reason": pause.reason, "until": pause.until }),
            )
            .by(pause.by.as_deref())
        });
        let value = serde_json::to_string(&pause)?;
        self.begin().await?;
        let conn = &mut self.conn;
        let written = async {
            meta::set(conn, meta::PAUSE, &value).await?;
            journal(conn, row.into_iter().collect(), time).await
        };
        let written = written.await;
        let committed = self.end(written).await?;
        self.queue_state.pause = Some(pause.clone());
        self.publish(committed).await;
        Ok(Paused { active, pause })
    }

    pub(crate) async fn resume(&mut self) -> Result<Resumed, Error> {
        if self.queue_state.pause.is_none() {
            return Ok(self.resumed(false));
        }
        let row = JournalEntry::of_queue(
            EventType::QueueResumed,
            "Queue resumed",
            json!({ "pending_tasks": self.queue_state.pending_total() }),
        )
        .by(self.by.as_deref());
        self.begin().await?;
        let conn = &mut self.conn;
        let written = async {
            commit::delete_meta(conn, meta::PAUSE).await?;
            journal(conn, vec![row], Timestamp::now()).await
        };
        let written = written.await;
        let committed = self.end(written).await?;
        self.queue_state.pause = None;
        // What waits starts with the next turn, which is due at once.
        self.more_to_claim = true;
        self.publish(committed).await;
        Ok(self.resumed(true))
    }

    pub(crate) fn resumed(&self, was_paused: bool) -> Resumed {
        let status = self.queue_state.status();
        Resumed { was_paused, status }
    }

    async fn begin_emergency_stop(&mut self) -> Result<i64, Error> {
        let pause = Pause {
            since: Timestamp::now(),
            until: None,
            reason: Some("emergency stop".to_owned()),
            by: self.by.as_deref().map(str::to_owned),
            emergency_stop: true,
            asked: None,
        };
        self.pause(pause).await?;
        task_lookups::newest_seq(&mut self.conn).await
    }

    pub(crate) async fn tell(
        &mut self,
        level: &str,
        message: &str,
        data: Value,
    ) -> Result<(), Error> {
        let row = JournalEntry::told(level, message, data).by(self.by.as_deref());
        self.begin().await?;
        let conn = &mut self.conn;
        let written = journal(conn, vec![row], Timestamp::now()).await;
        let committed = self.end(written).await?;
        self.publish(committed).await;
        Ok(())
    }

    /// Queues the purge of everything that has arrived up to now (or up to row `upto`).
    async fn begin_purge(
        &mut self,
        upto: Option<i64>,
        cause: PurgeCause,
        reply: Reply<Purged>,
    ) -> Result<(), Error> {
        let upto = match upto {
            Some(upto) => Ok(upto),
            None => task_lookups::newest_seq(&mut self.conn).await,
        };
        match upto {
            Ok(upto) => {
                let purge = BackgroundJob::purge(upto, cause, self.by.clone(), reply);
                self.chores.push_back(purge);
                Ok(())
            }
            Err(error) => answer(reply, Err(error)),
        }
    }

    async fn import(
        &mut self,
        tasks: Vec<crate::models::Task>,
        replace: bool,
    ) -> Result<import::ImportReport, Error> {
        let time = Timestamp::now();
        self.begin().await?;
        let conn = &mut self.conn;
        let written = async {
            let mut imported = import::import(conn, tasks, replace).await?;
            let mut rows = std::mem::take(&mut imported.rows);
            rows.extend(imported.report.told(self.by.as_deref()));
            let committed = journal(conn, rows, time).await?;
            Ok((imported, committed))
        };
        let written = written.await;
        let (imported, committed) = self.end(written).await?;
        self.due_since.record_import(time);
        for ((processor, key), count) in &imported.pending {
            let lane = LaneName {
                processor,
                key: key.as_deref(),
            };
            self.queue_state.lanes.add_unknown(lane, *count);
        }
        self.queue_state.blocked += imported.blocked;
        for ((processor, key), count) in &imported.no_longer_pending {
            let lane = LaneName {
                processor,
                key: key.as_deref(),
            };
            self.queue_state.lanes.remove(lane, *count);
        }
        self.queue_state.blocked =
            (self.queue_state.blocked).saturating_sub(imported.no_longer_blocked);
        if imported.report.replaced > 0 {
            self.waiting_ended.notify_one();
        }
        self.await_any(imported.upstream);
        self.more_to_claim = true;
        self.publish(committed).await;
        Ok(imported.report)
    }
}

/// Appends `rows` to the journal, inside the caller's transaction.
pub(crate) async fn journal(
    conn: &mut SqliteConnection,
    rows: Vec<JournalEntry>,
    time: Timestamp,
) -> Result<Committed, Error> {
    let first_event = insert_rows(conn, &rows, &time.to_string()).await?;
    Ok(Committed {
        first_event,
        rows,
        time,
    })
}

/// Answers whoever asked; lets only the fatal error through.
pub(crate) fn answer<T>(reply: Reply<T>, result: Result<T, Error>) -> Result<(), Error> {
    let fatal = match &result {
        Err(error @ Error::Corrupt(_)) => Err(error.clone()),
        _ => Ok(()),
    };
    // Who has gone away does not want the answer.
    let _ = reply.send(result);
    fatal
}
