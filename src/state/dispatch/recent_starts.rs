//! The recent starts of each processor and each concurrency key that has a rate limit, in memory. Pure.
//!
//! At startup `journal/starts` reads them from the journal.

use std::collections::HashMap;

use crate::models::Timestamp;
use crate::state::dispatch::limits::Limits;
use crate::state::dispatch::sliding_window::SlidingWindow;

/// One sliding window for each processor and each key with a rate.
#[derive(Debug, Default)]
pub(super) struct RecentStarts {
    processors: HashMap<String, SlidingWindow>,
    keys: HashMap<String, SlidingWindow>,
}

impl RecentStarts {
    pub(super) fn of_processor(&self, name: &str) -> Option<&SlidingWindow> {
        self.processors.get(name)
    }

    pub(super) fn of_key(&self, key: &str) -> Option<&SlidingWindow> {
        self.keys.get(key)
    }

    /// Records a start at `at` for the rates of the processor and of the key.
    pub(super) fn record(
        &mut self,
        processor: &str,
        key: Option<&str>,
        at: Timestamp,
        limits: &Limits,
    ) {
        if let Some(rate) = limits.processor(processor).rate {
            let window = self.processors.entry(processor.to_owned());
            window.or_default().record(at, rate);
        }
        if let Some(key) = key {
            self.record_key(key, at, limits);
        }
    }

    fn record_key(&mut self, key: &str, at: Timestamp, limits: &Limits) {
        let Some(rate) = limits.key(key).rate else {
            return;
        };
        let is_new = !self.keys.contains_key(key);
        if is_new && self.keys.len().is_power_of_two() {
            // Keys are unbounded in number. A window without a start that still counts can be dropped.
            self.keys.retain(|key, window| match limits.key(key).rate {
                Some(rate) => !window.is_idle(at, rate),
                None => false,
            });
        }
        let window = self.keys.entry(key.to_owned());
        window.or_default().record(at, rate);
    }

    /// Moves every start by `seconds`, because the clock was set.
    pub(super) fn shift(&mut self, seconds: f64) {
        for window in self.processors.values_mut().chain(self.keys.values_mut()) {
            window.shift(seconds);
        }
    }

    pub(super) fn clear(&mut self) {
        self.processors.clear();
        self.keys.clear();
    }
}
