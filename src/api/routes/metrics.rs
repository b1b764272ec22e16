//! `GET /metrics`: metrics in the text format of Prometheus.
//!
//! Counters come from [`Metrics`]; gauges of the present state are queried at each call and stored nowhere.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use prometheus::core::Collector;
use prometheus::{
    GaugeVec, IntCounter, IntGauge, IntGaugeVec, Opts, Registry, TEXT_FORMAT, TextEncoder,
};
use tokio::time::timeout;

use crate::api::context::{Api, Shared};
use crate::api::error::ApiError;
use crate::api::input::query::NoParameters;
use crate::metrics::OTHER;
use crate::models::HiveLink;
use crate::state::{ProcessorStatus, QueueSnapshot, wal_bytes};

/// Time that the Writer has to answer. While the storage hangs, the gauges that only the Writer knows are missing.
const PATIENCE: Duration = Duration::from_secs(1);

/// Metrics for Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "Service", operation_id = "get_metrics",
    responses((status = 200, description = "Prometheus' text format", body = String,
        content_type = "text/plain; version=0.0.4", example = "venom_queue_paused 0\n")),
)]
pub(crate) async fn metrics(State(api): Shared, _: NoParameters) -> Result<Response, ApiError> {
    let load = timeout(PATIENCE, api.state.load()).await;
    let load = load.ok().transpose()?;
    let now = Snapshot::default();
    if let Some(load) = &load {
        now.queue(load);
        now.processors(&of_processors(&api, load));
    }
    now.listeners(&api);
    now.hive(&api, load.as_ref().map(|load| &load.status.hive));
    now.files(&api.database_path).await;
    let mut families = api.metrics.gather();
    families.extend(now.0.gather());
    let text = TextEncoder::new()
        .encode_to_string(&families)
        .map_err(|error| ApiError::Internal(error.to_string()))?;
    Ok(([(CONTENT_TYPE, TEXT_FORMAT)], text).into_response())
}

/// The gauges of one processor.
#[derive(Clone, Copy, Default)]
struct Condition {
    pending: u64,
    running: u64,
    is_paused: bool,
    oldest_due_seconds: f64,
}

impl Condition {
    fn and(self, status: &ProcessorStatus, oldest_due_seconds: f64) -> Self {
        Self {
            oldest_due_seconds: self.oldest_due_seconds.max(oldest_due_seconds),
            pending: self.pending + status.pending,
            running: self.running + status.running,
            is_paused: self.is_paused || status.paused.is_some(),
        }
    }
}

/// Returns the configured processors, and all others as one.
fn of_processors(api: &Api, load: &QueueSnapshot) -> BTreeMap<String, Condition> {
    let settings = api.current.get();
    let names = settings.processors.keys().map(String::as_str);
    let mut conditions: BTreeMap<String, Condition> = names
        .chain([OTHER])
        .map(|name| (name.to_owned(), Condition::default()))
        .collect();
    for (name, status) in &load.processors {
        let oldest = load.oldest_due_seconds.get(name).copied();
        let name = match settings.processors.contains_key(name) {
            true => name.as_str(),
            false => OTHER,
        };
        let condition = conditions.entry(name.to_owned()).or_default();
        *condition = condition.and(status, oldest.unwrap_or(0.0));
    }
    conditions
}

/// The metrics of one call.
#[derive(Default)]
struct Snapshot(Registry);

impl Snapshot {
    fn queue(&self, load: &QueueSnapshot) {
        let queue = &load.status;
        self.gauge(
            "venom_queue_paused",
            "Whether the queue is paused.",
            u64::from(queue.paused),
        );
        if let Some(limit) = queue.limit {
            let help = "Tasks that may run at once; missing while limits are off.";
            self.gauge("venom_queue_slots", help, limit);
        }
        self.gauge(
            "venom_tasks_blocked",
            "Blocked tasks (dependencies); not part of venom_tasks.",
            load.blocked,
        );
    }

    fn processors(&self, processors: &BTreeMap<String, Condition>) {
        let tasks = self.gauges(
            "venom_tasks",
            "Unfinished tasks, by status.",
            &["processor", "status"],
        );
        let paused = self.gauges(
            "venom_processor_paused",
            "Whether the processor is paused, by an operator or by itself.",
            &["processor"],
        );
        let oldest = GaugeVec::new(
            Opts::new(
                "venom_oldest_due_task_seconds",
                "Age of the oldest ready task; 0 if none is ready.",
            ),
            &["processor"],
        );
        let oldest = self.add(oldest);
        for (name, condition) in processors {
            let set = |status: &str, count: u64| {
                tasks.with_label_values(&[name, status]).set(signed(count));
            };
            set("PENDING", condition.pending);
            set("PROCESSING", condition.running);
            let paused = paused.with_label_values(&[name]);
            paused.set(i64::from(condition.is_paused));
            let oldest = oldest.with_label_values(&[name]);
            oldest.set(condition.oldest_due_seconds);
        }
    }

    fn listeners(&self, api: &Api) {
        let audience = api.state.bus().audience();
        self.gauge(
            "venom_event_listeners",
            "Listeners of events: WebSockets and streams.",
            audience.listeners as u64,
        );
        self.gauge(
            "venom_event_listener_lag_events",
            "Journal rows that the slowest listener has not received.",
            audience.lag_events,
        );
        self.counter(
            "venom_events_missed_total",
            "Journal rows that slow listeners have missed.",
            audience.missed_events,
        );
    }

    /// Adds nothing while the Hive is off.
    fn hive(&self, api: &Api, link: Option<&HiveLink>) {
        let Some(hive) = &api.hive else {
            return;
        };
        let jobs = hive.jobs();
        if let Some(link) = link {
            let answers = matches!(link, HiveLink::Connected | HiveLink::Refusing { .. });
            self.gauge(
                "venom_hive_connected",
                "Whether Redis answers.",
                u64::from(answers),
            );
            self.gauge(
                "venom_hive_usable",
                "Whether Redis answers, takes writes, and grants its user the rights that are needed.",
                u64::from(*link == HiveLink::Connected),
            );
        }
        self.gauge(
            "venom_hive_jobs_in_flight",
            "Jobs of this service that are in flight.",
            jobs.in_flight as u64,
        );
        self.counter(
            "venom_hive_jobs_completed_total",
            "Jobs of this service that ended with a result.",
            jobs.completed,
        );
        self.counter(
            "venom_hive_jobs_failed_total",
            "Jobs of this service that failed or were lost.",
            jobs.failed,
        );
    }

    async fn files(&self, database: &Path) {
        self.gauge(
            "venom_database_size_bytes",
            "Size of the database's file.",
            size_of(database).await,
        );
        self.gauge(
            "venom_wal_size_bytes",
            "Size of the database's write-ahead log.",
            wal_bytes(database),
        );
    }

    fn gauge(&self, name: &str, help: &str, value: u64) {
        let gauge = self.add(IntGauge::new(name, help));
        gauge.set(signed(value));
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.add(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    fn counter(&self, name: &str, help: &str, value: u64) {
        self.add(IntCounter::new(name, help)).inc_by(value);
    }

    fn add<M: Collector + Clone + 'static>(&self, metric: prometheus::Result<M>) -> M {
        let metric = metric.expect("a name and labels that Prometheus allows");
        let added = self.0.register(Box::new(metric.clone()));
        added.expect("each name is added once");
        metric
    }
}

/// Returns the size of a file; 0 if it is missing, as the write-ahead log is before the first write.
async fn size_of(path: &Path) -> u64 {
    let metadata = tokio::fs::metadata(path).await;
    metadata.map_or(0, |metadata| metadata.len())
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
