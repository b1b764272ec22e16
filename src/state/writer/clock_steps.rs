//! Reacts to a system clock that was set: repairs the times of pending tasks, chunk by chunk.
//!
//! Most waiting is for a length of time: a retry for its pause, a rate for its window, a delay. They are
//! stored as times of day, because these survive a restart. When the clock is set back, those that were
//! computed by the earlier clock lie too far ahead, and what was submitted without a delay waits for a
//! time that was the present once. So the Writer compares the clock with the time that passes in each turn,
//! and at a start with the journal, and repairs such times. What a person has chosen by the time of day
//! (`run_at`) stays as it is.

use tokio::time::Instant;

use crate::models::{Reading, Timestamp};
use crate::state::db::meta;
use crate::state::dispatch::paused_processors;
use crate::state::error::Error;
use crate::state::journal::entry::JournalEntry;
use crate::state::query::task_lookups;
use crate::state::writer::background::BackgroundJob;
use crate::state::writer::core::Core;
use crate::state::writer::repair_times::{
    CHUNK_ROWS, RepairTimes, STEP_SECONDS, repair_keys, repair_starts, set_run_at, tasks_waiting,
    words_of,
};

impl Core {
    /// Notices that the clock was set since the last turn.
    pub(crate) async fn look_at_clock(&mut self) {
        let Reading { time, instant } = Reading::now();
        let moved = self.clock.clock.moved(time, instant);
        if moved.abs() < STEP_SECONDS {
            return;
        }
        self.queue.shift(moved);
        self.due_since.shift(moved);
        self.clock.times_forgotten = Some(instant);
        self.more_to_claim = true;
        self.renew_pauses(time);
        self.begin_repair_if_needed(moved);
        let words = words_of(moved);
        tracing::warn!("{words}");
        let data = serde_json::json!({ "clock_moved_seconds": moved.round() });
        let entry = JournalEntry::told("WARNING", &words, data);
        if let Err(error) = self.journal(entry).await {
            self.note_failure(&error);
        }
    }

    fn begin_repair_if_needed(&mut self, moved: f64) {
        let is_repair = |job: &BackgroundJob| matches!(job, BackgroundJob::RepairTimes(_));
        let background = &mut self.background;
        let is_repairing = (background.jobs.iter())
            .chain(&background.retry_later)
            .any(is_repair);
        if moved < 0.0 || self.clock.brought_forward || is_repairing {
            // The new repair covers what an earlier one has left.
            background.jobs.retain(|job| !is_repair(job));
            background.retry_later.retain(|job| !is_repair(job));
            let repair = RepairTimes::new(self.clock.brought_forward);
            background
                .jobs
                .push_front(BackgroundJob::RepairTimes(repair));
            self.queue.restoring = self.clock.brought_forward;
        }
    }

    /// Does one chunk of a repair.
    pub(crate) async fn work_on_times(&mut self, mut repair: RepairTimes) {
        match self.repair_chunk(&mut repair).await {
            Err(error) => {
                self.note_failure(&error);
                let job = BackgroundJob::RepairTimes(repair);
                self.background.retry_later.push(job);
            }
            Ok(()) if repair.upto == Some(0) => {
                self.queue.restoring = false;
                self.more_to_claim = true;
                if repair.repaired > 0 {
                    let tasks = repair.repaired;
                    tracing::info!(
                        tasks,
                        "pending tasks start as if the clock had not been set"
                    );
                }
            }
            Ok(()) => {
                let job = BackgroundJob::RepairTimes(repair);
                self.background.jobs.push_back(job);
            }
        }
    }

    async fn repair_chunk(&mut self, repair: &mut RepairTimes) -> Result<(), Error> {
        self.refuse_if_unwritable()?;
        let now = Timestamp::now();
        let at = *repair.at.get_or_insert(now);
        let (is_first, upto) = match repair.upto {
            Some(upto) => (false, upto),
            None => (true, task_lookups::newest_seq(&mut self.db.conn).await?),
        };
        let after = (upto - CHUNK_ROWS).max(0);
        let waiting = tasks_waiting(&mut self.db.conn, after, upto, at, repair.restores).await?;
        let mut others = Vec::new();
        let mut brought_forward = 0;
        for task in &waiting {
            let right = task.right_time(at, now, repair.restores);
            if let Some(right) = right {
                others.push((task.seq, task.run_at, right));
            }
            brought_forward += u64::from(task.is_brought_forward(right));
        }
        if is_first {
            self.repair_the_rest(at).await?;
        }
        if brought_forward > 0 && !self.clock.brought_forward {
            // Before the tasks, so that it is known whatever happens between the two.
            self.execute(async |conn| meta::set(conn, meta::BROUGHT_FORWARD, "true").await)
                .await?;
            self.clock.brought_forward = true;
        }
        if !others.is_empty() {
            self.execute(async |conn| set_run_at(conn, &others).await)
                .await?;
            self.queue.lanes.forget_times();
            self.clock.times_forgotten = Some(Instant::now());
            self.more_to_claim = true;
        }
        let all = repair.brought_forward + brought_forward;
        if after == 0 && all == 0 && self.clock.brought_forward {
            self.execute(async |conn| meta::delete(conn, meta::BROUGHT_FORWARD).await)
                .await?;
            self.clock.brought_forward = false;
        }
        repair.brought_forward = all;
        repair.upto = Some(after);
        repair.repaired += others.len() as u64;
        Ok(())
    }

    /// Renews pauses and holds by the new clock.
    fn renew_pauses(&mut self, now: Timestamp) {
        let queue = &mut self.queue;
        let pauses = queue
            .pause
            .iter_mut()
            .chain(queue.paused_processors.values_mut());
        for pause in pauses {
            *pause = pause.clone().begun_by(now);
        }
    }

    /// Stores pauses and holds, and repairs the starts that rates count and the age of idempotency keys.
    async fn repair_the_rest(&mut self, time: Timestamp) -> Result<(), Error> {
        let pause = self.queue.pause.as_ref().map(serde_json::to_string);
        let pause = pause.transpose()?;
        let closed = self.queue.paused_processors.clone();
        self.transact_unjournaled(async |conn| {
            if let Some(pause) = &pause {
                meta::set(conn, meta::PAUSE, pause).await?;
            }
            if !closed.is_empty() {
                paused_processors::store(conn, &closed).await?;
            }
            repair_starts(conn, time).await?;
            repair_keys(conn, time).await
        })
        .await
    }
}
