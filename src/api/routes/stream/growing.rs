//! The result of a task that still runs, as far as it has come: `task_update` shows it, because the front end
//! of the original reads an answer there and knows no `task_output`.
//!
//! Each update repeats the whole text, so they come less often as it grows: at most 64 KiB of it a second.
//! What follows the first [`SHOWN_BYTES`] is shown when the task has finished; `task_output` has all of it.

use std::time::Duration;

use tokio::time::Instant;

use crate::models::TaskId;
use crate::state::{AnswerUpdate, Error, StateManager};

/// The longest text that is shown before it is whole.
const SHOWN_BYTES: usize = 256 * 1024;
/// The pause between two updates, for each [`STEP_BYTES`] of text that have begun.
const INTERVAL: Duration = Duration::from_millis(250);
const STEP_BYTES: usize = 16 * 1024;
/// Journal rows read at a time.
const ROWS: u32 = 1000;

/// What the running attempt of one task has given out so far.
pub(crate) struct Growing {
    text: String,
    /// The newest journal row that `text` knows.
    known: i64,
    /// The text takes no more.
    is_full: bool,
    /// There is more than was shown.
    is_behind: bool,
    /// Before this, nothing is shown.
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

    /// When it is to be shown; `None` if nothing is new.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.is_behind.then_some(self.next)
    }

    /// The text for an update that is due.
    pub(crate) fn show_if_due(&mut self) -> Option<String> {
        let now = Instant::now();
        self.due().filter(|due| *due <= now)?;
        self.is_behind = false;
        let steps = u32::try_from(self.text.len() / STEP_BYTES + 1).unwrap_or(u32::MAX);
        self.next = now + INTERVAL.saturating_mul(steps);
        Some(self.text.clone())
    }

    /// The text for an update that is sent anyway, if it is short.
    pub(crate) fn show_along(&self) -> Option<String> {
        let is_short = (1..=STEP_BYTES).contains(&self.text.len());
        is_short.then(|| self.text.clone())
    }

    /// The task does not run: there is nothing to show before it runs again.
    pub(crate) fn rest(&mut self) {
        self.is_behind = false;
    }

    /// Reads it as it is by journal row `upto`.
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
                self.take(growth);
            }
            if !has_more {
                self.known = self.known.max(upto);
                return Ok(());
            }
        }
    }

    fn take(&mut self, growth: AnswerUpdate) {
        match growth {
            // An attempt begins its answer anew.
            AnswerUpdate::Attempt => {
                self.text.clear();
                self.is_full = false;
            }
            AnswerUpdate::Output(mut more) => {
                if self.is_full {
                    return;
                }
                let room = SHOWN_BYTES - self.text.len();
                self.is_full = more.len() > room;
                more.truncate(more.floor_char_boundary(room));
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
            growing.take(AnswerUpdate::Output((*text).to_owned()));
        }
        growing
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_shown_at_once_and_then_when_it_has_grown_and_time_has_passed() {
        let mut growing = growing(&["a", "b"]);
        assert_eq!(growing.show_if_due().as_deref(), Some("ab"));
        assert_eq!((growing.show_if_due(), growing.due()), (None, None));
        growing.take(AnswerUpdate::Output("c".to_owned()));
        assert_eq!(growing.show_if_due(), None);
        assert_eq!(growing.show_along().as_deref(), Some("abc"));
        tokio::time::advance(INTERVAL).await;
        assert_eq!(growing.show_if_due().as_deref(), Some("abc"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_text_is_shown_less_often_and_alone() {
        let mut growing = growing(&[&"x".repeat(4 * STEP_BYTES)]);
        assert_eq!(growing.show_along(), None);
        assert!(growing.show_if_due().is_some());
        growing.take(AnswerUpdate::Output("y".to_owned()));
        tokio::time::advance(4 * INTERVAL).await;
        assert_eq!(growing.show_if_due(), None);
        tokio::time::advance(INTERVAL).await;
        assert!(growing.show_if_due().is_some());
    }

    #[tokio::test]
    async fn an_attempt_begins_anew_and_what_is_too_long_ends_at_a_character() {
        let mut growing = growing(&[&"x".repeat(SHOWN_BYTES - 1), "ä", "z"]);
        assert_eq!(growing.text, "x".repeat(SHOWN_BYTES - 1));
        assert!(growing.show_if_due().is_some());
        growing.take(AnswerUpdate::Output("no more".to_owned()));
        assert_eq!(growing.due(), None);
        growing.take(AnswerUpdate::Attempt);
        assert!(growing.is_empty() && growing.show_along().is_none());
        growing.take(AnswerUpdate::Output("c".to_owned()));
        assert_eq!(growing.show_along().as_deref(), Some("c"));
    }
}
