//! The partial result of a running task, for `task_update`: the front end of the original reads an answer there
//! and does not know `task_output`.
//!
//! Each update repeats the whole text, so updates become rarer as it grows: at most 64 KiB a second. Text beyond
//! [`SHOWN_BYTES`] appears when the task has finished; `task_output` carries all of it.

use std::time::Duration;

use tokio::time::Instant;

use crate::models::TaskId;
use crate::state::{AnswerUpdate, Error, StateManager};

/// Longest text that is shown before the task has finished.
const SHOWN_BYTES: usize = 256 * 1024;
/// The pause between two updates, for each [`STEP_BYTES`] of text that have begun.
const INTERVAL: Duration = Duration::from_millis(250);
const STEP_BYTES: usize = 16 * 1024;
/// Journal rows read at a time.
const ROWS: u32 = 1000;

/// The output of the running attempt so far.
pub(crate) struct Growing {
    text: String,
    /// The newest journal row that `text` includes.
    known: i64,
    /// Whether `text` has reached [`SHOWN_BYTES`].
    is_full: bool,
    /// Whether `text` has grown since it was last shown.
    is_behind: bool,
    /// Earliest time of the next update.
    next: Instant,
}

impl Growing {
    pub(crate) fn new() -> Self {
        Self {
            text: String::new(),
            known: 0,
            is_full: false,
            is_behind: false,
            next: Instant::now(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Returns the time of the next update; `None` if the text has not grown.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.is_behind.then_some(self.next)
    }

    /// Returns the text if its update is due, and schedules the next one.
    pub(crate) fn take_due(&mut self) -> Option<String> {
        let now = Instant::now();
        self.next_at().filter(|due| *due <= now)?;
        self.is_behind = false;
        let steps = u32::try_from(self.text.len() / STEP_BYTES + 1).unwrap_or(u32::MAX);
        self.next = now + INTERVAL.saturating_mul(steps);
        Some(self.text.clone())
    }

    /// Returns the text, if it is short, for an update that is sent anyway.
    pub(crate) fn show_along(&self) -> Option<String> {
        let is_short = (1..=STEP_BYTES).contains(&self.text.len());
        is_short.then(|| self.text.clone())
    }

    /// Schedules no update until the text grows again.
    pub(crate) fn suspend(&mut self) {
        self.is_behind = false;
    }

    /// Reads the output up to journal row `upto`.
    pub(crate) async fn read(
        &mut self,
        state: &StateManager,
        id: TaskId,
        upto: i64,
    ) -> Result<(), Error> {
        loop {
            let rows = state.task_growth(id, self.known, upto, ROWS).await?;
            let has_more = rows.len() >= ROWS as usize;
            for (row, growth) in rows {
                self.known = row;
                self.apply(growth);
            }
            if !has_more {
                self.known = self.known.max(upto);
                return Ok(());
            }
        }
    }

    fn apply(&mut self, growth: AnswerUpdate) {
        match growth {
            // Each attempt starts with an empty answer.
            AnswerUpdate::Attempt => {
                self.text.clear();
                self.is_full = false;
            }
            AnswerUpdate::Output(mut more) => {
                if self.is_full {
                    return;
                }
                let capacity = SHOWN_BYTES - self.text.len();
                self.is_full = more.len() > capacity;
                more.truncate(more.floor_char_boundary(capacity));
                self.text.push_str(&more);
                self.is_behind |= !more.is_empty();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn growing(texts: &[&str]) -> Growing {
        let mut growing = Growing::new();
        for text in texts {
            growing.apply(AnswerUpdate::Output((*text).to_owned()));
        }
        growing
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_shown_at_once_and_then_when_it_has_grown_and_time_has_passed() {
        let mut growing = growing(&["a", "b"]);
        assert_eq!(growing.take_due().as_deref(), Some("ab"));
        assert_eq!((growing.take_due(), growing.next_at()), (None, None));
        growing.apply(AnswerUpdate::Output("c".to_owned()));
        assert_eq!(growing.take_due(), None);
        assert_eq!(growing.show_along().as_deref(), Some("abc"));
        tokio::time::advance(INTERVAL).await;
        assert_eq!(growing.take_due().as_deref(), Some("abc"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_text_is_shown_less_often_and_alone() {
        let mut growing = growing(&[&"x".repeat(4 * STEP_BYTES)]);
        assert_eq!(growing.show_along(), None);
        assert!(growing.take_due().is_some());
        growing.apply(AnswerUpdate::Output("y".to_owned()));
        tokio::time::advance(4 * INTERVAL).await;
        assert_eq!(growing.take_due(), None);
        tokio::time::advance(INTERVAL).await;
        assert!(growing.take_due().is_some());
    }

    #[tokio::test]
    async fn an_attempt_begins_anew_and_what_is_too_long_ends_at_a_character() {
        let mut growing = growing(&[&"x".repeat(SHOWN_BYTES - 1), "ä", "z"]);
        assert_eq!(growing.text, "x".repeat(SHOWN_BYTES - 1));
        assert!(growing.take_due().is_some());
        growing.apply(AnswerUpdate::Output("no more".to_owned()));
        assert_eq!(growing.next_at(), None);
        growing.apply(AnswerUpdate::Attempt);
        assert!(growing.is_empty() && growing.show_along().is_none());
        growing.apply(AnswerUpdate::Output("c".to_owned()));
        assert_eq!(growing.show_along().as_deref(), Some("c"));
    }
}
