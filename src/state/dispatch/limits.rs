//! The limits that the settings give: how many tasks run at once and how often tasks start. Plain data.

use std::collections::HashMap;
use std::time::Duration;

use crate::config::Rate;
use crate::state::dispatch::lanes::lane_name::LaneName;

/// All limits of the queue.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    /// Tasks that run at once in this service; `None` when limits are off.
    pub(crate) running: Option<u64>,
    /// Bytes of contents of running tasks. This bound holds even when limits are off.
    pub(crate) running_bytes: usize,
    /// Processors that have limits of their own.
    pub(crate) processors: HashMap<String, Limit>,
    /// Concurrency keys that have limits of their own.
    pub(crate) keys: HashMap<String, Limit>,
    /// The limits of every other key.
    pub(crate) any_key: Limit,
    /// Where the tasks of each processor run. A task of another processor stays pending until its processor is
    /// configured.
    pub(crate) sites: HashMap<String, ExecutionSite>,
}

/// Where tasks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExecutionSite {
    /// In this service, in a slot of the queue.
    Local,
    /// With an outside worker. Its tasks start when a worker claims them and use no slot of the queue. A worker
    /// that sends no heartbeat for the length of `lease` loses its attempt.
    OutsideWorker { lease: Duration },
    /// With a Hive worker behind Redis. Its tasks start while Redis is connected and use no slot of the queue.
    Hive,
}

/// The limits of one processor or one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limit {
    /// Tasks that run at once.
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

    /// Returns where this processor's tasks run; `None` if it is not configured.
    pub(crate) fn site(&self, processor: &str) -> Option<ExecutionSite> {
        self.sites.get(processor).copied()
    }

    /// Returns whether some rate counts starts that are too old for the rates of `before`.
    pub(crate) fn rates_look_further_than(&self, before: &Self) -> bool {
        let further = |limit: Limit, before: Limit| {
            let period = |limit: Limit| limit.rate.map(|rate| rate.per);
            period(limit) > period(before)
        };
        let mut processors = self.processors.iter();
        let mut keys = self.keys.iter().chain(before.keys.iter());
        processors.any(|(name, limit)| further(*limit, before.processor(name)))
            || keys.any(|(key, _)| further(self.key(key), before.key(key)))
            || further(self.any_key, before.any_key)
    }

    /// Returns for how long a start in this lane counts for a rate; `None` if no rate applies.
    pub(crate) fn period(&self, lane: LaneName<'_>) -> Option<Duration> {
        let key = lane.key.and_then(|key| self.key(key).rate);
        let rates = self.processor(lane.processor).rate.into_iter().chain(key);
        rates.map(|rate| rate.per).max()
    }

    /// Returns the longest period of all rates.
    pub(crate) fn longest_period(&self) -> Option<Duration> {
        let limits = self.processors.values().chain(self.keys.values());
        let rates = limits.chain([&self.any_key]).filter_map(|limit| limit.rate);
        rates.map(|rate| rate.per).max()
    }
}
