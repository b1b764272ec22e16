//! Counters and histograms for Prometheus, recorded while the service works, in seconds and bytes.
//!
//! Every label is one of a bounded set: a configured processor or [`OTHER`], a kind of failure. Gauges
//! that are read at each scrape (pending tasks, sizes of files) are in `api::routes::metrics`.

use std::collections::HashMap;

use prometheus::proto::MetricFamily;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry,
    exponential_buckets,
};

use crate::models::Failure;

/// Stands for every processor that is not configured, and for rows that other programs insert.
pub(crate) const OTHER: &str = "other";

/// Bucket bounds of wait and run times in seconds. Few, because each processor has two series for each bound.
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
    /// Duration of a transaction of submissions, reports and claims.
    pub(crate) commit: Histogram,
    /// Messages of a transaction.
    pub(crate) commit_messages: Histogram,
}

/// The metrics of one processor.
pub(crate) struct ProcessorMetrics {
    /// By kind of failure, in the order of [`Failure::ALL`].
    failed: [IntCounter; Failure::ALL.len()],
    pub(crate) created: IntCounter,
    pub(crate) claims: IntCounter,
    pub(crate) completed: IntCounter,
    pub(crate) retries: IntCounter,
    pub(crate) wait: Histogram,
    pub(crate) run: Histogram,
}

/// The metrics of all processors, found by name without a lock. They exist from the start, at zero.
pub(crate) struct MetricsByProcessor {
    metrics: Metrics,
    configured: HashMap<String, ProcessorMetrics>,
    other: ProcessorMetrics,
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
            claims: counter("venom_task_claims_total", "Attempts started.", processor),
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
                "Attempts whose task became PENDING again: failed, deferred or interrupted.",
                processor,
            ),
            wait: histogram(
                "venom_task_wait_seconds",
                "Time from ready to start.",
                PERIODS.to_vec(),
            ),
            run: histogram(
                "venom_task_run_seconds",
                "Duration of an attempt.",
                PERIODS.to_vec(),
            ),
            commit: plain(
                "venom_commit_seconds",
                "Duration of a transaction of submissions, reports and claims.",
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
    /// Returns all metrics.
    pub(crate) fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }

    /// Creates the metrics of one processor at zero, so that an alert sees the increase by a first failure.
    fn of(&self, name: &str) -> ProcessorMetrics {
        let label = &[name];
        let failed = |failure: Failure| self.failed.with_label_values(&[name, failure.as_str()]);
        ProcessorMetrics {
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

impl ProcessorMetrics {
    /// Counts tasks that ended FAILED.
    pub(crate) fn failed(&self, failure: Failure, count: u64) {
        self.failed[failure as usize].inc_by(count);
    }
}

impl MetricsByProcessor {
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

    /// Replaces the configured processors. Removes the series of those that are gone.
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

    /// Returns the metrics of a processor; those of [`OTHER`] if it is not configured.
    pub(crate) fn of(&self, processor: &str) -> &ProcessorMetrics {
        self.configured.get(processor).unwrap_or(&self.other)
    }

    /// Returns the metrics of rows whose processor is not looked up.
    pub(crate) fn other(&self) -> &ProcessorMetrics {
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

/// Returns bucket bounds that grow by `factor`.
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
