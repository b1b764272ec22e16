//! The Writer obeys: pause, resume, purge, emergency stop, import and the rest, each in a transaction
//! of its own, after the batch it arrived with.

use std::collections::HashSet;

use serde_json::json;
use sqlx::SqliteConnection;

use super::announce::Committed;
use super::batch::{Releases, Report};
use super::chore::{Chore, PurgeCause};
use super::import;
use super::journal::Row;
use super::request::{Order, Paused, Purged, Reply};
use super::transaction::{begin, end};
use super::writer::{Writer, insert_rows};
use super::{Error, meta, reads, writes};
use crate::models::{EventType, Outcome, Pause, Timestamp};

impl Writer {
    /// Carries out one order and answers it.
    ///
    /// # Errors
    /// Only [`Error::Corrupt`]: everything else is the asker's answer.
    pub async fn obey(&mut self, order: Order) -> Result<(), Error> {
        match order {
            Order::Claim(claims, reply) => {
                self.claims = Some(claims);
                self.ledger.claiming = true;
                self.more_to_claim = true;
                answer(reply, Ok(()))
            }
            Order::StopClaiming(reply) => {
                self.ledger.claiming = false;
                answer(reply, Ok(()))
            }
            Order::Status(reply) => answer(reply, Ok(self.ledger.status())),
            Order::Pause(reason, reply) => {
                let paused = self.pause(reason).await;
                answer(reply, paused)
            }
            Order::Resume(reply) => {
                let resumed = self.resume().await.map(|()| self.ledger.status());
                answer(reply, resumed)
            }
            Order::Purge(reply) => self.begin_purge(None, PurgeCause::Asked, reply).await,
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
                let imported = self.import(tasks, replace).await;
                answer(reply, imported)
            }
            Order::SetDumpFields(fields, reply) => {
                let value = serde_json::Value::Object(fields).to_string();
                let set = writes::set_meta(&mut self.conn, meta::DUMP_FIELDS, &value).await;
                answer(reply, set)
            }
            Order::Close(_) => unreachable!("the loop closes"),
        }
    }

    /// Gives attempts back to the queue: their tasks wait again and the attempts do not count.
    pub(super) async fn release(&mut self, releases: Releases) -> Result<(), Error> {
        match self.write_releases(&releases).await {
            Ok(released) => {
                for (attempt, reply) in releases {
                    let won = released.contains(&attempt.seq);
                    if let (Some(processor), true) = (self.ledger.remove_running(&attempt), won) {
                        self.ledger.add_pending(&processor, 1);
                    }
                    if let Some(reply) = reply {
                        let _ = reply.send(won);
                    }
                }
                Ok(())
            }
            Err(error @ Error::Corrupt(_)) => Err(error),
            Err(error) => {
                self.note_failure(&error);
                self.held
                    .extend(releases.into_iter().map(|(attempt, reply)| {
                        let outcome = Outcome::Released;
                        Report::Finished {
                            attempt,
                            outcome,
                            reply,
                        }
                    }));
                Ok(())
            }
        }
    }

    async fn write_releases(&mut self, releases: &Releases) -> Result<HashSet<i64>, Error> {
        let time = Timestamp::now();
        let now = time.to_string();
        let attempts: Vec<_> = releases.iter().map(|(attempt, _)| *attempt).collect();
        let conn = &mut self.conn;
        begin(conn).await?;
        let written = async {
            let released = writes::release_attempts_if_running(conn, &attempts, false).await?;
            let released: HashSet<_> = released.into_iter().collect();
            let rows = attempts
                .iter()
                .filter(|attempt| released.contains(&attempt.seq))
                .map(|attempt| Row::finished(*attempt, &Outcome::Released, &now));
            let committed = journal(conn, rows.collect(), time).await?;
            Ok((released, committed))
        };
        let written = written.await;
        let (released, committed) = end(&mut self.conn, written).await?;
        self.publish(committed).await;
        Ok(released)
    }

    /// Starts nothing more, now and after a restart. Already paused: nothing changes.
    async fn pause(&mut self, reason: Option<String>) -> Result<Paused, Error> {
        let active = self.ledger.running_total();
        if self.ledger.pause.is_some() {
            return Ok(Paused { active });
        }
        let time = Timestamp::now();
        let pause = Pause {
            since: time,
            reason,
        };
        let row = Row::of_queue(
            EventType::QueuePaused,
            "Queue paused",
            json!({ "active_tasks": active, "reason": pause.reason }),
        );
        let value = serde_json::to_string(&pause)?;
        let conn = &mut self.conn;
        begin(conn).await?;
        let written = async {
            writes::set_meta(conn, meta::PAUSE, &value).await?;
            journal(conn, vec![row], time).await
        };
        let written = written.await;
        let committed = end(&mut self.conn, written).await?;
        self.ledger.pause = Some(pause);
        self.publish(committed).await;
        Ok(Paused { active })
    }

    async fn resume(&mut self) -> Result<(), Error> {
        if self.ledger.pause.is_none() {
            return Ok(());
        }
        let row = Row::of_queue(
            EventType::QueueResumed,
            "Queue resumed",
            json!({ "pending_tasks": self.ledger.pending_total() }),
        );
        let conn = &mut self.conn;
        begin(conn).await?;
        let written = async {
            writes::delete_meta(conn, meta::PAUSE).await?;
            journal(conn, vec![row], Timestamp::now()).await
        };
        let written = written.await;
        let committed = end(&mut self.conn, written).await?;
        self.ledger.pause = None;
        // What waits starts with the next turn, which is due at once.
        self.more_to_claim = true;
        self.publish(committed).await;
        Ok(())
    }

    async fn begin_emergency_stop(&mut self) -> Result<i64, Error> {
        self.pause(Some("emergency stop".to_owned())).await?;
        reads::newest_seq(&mut self.conn).await
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
            None => reads::newest_seq(&mut self.conn).await,
        };
        match upto {
            Ok(upto) => {
                self.chores.push_back(Chore::purge(upto, cause, reply));
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
        let conn = &mut self.conn;
        begin(conn).await?;
        let written = async {
            let mut imported = import::import(conn, tasks, replace).await?;
            let rows = std::mem::take(&mut imported.rows);
            let committed = journal(conn, rows, time).await?;
            Ok((imported, committed))
        };
        let written = written.await;
        let (imported, committed) = end(&mut self.conn, written).await?;
        for (processor, count) in imported.pending {
            self.ledger.add_pending(&processor, count);
        }
        for (processor, count) in imported.no_longer_pending {
            self.ledger.remove_pending(&processor, count);
        }
        self.more_to_claim = true;
        self.publish(committed).await;
        Ok(imported.report)
    }
}

/// Appends `rows` to the journal, inside the caller's transaction.
pub(super) async fn journal(
    conn: &mut SqliteConnection,
    rows: Vec<Row>,
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
pub(super) fn answer<T>(reply: Reply<T>, result: Result<T, Error>) -> Result<(), Error> {
    let fatal = match &result {
        Err(error @ Error::Corrupt(_)) => Err(error.clone()),
        _ => Ok(()),
    };
    // Who has gone away does not want the answer.
    let _ = reply.send(result);
    fatal
}
