//! The Writer tells the listeners: what it has committed, and what other programs have.

use crate::models::{Attempt, Event, Timestamp};
use crate::state::error::Error;
use crate::state::journal::entry::JournalEntry;
use crate::state::journal::events;
use crate::state::stats::tally::Happened;
use crate::state::writer::run::Writer;
use crate::terminal::OutputLine;

/// What a committed transaction means outside the database.
pub(crate) struct Committed {
    /// Id of the first of `rows`.
    pub(crate) first_event: i64,
    pub(crate) rows: Vec<JournalEntry>,
    pub(crate) time: Timestamp,
}

impl Writer {
    /// Announces what was committed, and first what other programs have committed before it.
    pub(crate) async fn publish(&mut self, committed: Committed) {
        let Some(last) = (committed.rows.len() as i64 - 1).checked_add(committed.first_event)
        else {
            return;
        };
        if committed.rows.is_empty() {
            return;
        }
        if committed.first_event > self.bus.head() + 1 {
            self.count_foreign(committed.first_event - 1).await;
        }
        // What is imported has happened elsewhere, and earlier.
        let own = committed.rows.iter().filter(|row| row.at.is_none());
        let happened = own.filter_map(|row| Happened::of(row.kind));
        self.stats.count(committed.time, happened);
        self.waiters.wake(&committed.rows);
        if !self.bus.has_listeners() {
            self.bus.skip(last);
            return;
        }
        if committed.first_event > self.bus.head() + 1 {
            self.publish_foreign(committed.first_event - 1).await;
        }
        let events: Vec<Event> = (committed.first_event..)
            .zip(committed.rows)
            .map(|(id, row)| row.into_event(id, committed.time))
            .collect();
        self.bus.publish(events);
    }

    /// Tells how lines stand that have not ended, after what has been committed.
    pub(crate) fn show_live_lines(&self, lines: Vec<(Attempt, String, OutputLine)>) {
        for (attempt, agent, line) in lines {
            if self.queue_state.is_running(&attempt) {
                let row = JournalEntry::live_line(attempt.task_id, agent, line);
                let event = row.into_event(self.bus.head(), Timestamp::now());
                self.bus.show(event);
            }
        }
    }

    /// Announces rows that other programs have written, up to `upto`.
    async fn publish_foreign(&mut self, upto: i64) {
        const PAGE: u32 = 1000;
        while self.bus.head() < upto {
            match events::events_after(&mut self.conn, self.bus.head(), upto, PAGE).await {
                Ok(events) if !events.is_empty() => self.bus.publish(events),
                // Ids that were never used, or cannot be read now: listeners go on behind them.
                Ok(_) => return self.bus.skip(upto),
                Err(error) => {
                    tracing::warn!(%error, "the journal cannot be read");
                    return self.bus.skip(upto);
                }
            }
        }
    }

    /// Announces all that other programs have written.
    pub(crate) async fn publish_outside(&mut self) -> Result<(), Error> {
        let newest = events::newest_event(&mut self.conn).await?;
        if newest > self.bus.head() {
            self.count_foreign(newest).await;
            if self.bus.has_listeners() {
                self.publish_foreign(newest).await;
            } else {
                self.bus.skip(newest);
            }
        }
        Ok(())
    }
}
