//! Processors that start nothing though the queue does: paused by somebody, or held because their own
//! service asked for a pause. Both end by themselves if they have a time for it, and survive a restart.

use std::collections::HashMap;

use serde_json::json;
use sqlx::SqliteConnection;

use crate::models::{EventType, Pause, Timestamp};
use crate::state::commands::journal;
use crate::state::db::meta;
use crate::state::error::Error;
use crate::state::journal::entry::JournalEntry;
use crate::state::writer::message::{Paused, Resumed};
use crate::state::writer::run::Writer;

/// PausedProcessors processors, by name.
pub(crate) type PausedProcessors = HashMap<String, Pause>;

/// What was remembered, without what has ended.
pub(crate) async fn recall(
    conn: &mut SqliteConnection,
    now: Timestamp,
) -> Result<PausedProcessors, Error> {
    let Some(closed) = meta::get(conn, meta::PAUSED_PROCESSORS).await? else {
        return Ok(PausedProcessors::new());
    };
    let mut closed: PausedProcessors = serde_json::from_str(&closed)?;
    for pause in closed.values_mut() {
        *pause = pause.clone().begun_by(now);
    }
    closed.retain(|_, pause| pause.is_active_at(now));
    Ok(closed)
}

pub(crate) async fn remember(
    conn: &mut SqliteConnection,
    closed: &PausedProcessors,
) -> Result<(), Error> {
    meta::set(
        conn,
        meta::PAUSED_PROCESSORS,
        &serde_json::to_string(closed)?,
    )
    .await
}

/// The journal's words for a hold.
pub(crate) fn held_row(processor: &str, hold: &Pause) -> JournalEntry {
    let until = hold
        .until
        .map(|until| until.to_string())
        .unwrap_or_default();
    let data = json!({ "level": "WARNING", "processor": processor, "until": hold.until });
    let words = format!("Processor {processor} starts nothing until {until}");
    JournalEntry::of_queue(EventType::SystemLog, &words, data)
}

impl Writer {
    /// SlidingWindow nothing more of this processor; the pause of it that holds from now on. One that changes
    /// nothing is no event.
    pub(crate) async fn pause_processor(
        &mut self,
        name: &str,
        next: Pause,
    ) -> Result<Paused, Error> {
        let active = self.queue_state.running_of_processor(name);
        let earlier = self.queue_state.paused_processors.get(name);
        let pause = Pause::on_top_of(earlier, next);
        if earlier == Some(&pause) {
            return Ok(Paused { active, pause });
        }
        let data = json!({
            "active_tasks": active, "reason": pause.reason, "processor": name,
            "until": pause.until,
        });
        let row = JournalEntry::of_queue(
            EventType::QueuePaused,
            &format!("Processor {name} paused"),
            data,
        )
        .by(pause.by.as_deref());
        let mut closed = self.queue_state.paused_processors.clone();
        closed.insert(name.to_owned(), pause.clone());
        self.write_closed(closed, row).await?;
        Ok(Paused { active, pause })
    }

    /// SlidingWindow tasks of this processor again, whatever closed it.
    pub(crate) async fn resume_processor(&mut self, name: &str) -> Result<Resumed, Error> {
        let mut closed = self.queue_state.paused_processors.clone();
        let was_paused = closed.remove(name).is_some();
        if was_paused {
            let pending = self.queue_state.lanes.count_of_processor(name);
            let data = json!({ "pending_tasks": pending, "processor": name });
            let words = format!("Processor {name} resumed");
            let row = JournalEntry::of_queue(EventType::QueueResumed, &words, data)
                .by(self.by.as_deref());
            self.write_closed(closed, row).await?;
            self.more_to_claim = true;
        }
        Ok(self.resumed(was_paused))
    }

    async fn write_closed(
        &mut self,
        closed: PausedProcessors,
        row: JournalEntry,
    ) -> Result<(), Error> {
        self.begin().await?;
        let conn = &mut self.conn;
        let written = async {
            remember(conn, &closed).await?;
            journal(conn, vec![row], Timestamp::now()).await
        };
        let written = written.await;
        let committed = self.end(written).await?;
        self.queue_state.paused_processors = closed;
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
        let has_ended = |pause: &Pause| !pause.is_active_at(now);
        let ended: Vec<_> = (self.queue_state.paused_processors.iter())
            .filter(|(_, pause)| has_ended(pause))
            .map(|(name, _)| name.clone())
            .collect();
        for name in ended {
            self.resume_processor(&name).await?;
        }
        if self.queue_state.pause.as_ref().is_some_and(has_ended) {
            self.resume().await?;
        }
        Ok(())
    }
}
