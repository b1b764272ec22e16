//! Counts each commit, for the charts and for Prometheus.

use crate::models::{ClaimedTask, Failure, Outcome, Timestamp};
use crate::state::dispatch::running::FreedSlot;
use crate::state::stats::tally::Happened;
use crate::state::writer::batch::{AttemptReport, WriteBatch};
use crate::state::writer::commit::TxOutput;
use crate::state::writer::core::Core;

impl Core {
    /// Counts the claimed tasks, with the time that they waited.
    pub(crate) fn count_claimed(&mut self, output: &TxOutput, now: Timestamp) {
        let mut waited = Vec::with_capacity(output.claimed.len());
        for (task, due) in output.claimed.iter().zip(&output.due) {
            let seconds = now.seconds_since(self.due_since.remove(due)).max(0.0);
            waited.push(self.count_claim(task, seconds));
        }
        self.stats.count(now, waited);
    }

    /// Counts the submissions, and those that started at once.
    pub(crate) fn count_submitted(
        &self,
        batch: &WriteBatch,
        started: &[ClaimedTask],
        now: Timestamp,
    ) {
        for submission in &batch.submissions {
            self.meters.of(&submission.task.processor).created.inc();
        }
        let at_once = started.iter().map(|task| self.count_claim(task, 0.0));
        self.stats.count(now, at_once);
    }

    fn count_claim(&self, task: &ClaimedTask, waited: f64) -> Happened {
        let meters = self.meters.of(&task.processor);
        meters.claims.inc();
        meters.wait.observe(waited);
        Happened::waited(waited)
    }

    /// Counts an attempt whose task is final. Returns its run time for the charts.
    pub(crate) fn count_finished(
        &self,
        report: &AttemptReport,
        freed: Option<FreedSlot>,
        now: Timestamp,
    ) -> Option<Happened> {
        let (AttemptReport::Finished { outcome, .. }, Some(freed)) = (report, freed) else {
            return None;
        };
        let meters = self.meters.of(&freed.processor);
        match outcome {
            Outcome::Completed { .. } => meters.completed.inc(),
            Outcome::Failed { failure, .. } => meters.failed(*failure, 1),
            Outcome::Reschedule(_) => {}
        }
        Some(self.count_run(&freed, now))
    }

    /// Counts an attempt whose task is PENDING again.
    pub(crate) fn count_retried(&self, freed: Option<FreedSlot>, now: Timestamp) {
        if let Some(freed) = freed {
            self.meters.of(&freed.processor).retries.inc();
            self.stats.count(now, [self.count_run(&freed, now)]);
        }
    }

    fn count_run(&self, freed: &FreedSlot, now: Timestamp) -> Happened {
        let seconds = now.seconds_since(freed.since).max(0.0);
        self.meters.of(&freed.processor).run.observe(seconds);
        Happened::ran(seconds)
    }

    pub(crate) fn meter_purged(&self, processor: &str) {
        self.meters.of(processor).failed(Failure::Purged, 1);
    }
}
