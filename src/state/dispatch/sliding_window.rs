//! A sliding window over the recent starts of one processor or key. Pure.
//!
//! A start counts for one period of the rate. So no interval of that length, wherever it begins, contains more
//! starts than the rate allows.

use std::collections::VecDeque;

use crate::config::Rate;
use crate::models::Timestamp;

/// The starts that may still count, oldest first.
#[derive(Debug, Default)]
pub(crate) struct SlidingWindow(VecDeque<Timestamp>);

impl SlidingWindow {
    /// Records a start at `at`.
    pub(crate) fn record(&mut self, at: Timestamp, rate: Rate) {
        self.drop_expired(at, rate);
        self.0.push_back(at);
    }

    /// Returns how many starts the rate allows at `now`.
    pub(crate) fn available(&self, now: Timestamp, rate: Rate) -> u64 {
        let counted = self.0.len() - self.expired(now, rate);
        u64::from(rate.starts).saturating_sub(counted as u64)
    }

    /// Returns when the rate allows the next start; `None` if it allows one at `now`.
    pub(crate) fn frees_at(&self, now: Timestamp, rate: Rate) -> Option<Timestamp> {
        if self.available(now, rate) > 0 {
            return None;
        }
        let index = self.0.len().checked_sub(rate.starts as usize)?;
        self.0.get(index).map(|start| start.after(rate.per))
    }

    /// Moves every start by `seconds`, because the clock was set.
    pub(crate) fn shift(&mut self, seconds: f64) {
        for start in &mut self.0 {
            *start = start.shifted(seconds);
        }
    }

    /// Returns whether no start counts at `now`, so that the window can be dropped.
    pub(crate) fn is_idle(&self, now: Timestamp, rate: Rate) -> bool {
        self.expired(now, rate) == self.0.len()
    }

    fn expired(&self, now: Timestamp, rate: Rate) -> usize {
        let since = now.before(rate.per);
        self.0.partition_point(|start| *start <= since)
    }

    fn drop_expired(&mut self, now: Timestamp, rate: Rate) {
        let expired = self.expired(now, rate);
        self.0.drain(..expired);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_000_000 + seconds).unwrap()
    }

    #[test]
    fn no_interval_contains_more_starts_than_the_rate() {
        let rate = Rate {
            starts: 3,
            per: Duration::from_secs(60),
        };
        let mut starts = SlidingWindow::default();
        let mut taken = Vec::new();
        for second in 0..600 {
            // Starts as many as it can, at irregular times.
            if second % 7 == 0 || second % 11 == 0 {
                while starts.available(at(second), rate) > 0 {
                    starts.record(at(second), rate);
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
    fn it_returns_when_the_next_start_is_allowed() {
        let rate = Rate {
            starts: 2,
            per: Duration::from_secs(10),
        };
        let mut starts = SlidingWindow::default();
        assert_eq!(starts.frees_at(at(0), rate), None);
        starts.record(at(0), rate);
        starts.record(at(4), rate);
        assert_eq!(starts.frees_at(at(5), rate), Some(at(10)));
        assert_eq!(starts.available(at(9), rate), 0);
        assert_eq!(starts.available(at(10), rate), 1);
        assert!(!starts.is_idle(at(13), rate));
        assert!(starts.is_idle(at(14), rate));
    }

    #[test]
    fn setting_the_clock_changes_no_wait() {
        let rate = Rate {
            starts: 1,
            per: Duration::from_secs(10),
        };
        let mut starts = SlidingWindow::default();
        starts.record(at(0), rate);
        for moved in [-600, 3600, 86_400 * 400] {
            starts.shift(moved as f64);
            assert_eq!(starts.frees_at(at(4 + moved), rate), Some(at(10 + moved)));
            starts.shift(-moved as f64);
        }
    }

    #[test]
    fn a_lowered_rate_counts_the_earlier_starts() {
        let rate = |starts| Rate {
            starts,
            per: Duration::from_secs(10),
        };
        let mut starts = SlidingWindow::default();
        for second in 0..4 {
            starts.record(at(second), rate(4));
        }
        assert_eq!(starts.available(at(5), rate(2)), 0);
        assert_eq!(starts.frees_at(at(5), rate(2)), Some(at(12)));
    }
    proptest! {
        #[test]
        fn it_allows_exactly_what_a_list_of_all_starts_allows(
            starts in 1..5_u32,
            per in 1..15_i64,
            rounds in vec((0..9_i64, 0..4_usize), 0..50),
        ) {
            let rate = Rate { starts, per: Duration::from_secs(per.unsigned_abs()) };
            let mut window = SlidingWindow::default();
            let mut all: Vec<i64> = Vec::new();
            let mut now = 0;
            for (pause, wanted) in rounds {
                now += pause;
                let allowed = |all: &[i64], time: i64| {
                    let counted = all.iter().filter(|start| time - **start < per).count();
                    (starts as usize).saturating_sub(counted)
                };
                let available = allowed(&all, now);
                prop_assert_eq!(window.available(at(now), rate), available as u64);
                let frees_at = (now..).find(|time| allowed(&all, *time) > 0).unwrap();
                prop_assert_eq!(window.frees_at(at(now), rate).unwrap_or(at(now)), at(frees_at));
                prop_assert_eq!(window.is_idle(at(now), rate), available == starts as usize);
                for _ in 0..wanted.min(available) {
                    window.record(at(now), rate);
                    all.push(now);
                }
            }
            for first in &all {
                let within = all.iter().filter(|start| (*first..first + per).contains(*start));
                prop_assert!(within.count() <= starts as usize, "{:?}", all);
            }
        }
    }
}
