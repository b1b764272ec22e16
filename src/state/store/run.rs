//! `StateManager`: claims, polls of outside workers, and reports of running attempts.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::models::{
    Attempt, ClaimedTask, EVENT_LIMIT_BYTES, OfferId, Outcome, TaskId, TaskStatus,
};
use crate::state::commands::claim::{StartClaiming, StopClaiming};
use crate::state::commands::worker_poll::{OfferSlots, WithdrawOffer};
use crate::state::error::Error;
use crate::state::query::task_lookups;
use crate::state::store::StateManager;
use crate::state::writer::batch::AttemptReport;
use crate::state::writer::completion_waiters::Waiter;
use crate::terminal::OutputLine;

/// Bytes of an answer in one event. They fit even if JSON takes six bytes for each.
const OUTPUT_LIMIT_BYTES: usize = EVENT_LIMIT_BYTES / 8;
/// Time after which a waiter reads the task itself, in case another program has changed it.
const FALLBACK_READ: Duration = Duration::from_secs(1);

impl StateManager {
    /// Starts claiming: the Writer starts ready tasks and sends them to the returned channel. It first sends the
    /// attempts that outside workers have had since before the start of the service.
    ///
    /// # Errors
    /// When the Writer is gone.
    pub(crate) async fn claim(&self) -> Result<mpsc::UnboundedReceiver<Vec<ClaimedTask>>, Error> {
        // Unbounded, because the concurrency limits bound the number of claimed tasks.
        let (claims, claimed) = mpsc::unbounded_channel();
        self.ask(StartClaiming(claims)).await?;
        Ok(claimed)
    }

    /// Stops claiming: no task starts after this returns.
    ///
    /// # Errors
    /// When the Writer is gone.
    pub(crate) async fn stop_claiming(&self) -> Result<(), Error> {
        self.ask(StopClaiming).await
    }

    /// Offers slots for up to `limit` tasks of these processors, which outside workers run. The caller chooses the
    /// id, so that it can withdraw an offer before it has the answer.
    ///
    /// Ready tasks start before the Writer processes any message that is sent after this returns.
    ///
    /// # Errors
    /// When the Writer is gone.
    pub(crate) async fn offer(
        &self,
        offer: OfferId,
        processors: Vec<String>,
        limit: u64,
    ) -> Result<(), Error> {
        self.ask(OfferSlots {
            id: offer,
            processors,
            limit,
        })
        .await
    }

    /// Ends an offer: no task starts for it after this returns. Returns the number of its unused slots.
    ///
    /// # Errors
    /// When the Writer is gone.
    pub(crate) async fn withdraw(&self, offer: OfferId) -> Result<u64, Error> {
        self.ask(WithdrawOffer(offer)).await
    }

    /// Appends to a running attempt's answer. Waits while the Writer is behind.
    ///
    /// A text that is too long for one event becomes several events, so that listeners get all of it.
    pub(crate) async fn output(&self, attempt: Attempt, agent: &str, mut text: String) {
        while let Some(rest) = split_off(&mut text, OUTPUT_LIMIT_BYTES) {
            self.output_part(attempt, agent, text).await;
            text = rest;
        }
        self.output_part(attempt, agent, text).await;
    }

    /// Reports a text that fits into one event.
    async fn output_part(&self, attempt: Attempt, agent: &str, text: String) {
        let agent = agent.to_owned();
        self.report(AttemptReport::Output {
            attempt,
            agent,
            text,
        })
        .await;
    }

    /// Sets `context_history.<name>` of a running task. Waits while the Writer is behind.
    pub(crate) async fn note(&self, attempt: Attempt, name: &str, value: &Value) {
        let (name, value) = (name.to_owned(), value.to_string());
        self.report(AttemptReport::Note {
            attempt,
            name,
            value,
        })
        .await;
    }

    /// Adds a line to a running attempt's log. Waits while the Writer is behind. The Writer drops a
    /// line of an attempt that has ended.
    pub(crate) async fn log(&self, attempt: Attempt, agent: &str, line: OutputLine) {
        let agent = agent.to_owned();
        self.report(AttemptReport::Line {
            attempt,
            agent,
            line,
        })
        .await;
    }

    /// Publishes an unfinished output line of a running attempt. It is not stored. Waits while the Writer is behind.
    pub(crate) async fn show_live_line(&self, attempt: Attempt, agent: &str, line: OutputLine) {
        if !self.bus.has_listeners() {
            return;
        }
        let agent = agent.to_owned();
        self.report(AttemptReport::LiveLine {
            attempt,
            agent,
            line,
        })
        .await;
    }

    /// Sets a running attempt's progress, 0 to 1. Waits while the Writer is behind.
    pub(crate) async fn set_progress(&self, attempt: Attempt, progress: f64) {
        self.report(AttemptReport::Progress { attempt, progress })
            .await;
    }

    /// Reports the end of an attempt. The Writer stores it as soon as the storage accepts writes. If the service dies
    /// before that, the attempt counts as interrupted.
    pub(crate) async fn finish(&self, attempt: Attempt, outcome: Outcome) {
        self.report(AttemptReport::Finished {
            attempt,
            outcome,
            actor: None,
            reply: None,
        })
        .await;
    }

    /// Reports the end of an attempt like [`StateManager::finish`], and waits until it is stored. Returns whether the
    /// attempt was still running, so that the outcome counts. The journal records the actor of this handle.
    pub(crate) async fn finish_and_wait(&self, attempt: Attempt, outcome: Outcome) -> bool {
        let (reply, answer) = oneshot::channel();
        self.report(AttemptReport::Finished {
            attempt,
            outcome,
            actor: self.actor.clone(),
            reply: Some(reply),
        })
        .await;
        answer.await.unwrap_or(false)
    }

    /// Sends a report to the Writer.
    async fn report(&self, report: AttemptReport) {
        // The Writer is gone only when the process stops; then the attempt counts as interrupted.
        let _ = self.reports.send(report).await;
    }

    /// Registers a waiter for the end of the running attempt, for [`StateManager::ended`]. Call it before you cancel the
    /// attempt, so that the end is not missed.
    pub(crate) fn wait_for_end(&self, task: TaskId) -> Waiter {
        self.waiters.wait_for(task)
    }

    /// Waits until the end of the attempt is stored and returns the task's status: PENDING if it was rescheduled.
    ///
    /// # Errors
    /// When the task cannot be read.
    pub(crate) async fn ended(&self, mut waiter: Waiter) -> Result<TaskStatus, Error> {
        loop {
            if let Ok(Some(status)) = timeout(FALLBACK_READ, waiter.end()).await {
                return Ok(status);
            }
            // A row that another program has changed may have no journal entry.
            match task_lookups::task_state(&self.read, waiter.task()).await? {
                Some((TaskStatus::Processing, _)) => {}
                Some((status, _)) => return Ok(status),
                None => return Ok(TaskStatus::Failed),
            }
        }
    }
}

/// Shortens a text to at most `limit` bytes and returns the rest; `None` if it is short enough.
fn split_off(text: &mut String, limit: usize) -> Option<String> {
    if text.len() <= limit {
        return None;
    }
    Some(text.split_off(text.floor_char_boundary(limit)))
}

#[cfg(test)]
mod tests {
    use crate::state::store::run::split_off;

    #[test]
    fn a_text_is_split_between_characters() {
        let mut text = "aé日b".to_owned();
        assert_eq!(split_off(&mut text, 4).as_deref(), Some("日b"));
        assert_eq!(text, "aé");
        assert_eq!(split_off(&mut text, 3), None);
        assert_eq!(text, "aé");
    }
}
