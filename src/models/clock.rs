//! Detects that the system clock was set, by comparing it with the monotonic clock, and tells whether it can be trusted.
//! Data that is deleted because of a wrong clock is lost.

use std::time::Duration;

use tokio::time::Instant;

use super::Timestamp;

/// A larger difference means that the clock was set; a smaller one is drift or a slow transaction.
const SET_SECONDS: f64 = 120.0;
/// Time without a step after which the clock is trusted.
const STEADY: Duration = Duration::from_mins(10);
/// Time between the two readings, unless the machine is overloaded.
const TOGETHER: Duration = Duration::from_millis(10);
const TRIES: usize = 4;

/// A reading of both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) time: Timestamp,
    /// Does not advance while the machine sleeps.
    pub(crate) instant: Instant,
}

impl Reading {
    /// Reads both clocks, and again if this thread was suspended in between, which is no step.
    pub(crate) fn now() -> Self {
        let mut tries = 1;
        loop {
            let before = Instant::now();
            let time = Timestamp::now();
            let instant = Instant::now();
            if instant.duration_since(before) < TOGETHER || tries == TRIES {
                return Self { time, instant };
            }
            tries += 1;
        }
    }
}

/// The system clock with its last reading.
#[derive(Debug)]
pub(crate) struct Clock {
    time: Timestamp,
    instant: Instant,
    /// Since when it is steady; `None`: since before the first reading.
    since: Option<Instant>,
}

impl Clock {
    /// Returns a clock that is not steady yet.
    pub(crate) fn new(time: Timestamp, instant: Instant) -> Self {
        Self {
            time,
            instant,
            since: Some(instant),
        }
    }

    /// Returns a clock that is trusted until it is set.
    pub(crate) fn trusted(now: Reading) -> Self {
        Self {
            since: None,
            ..Self::new(now.time, now.instant)
        }
    }

    /// Returns by how many seconds the clock was set since the last reading; negative if it was set back.
    pub(crate) fn moved(&mut self, time: Timestamp, instant: Instant) -> f64 {
        let passed = instant.saturating_duration_since(self.instant);
        let moved = time.seconds_since(self.time) - passed.as_secs_f64();
        if moved.abs() > SET_SECONDS {
            self.since = Some(instant);
        }
        (self.time, self.instant) = (time, instant);
        moved
    }

    /// Returns whether the clock was set by minutes since the last reading.
    pub(crate) fn was_set(&mut self, time: Timestamp, instant: Instant) -> bool {
        self.moved(time, instant).abs() > SET_SECONDS
    }

    /// Returns whether the clock can be trusted.
    pub(crate) fn is_steady(&self, instant: Instant) -> bool {
        self.since
            .is_none_or(|since| instant.saturating_duration_since(since) >= STEADY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn a_clock_that_was_set_is_trusted_again_after_a_while() {
        let now = Reading::now();
        let mut clock = Clock::trusted(now);
        assert!(clock.is_steady(now.instant));
        let (ahead, instant) = (now.time.after(400 * 24 * 60 * MINUTE), now.instant + MINUTE);
        assert!(clock.was_set(ahead, instant));
        assert!(!clock.is_steady(instant + 9 * MINUTE));
        assert!(clock.is_steady(instant + 10 * MINUTE));
        let back = now.time.after(MINUTE);
        let moved = clock.moved(back, instant + MINUTE);
        assert!((moved + 400.0 * 86_400.0).abs() < 1.0, "{moved}");
        assert!(!clock.is_steady(instant + 10 * MINUTE));
    }

    #[test]
    fn an_unknown_clock_is_not_trusted_at_once() {
        let now = Reading::now();
        let mut clock = Clock::new(now.time, now.instant);
        assert!(!clock.is_steady(now.instant));
        assert_eq!(
            clock.moved(now.time.after(MINUTE), now.instant + MINUTE),
            0.0
        );
        assert!(clock.is_steady(now.instant + 10 * MINUTE));
    }
}
