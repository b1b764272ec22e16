//! Processors that start nothing though the queue does: paused by somebody, or held because their own
//! service asked for a pause. Both end by themselves if they have a time for it, and survive a restart.

use std::collections::HashMap;

use serde_json::json;
use sqlx::SqliteConnection;

use super::journal::Row;
use super::orders::journal;
use super::request::{Paused, Resumed};
use super::writer::Writer;
use super::{Error, meta, reads, writes};
use crate::models::{EventType, Pause, Timestamp};

/// Closed processors, by name.
pub(crate) type Closed = HashMap<String, Pause>;

/// What was remembered, without what has ended.
pub(crate) async fn recall(conn: &mut SqliteConnection, now: Timestamp) -> Result<Closed, Error> {
    let Some(closed) = reads::meta(conn, meta::CLOSED).await? else {
        return Ok(Closed::new());
    };
    let mut closed: Closed = serde_json::from_str(&closed)?;
    for pause in closed.values_mut() {
        *pause = pause.clone().begun_by(now);
    }
    closed.retain(|_, pause| pause.holds_at(now));
    Ok(closed)
}

pub(crate) async fn remember(conn: &mut SqliteConnection, closed: &Closed) -> Result<(), Error> {
    writes::set_meta(conn, meta::CLOSED, &serde_json::to_string(closed)?).await
}

/// The journal's words for a hold.
pub(crate) fn held_row(processor: &str, hold: &Pause) -> Row {
    let until = hold
        .until
        .map(|until| until.to_string())
        .unwrap_or_default();
    let data = json!({ "level": "WARNING", "processor": processor, "until": hold.until });
    let words = format!("Processor {processor} starts nothing until {until}");
    Row::of_queue(EventType::SystemLog, &words, data)
}

impl Writer {
    /// Starts nothing more of this processor; the pause of it that holds from now on. One that changes
    /// nothing is no event.
    pub(crate) async fn pause_processor(
        &mut self,
        name: &str,
        next: Pause,
    ) -> Result<Paused, Error> {
        let active = self.ledger.running_of_processor(name);
        let earlier = self.ledger.closed.get(name);
        let pause = Pause::on_top_of(earlier, next);
        if earlier == Some(&pause) {
            return Ok(Paused { active, pause });
        }
        let data = json!({
            "active_tasks": active, "reason": pause.reason, "processor": name,
            "until": pause.until,
        });
        let row = Row::of_queue(
            EventType::QueuePaused,
            &format!("Processor {name} paused"),
            data,
        )
        .by(pause.by.as_deref());
        let mut closed = self.ledger.closed.clone();
        closed.insert(name.to_owned(), pause.clone());
        self.write_closed(closed, row).await?;
        Ok(Paused { active, pause })
    }

    /// Starts tasks of this processor again, whatever closed it.
    pub(crate) async fn resume_processor(&mut self, name: &str) -> Result<Resumed, Error> {
        let mut closed = self.ledger.closed.clone();
        let was_paused = closed.remove(name).is_some();
        if was_paused {
            let pending = self.ledger.lanes.count_of_processor(name);
            let data = json!({ "pending_tasks": pending, "processor": name });
            let words = format!("Processor {name} resumed");
            let row = Row::of_queue(EventType::QueueResumed, &words, data).by(self.by.as_deref());
            self.write_closed(closed, row).await?;
            self.more_to_claim = true;
        }
        Ok(self.resumed(was_paused))
    }

    async fn write_closed(&mut self, closed: Closed, row: Row) -> Result<(), Error> {
        self.begin().await?;
        let conn = &mut self.conn;
        let written = async {
            remember(conn, &closed).await?;
            journal(conn, vec![row], Timestamp::now()).await
        };
        let written = written.await;
        let committed = self.end(written).await?;
        self.ledger.closed = closed;
        self.publish(committed).await;
        Ok(())
    }

    /// Ends the pauses whose time has come.
    ///
    /// # Errors
    /// Only [`Error::Corrupt`]; what could not be stored is tried again.
    pub(crate) async fn end_pauses_if_any(&mut self) -> Result<(), Error> {
        match self.end_pauses().await {
            Err(error @ Error::Corrupt(_)) => Err(error),
            Err(error) => {
                self.note_failure(&error);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    async fn end_pauses(&mut self) -> Result<(), Error> {
        let now = Timestamp::now();
        let has_ended = |pause: &Pause| !pause.holds_at(now);
        let ended: Vec<_> = (self.ledger.closed.iter())
            .filter(|(_, pause)| has_ended(pause))
            .map(|(name, _)| name.clone())
            .collect();
        for name in ended {
            self.resume_processor(&name).await?;
        }
        if self.ledger.pause.as_ref().is_some_and(has_ended) {
            self.resume().await?;
        }
        Ok(())
    }
}
