//! A bucket of start tokens: each start takes one, and it comes back one period later. So no window of
//! that length, wherever it begins, ever sees more starts than the rate allows. Pure.

use std::collections::VecDeque;

use crate::config::Rate;
use crate::models::Timestamp;

/// The recent starts of one processor or key, oldest first.
#[derive(Debug, Default)]
pub(crate) struct SlidingWindow(VecDeque<Timestamp>);

impl SlidingWindow {
    /// Takes a token.
    pub(crate) fn push(&mut self, at: Timestamp, rate: Rate) {
        self.forget(at, rate);
        self.0.push_back(at);
    }

    /// Tokens in the bucket.
    pub(crate) fn free(&self, now: Timestamp, rate: Rate) -> u64 {
        let out = self.0.len() - self.returned(now, rate);
        u64::from(rate.starts).saturating_sub(out as u64)
    }

    /// When the bucket has a token again, if it has none.
    pub(crate) fn frees_at(&self, now: Timestamp, rate: Rate) -> Option<Timestamp> {
        if self.free(now, rate) > 0 {
            return None;
        }
        let oldest_out = self.0.len().checked_sub(rate.starts as usize)?;
        self.0.get(oldest_out).map(|start| start.after(rate.per))
    }

    /// The clock was set: the starts are as long ago as they were.
    pub(crate) fn shift(&mut self, seconds: f64) {
        for start in &mut self.0 {
            *start = start.shifted(seconds);
        }
    }

    /// Whether all tokens are back, so that nothing need be remembered.
    pub(crate) fn is_idle(&self, now: Timestamp, rate: Rate) -> bool {
        self.returned(now, rate) == self.0.len()
    }

    fn returned(&self, now: Timestamp, rate: Rate) -> usize {
        let since = now.before(rate.per);
        self.0.partition_point(|start| *start <= since)
    }

    fn forget(&mut self, now: Timestamp, rate: Rate) {
        let returned = self.returned(now, rate);
        self.0.drain(..returned);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_000_000 + seconds).unwrap()
    }

    #[test]
    fn no_window_sees_more_starts_than_the_rate() {
        let rate = Rate {
            starts: 3,
            per: Duration::from_secs(60),
        };
        let mut starts = SlidingWindow::default();
        let mut taken = Vec::new();
        for second in 0..600 {
            // Greedy at odd moments.
            if second % 7 == 0 || second % 11 == 0 {
                while starts.free(at(second), rate) > 0 {
                    starts.push(at(second), rate);
                    taken.push(second);
                }
            }
        }
        assert!(taken.len() > 20);
        for window in taken.windows(4) {
            assert!(window[3] - window[0] >= 60, "{window:?}");
        }
    }

    #[test]
    fn it_says_when_the_next_token_comes_back() {
        let rate = Rate {
            starts: 2,
            per: Duration::from_secs(10),
        };
        let mut starts = SlidingWindow::default();
        assert_eq!(starts.frees_at(at(0), rate), None);
        starts.push(at(0), rate);
        starts.push(at(4), rate);
        assert_eq!(starts.frees_at(at(5), rate), Some(at(10)));
        assert_eq!(starts.free(at(9), rate), 0);
        assert_eq!(starts.free(at(10), rate), 1);
        assert!(!starts.is_idle(at(13), rate));
        assert!(starts.is_idle(at(14), rate));
    }

    #[test]
    fn a_clock_that_is_set_changes_no_wait() {
        let rate = Rate {
            starts: 1,
            per: Duration::from_secs(10),
        };
        let mut starts = SlidingWindow::default();
        starts.push(at(0), rate);
        for moved in [-600, 3600, 86_400 * 400] {
            starts.shift(moved as f64);
            assert_eq!(starts.frees_at(at(4 + moved), rate), Some(at(10 + moved)));
            starts.shift(-moved as f64);
        }
    }

    #[test]
    fn a_rate_that_was_lowered_waits_for_the_tokens_that_are_out() {
        let rate = |starts| Rate {
            starts,
            per: Duration::from_secs(10),
        };
        let mut starts = SlidingWindow::default();
        for second in 0..4 {
            starts.push(at(second), rate(4));
        }
        assert_eq!(starts.free(at(5), rate(2)), 0);
        assert_eq!(starts.frees_at(at(5), rate(2)), Some(at(12)));
    }
}
