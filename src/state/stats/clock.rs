//! Whether the clock can be believed: what is forgotten by a wrong one does not come back with the right one.

use std::time::Duration;

use tokio::time::Instant;

use crate::models::Timestamp;

/// A clock that moves this much by itself was set; less is drift, or a slow transaction.
const SET_SECONDS: f64 = 120.0;
/// How long a clock goes on evenly until it is believed.
const STEADY: Duration = Duration::from_mins(10);

/// The clock as it was looked at last.
pub(super) struct Clock {
    time: Timestamp,
    instant: Instant,
    /// Since when it goes on evenly.
    since: Instant,
}

impl Clock {
    pub fn new(time: Timestamp, instant: Instant) -> Self {
        Self {
            time,
            instant,
            since: instant,
        }
    }

    /// Whether it was set since the last look.
    pub fn was_set(&mut self, time: Timestamp, instant: Instant) -> bool {
        let passed = instant.saturating_duration_since(self.instant);
        let moved = time.seconds_since(self.time) - passed.as_secs_f64();
        let was_set = moved.abs() > SET_SECONDS;
        if was_set {
            self.since = instant;
        }
        (self.time, self.instant) = (time, instant);
        was_set
    }

    pub fn is_steady(&self, instant: Instant) -> bool {
        instant.saturating_duration_since(self.since) >= STEADY
    }
}
