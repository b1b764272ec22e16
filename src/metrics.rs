//! What the service counts and times for Prometheus while it works, in base units: seconds and bytes.
//!
//! Every label is one of a bounded set: a configured processor or [`OTHER`], a kind of failure. What can be
//! asked for when somebody looks (tasks that wait, sizes of files) is not kept here: see `api::metrics`.

use std::collections::HashMap;

use prometheus::proto::MetricFamily;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry,
    exponential_buckets,
};

use crate::models::Failure;

/// Stands for every processor that is not configured, and for rows that other programs insert.
pub(crate) const OTHER: &str = "other";

/// Bounds of waiting and running times in seconds: each processor has two series for each of them, and alerts
/// are set at the long ones.
const PERIODS: [f64; 7] = [0.01, 0.1, 1.0, 10.0, 60.0, 300.0, 1800.0];

/// The metrics of one service; clone it freely.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Registry,
    created: IntCounterVec,
    claims: IntCounterVec,
    completed: IntCounterVec,
    failed: IntCounterVec,
    retries: IntCounterVec,
    wait: HistogramVec,
    run: HistogramVec,
    /// How long a transaction of submissions, reports and claims took.
    pub(crate) commit: Histogram,
    /// How many messages it had.
    pub(crate) commit_messages: Histogram,
}

/// The metrics of one processor.
pub(crate) struct OfProcessor {
    /// By kind of failure, in the order of [`Failure::ALL`].
    failed: [IntCounter; Failure::ALL.len()],
    pub(crate) created: IntCounter,
    pub(crate) claims: IntCounter,
    pub(crate) completed: IntCounter,
    pub(crate) retries: IntCounter,
    pub(crate) wait: Histogram,
    pub(crate) run: Histogram,
}

/// The metrics of all processors, found by name without a lock. They are there from the start, at zero.
pub(crate) struct ByProcessor {
    metrics: Metrics,
    configured: HashMap<String, OfProcessor>,
    other: OfProcessor,
}

impl Default for Metrics {
    fn default() -> Self {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels);
            register(&registry, counter)
        };
        let histogram = |name: &str, help: &str, buckets: Vec<f64>| {
            let options = HistogramOpts::new(name, help).buckets(buckets);
            register(&registry, HistogramVec::new(options, &["processor"]))
        };
        let plain = |name: &str, help: &str, buckets: Vec<f64>| {
            let options = HistogramOpts::new(name, help).buckets(buckets);
            register(&registry, Histogram::with_opts(options))
        };
        let processor = &["processor"];
        Self {
            created: counter("venom_tasks_created_total", "Tasks submitted.", processor),
            claims: counter(
                "venom_task_claims_total",
                "Attempts begun: tasks that were claimed for their processor.",
                processor,
            ),
            completed: counter(
                "venom_tasks_completed_total",
                "Tasks that ended COMPLETED.",
                processor,
            ),
            failed: counter(
                "venom_tasks_failed_total",
                "Tasks that ended FAILED, by kind of failure.",
                &["processor", "failure"],
            ),
            retries: counter(
                "venom_task_retries_total",
                "Attempts after which the task waits again: failed, deferred or interrupted.",
                processor,
            ),
            wait: histogram(
                "venom_task_wait_seconds",
                "Time from when a task was due to its start.",
                PERIODS.to_vec(),
            ),
            run: histogram(
                "venom_task_run_seconds",
                "Time that an attempt ran.",
                PERIODS.to_vec(),
            ),
            commit: plain(
                "venom_commit_seconds",
                "Time of a transaction of submissions, reports and claims.",
                bounds(0.000_25, 2.0, 16),
            ),
            commit_messages: plain(
                "venom_commit_messages",
                "Submissions and reports in one transaction.",
                bounds(1.0, 2.0, 12),
            ),
            registry,
        }
    }
}

impl Metrics {
    /// All that has been counted.
    pub(crate) fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }

    /// All of them are there from here on, at zero: an increase that begins with a first failure is seen.
    fn of(&self, name: &str) -> OfProcessor {
        let label = &[name];
        let failed = |failure: Failure| self.failed.with_label_values(&[name, failure.as_str()]);
        OfProcessor {
            failed: Failure::ALL.map(failed),
            created: self.created.with_label_values(label),
            claims: self.claims.with_label_values(label),
            completed: self.completed.with_label_values(label),
            retries: self.retries.with_label_values(label),
            wait: self.wait.with_label_values(label),
            run: self.run.with_label_values(label),
        }
    }

    /// Removes the series of a processor that is no longer configured.
    fn forget(&self, name: &str) {
        let label = &[name];
        for counter in [&self.created, &self.claims, &self.completed, &self.retries] {
            let _ = counter.remove_label_values(label);
        }
        for failure in Failure::ALL {
            let _ = (self.failed).remove_label_values(&[name, failure.as_str()]);
        }
        for histogram in [&self.wait, &self.run] {
            let _ = histogram.remove_label_values(label);
        }
    }
}

impl OfProcessor {
    /// So many tasks have failed.
    pub(crate) fn failed(&self, failure: Failure, count: u64) {
        self.failed[failure as usize].inc_by(count);
    }
}

impl ByProcessor {
    pub(crate) fn new<'a>(metrics: Metrics, configured: impl Iterator<Item = &'a String>) -> Self {
        let other = metrics.of(OTHER);
        let mut new = Self {
            metrics,
            configured: HashMap::new(),
            other,
        };
        new.configure(configured);
        new
    }

    /// From now on these are configured.
    pub(crate) fn configure<'a>(&mut self, names: impl Iterator<Item = &'a String>) {
        let metrics = &self.metrics;
        let configured: HashMap<_, _> =
            names.map(|name| (name.clone(), metrics.of(name))).collect();
        let gone = self.configured.keys();
        for name in gone.filter(|name| *name != OTHER && !configured.contains_key(*name)) {
            metrics.forget(name);
        }
        self.configured = configured;
    }

    pub(crate) fn of(&self, processor: &str) -> &OfProcessor {
        self.configured.get(processor).unwrap_or(&self.other)
    }

    /// Of rows whose processor is not looked up.
    pub(crate) fn other(&self) -> &OfProcessor {
        &self.other
    }

    /// Records the size and the duration of a transaction.
    pub(crate) fn committed(&self, took: std::time::Duration, messages: usize) {
        self.metrics.commit.observe(took.as_secs_f64());
        if messages > 0 {
            self.metrics.commit_messages.observe(messages as f64);
        }
    }
}

/// Bounds that grow by `factor`.
fn bounds(first: f64, factor: f64, count: usize) -> Vec<f64> {
    exponential_buckets(first, factor, count).expect("positive bounds")
}

fn register<M: prometheus::core::Collector + Clone + 'static>(
    registry: &Registry,
    metric: prometheus::Result<M>,
) -> M {
    let metric = metric.expect("a name and labels that Prometheus allows");
    let registered = registry.register(Box::new(metric.clone()));
    registered.expect("each name is registered once");
    metric
}
