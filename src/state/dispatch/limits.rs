//! How much may run at once and how often something may start, as the settings say it. Plain data.

use std::collections::HashMap;
use std::time::Duration;

use crate::config::Rate;
use crate::state::dispatch::lanes::LaneName;

/// All limits of the queue.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    /// Tasks; `None` when limits are off.
    pub(crate) running: Option<u64>,
    /// Bytes of contents: the bound that is left when limits are off.
    pub(crate) running_bytes: usize,
    /// Processors that have limits of their own.
    pub(crate) processors: HashMap<String, Limit>,
    /// Concurrency keys that have limits of their own.
    pub(crate) keys: HashMap<String, Limit>,
    /// The limits of every other key.
    pub(crate) any_key: Limit,
    /// Where the tasks of each processor run. Those of any other wait until it is configured.
    pub(crate) homes: HashMap<String, Home>,
}

/// Where tasks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    /// In places of the queue's.
    Here,
    /// Outside: they start when somebody offers to run them, and take no place of the queue's. A worker
    /// loses an attempt after silence of this length.
    Elsewhere { lease: Duration },
    /// Behind Redis: they start while it is connected, and take no place of the queue's.
    Hive,
}

/// The limits of one processor or one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limit {
    /// At most this many at a time.
    pub(crate) concurrency: Option<u64>,
    pub(crate) rate: Option<Rate>,
}

impl Limits {
    pub(crate) fn processor(&self, name: &str) -> Limit {
        self.processors.get(name).copied().unwrap_or_default()
    }

    pub(crate) fn key(&self, key: &str) -> Limit {
        self.keys.get(key).copied().unwrap_or(self.any_key)
    }

    /// Where this processor's tasks run, if it is configured.
    pub(crate) fn home(&self, processor: &str) -> Option<Home> {
        self.homes.get(processor).copied()
    }

    /// Whether some rate needs to know of starts that `before` did not keep.
    pub(crate) fn rates_look_further_than(&self, before: &Self) -> bool {
        let further = |rule: Limit, before: Limit| {
            let period = |rule: Limit| rule.rate.map(|rate| rate.per);
            period(rule) > period(before)
        };
        let mut processors = self.processors.iter();
        let mut keys = self.keys.iter().chain(before.keys.iter());
        processors.any(|(name, rule)| further(*rule, before.processor(name)))
            || keys.any(|(key, _)| further(self.key(key), before.key(key)))
            || further(self.any_key, before.any_key)
    }

    /// How long a start of a task of this lane counts for a rate, if it does.
    pub(crate) fn period(&self, lane: LaneName<'_>) -> Option<Duration> {
        let key = lane.key.and_then(|key| self.key(key).rate);
        let rates = self.processor(lane.processor).rate.into_iter().chain(key);
        rates.map(|rate| rate.per).max()
    }

    /// The longest period that a rate looks back.
    pub(crate) fn longest_period(&self) -> Option<Duration> {
        let rules = self.processors.values().chain(self.keys.values());
        let rates = rules.chain([&self.any_key]).filter_map(|rule| rule.rate);
        rates.map(|rate| rate.per).max()
    }
}
