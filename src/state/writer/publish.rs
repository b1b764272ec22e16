//! Publishes the events of a commit. Those that other programs wrote before come first, so that there is no gap.

use std::sync::Arc;

use crate::models::{Attempt, Event, EventType, Timestamp};
use crate::state::error::Error;
use crate::state::journal::entry::JournalEntry;
use crate::state::journal::events;
use crate::state::stats::tally::Happened;
use crate::state::writer::core::Core;
use crate::terminal::OutputLine;

/// The journal entries of a committed transaction. Publish them once the queue state follows.
#[must_use = "publish it once the queue state follows"]
pub(crate) struct Committed {
    /// Id of the first of `rows`.
    pub(crate) first_event: i64,
    pub(crate) rows: Vec<JournalEntry>,
    pub(crate) time: Timestamp,
}

impl Core {
    /// Publishes what was committed, and first what other programs have committed before it.
    pub(crate) async fn publish(&mut self, committed: Committed) {
        let Some(last) = (committed.rows.len() as i64 - 1).checked_add(committed.first_event)
        else {
            return;
        };
        if committed.rows.is_empty() {
            return;
        }
        let is_gap = committed.first_event > self.outbox.head + 1;
        if is_gap {
            self.count_foreign(committed.first_event - 1).await;
        }
        // Imported rows have happened elsewhere, and earlier.
        let own = committed.rows.iter().filter(|row| row.at.is_none());
        let happened = own.filter_map(|row| Happened::of(row.kind));
        self.stats.count(committed.time, happened);
        self.wake_waiters(&committed.rows);
        if !self.outbox.bus.has_listeners() {
            return self.skip(last);
        }
        if is_gap {
            self.publish_foreign(committed.first_event - 1).await;
        }
        let events: Vec<Event> = (committed.first_event..)
            .zip(committed.rows)
            .map(|(id, row)| row.into_event(id, committed.time))
            .collect();
        self.publish_events(last, events);
    }

    /// Wakes the clients that wait for the tasks whose attempts end with these entries.
    fn wake_waiters(&self, rows: &[JournalEntry]) {
        let waiters = &self.outbox.waiters;
        let ended = waiters.ended(rows);
        if !ended.is_empty() {
            let waiters = waiters.clone();
            self.outbox.after_sync.deliver(move || waiters.wake(ended));
        }
    }

    /// Says that pending tasks have ended.
    pub(crate) fn say_that_waiting_ended(&self) {
        let waiting_ended = Arc::clone(&self.outbox.waiting_ended);
        let after_sync = &self.outbox.after_sync;
        after_sync.deliver(move || waiting_ended.notify_one());
    }

    /// Publishes these events, up to `last`.
    fn publish_events(&mut self, last: i64, events: Vec<Event>) {
        self.outbox.head = last;
        let bus = self.outbox.bus.clone();
        self.outbox.after_sync.deliver(move || bus.publish(events));
    }

    /// Announces the rows up to `last` without their events.
    fn skip(&mut self, last: i64) {
        self.outbox.head = last;
        let bus = self.outbox.bus.clone();
        self.outbox.after_sync.deliver(move || bus.skip(last));
    }

    /// Publishes unfinished output lines, after what has been committed. They are not stored.
    pub(crate) fn publish_live_lines(&self, lines: Vec<(Attempt, String, OutputLine)>) {
        for (attempt, agent, line) in lines {
            if self.queue.is_running(&attempt) {
                let row = JournalEntry::live_line(attempt.task_id, agent, line);
                let event = row.into_event(self.outbox.head, Timestamp::now());
                let bus = self.outbox.bus.clone();
                self.outbox.after_sync.deliver(move || bus.show(event));
            }
        }
    }

    /// Publishes rows that other programs have written, up to `upto`.
    async fn publish_foreign(&mut self, upto: i64) {
        const PAGE: u32 = 1000;
        while self.outbox.head < upto {
            let after = self.outbox.head;
            match events::events_after(&mut self.db.conn, after, upto, PAGE).await {
                Ok(events) => match events.last().map(|event| event.id) {
                    Some(last) => self.publish_events(last, events),
                    // These ids were never used: listeners skip them.
                    None => return self.skip(upto),
                },
                Err(error) => {
                    tracing::warn!(%error, "the journal cannot be read");
                    return self.skip(upto);
                }
            }
        }
    }

    /// Publishes everything that other programs have written.
    pub(crate) async fn publish_outside(&mut self) -> Result<(), Error> {
        let newest = events::newest_event(&mut self.db.conn).await?;
        if newest > self.outbox.head {
            self.count_foreign(newest).await;
            if self.outbox.bus.has_listeners() {
                self.publish_foreign(newest).await;
            } else {
                self.skip(newest);
            }
        }
        Ok(())
    }

    /// Counts what other programs have submitted, in the unpublished journal rows up to `upto`.
    async fn count_foreign(&mut self, upto: i64) {
        let (after, kind) = (self.outbox.head, EventType::TaskCreated.as_str());
        let count = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!: i64" FROM logs WHERE id > ?1 AND id <= ?2 AND type = ?3"#,
            after,
            upto,
            kind
        )
        .fetch_one(&mut self.db.conn)
        .await;
        match count {
            Ok(count) => {
                let meters = self.meters.other();
                meters.created.inc_by(u64::try_from(count).unwrap_or(0));
                let created = (0..count).map(|_| Happened::Created);
                self.stats.count(Timestamp::now(), created);
            }
            Err(error) => tracing::debug!(%error, "submissions of others are not counted"),
        }
    }
}
