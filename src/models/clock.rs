//! The time of day against the time that passes: by how much the clock was set, and whether it can be
//! believed. What is deleted by a wrong clock does not come back with the right one.

use std::time::Duration;

use tokio::time::Instant;

use super::Timestamp;

/// A clock that moves this much by itself was set; less is drift, or a slow transaction.
const SET_SECONDS: f64 = 120.0;
/// How long a clock goes on evenly until it is believed.
const STEADY: Duration = Duration::from_mins(10);
/// The two clocks are read within this time of each other, unless the machine is overloaded.
const TOGETHER: Duration = Duration::from_millis(10);
const TRIES: usize = 4;

/// Both clocks, read together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) time: Timestamp,
    /// Stands still while the machine is asleep.
    pub(crate) instant: Instant,
}

impl Reading {
    /// Reads both, and again if this thread lost the processor between the two: that is no leap.
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

/// The clock as it was looked at last.
#[derive(Debug)]
pub(crate) struct Clock {
    time: Timestamp,
    instant: Instant,
    /// Since when it goes on evenly; `None`: since before it was first looked at.
    since: Option<Instant>,
}

impl Clock {
    /// A clock that nobody has looked at before: it is not steady yet.
    pub(crate) fn new(time: Timestamp, instant: Instant) -> Self {
        Self {
            time,
            instant,
            since: Some(instant),
        }
    }

    /// A clock that is believed until it is set.
    pub(crate) fn trusted(now: Reading) -> Self {
        Self {
            since: None,
            ..Self::new(now.time, now.instant)
        }
    }

    /// By how many seconds the clock was set since the last look: negative if it was set back.
    pub(crate) fn moved(&mut self, time: Timestamp, instant: Instant) -> f64 {
        let passed = instant.saturating_duration_since(self.instant);
        let moved = time.seconds_since(self.time) - passed.as_secs_f64();
        if moved.abs() > SET_SECONDS {
            self.since = Some(instant);
        }
        (self.time, self.instant) = (time, instant);
        moved
    }

    /// Whether it was set by minutes since the last look.
    pub(crate) fn was_set(&mut self, time: Timestamp, instant: Instant) -> bool {
        self.moved(time, instant).abs() > SET_SECONDS
    }

    /// Whether it has not been set for a while.
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
    fn a_clock_that_was_set_is_believed_again_after_a_while() {
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
    fn a_clock_that_nobody_knows_is_not_believed_at_once() {
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
