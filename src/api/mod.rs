//! The HTTP and WebSocket interface. A handler extracts, makes one call, and answers; rules and SQL
//! live elsewhere.

mod batch;
mod buckets;
mod bulk;
mod caller;
mod cors;
mod dump;
mod echo;
mod error;
mod events;
mod explain;
mod extract;
mod fields;
mod filter;
mod guard;
mod headers;
mod health;
mod hive_calls;
mod list;
mod listeners;
mod metrics;
mod needs;
mod news;
mod overview;
mod processors;
mod query;
mod queue;
mod quota;
mod reload;
mod schedules;
mod server;
mod session;
mod stats;
mod stream;
mod task;
mod task_request;
mod tasks;
mod traced;
mod visitor;
mod wait;
mod web;
mod worker;
mod worker_request;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::routing::{get, post};
use axum::{Router, middleware};
use tokio_util::sync::CancellationToken;

pub use error::ApiError;
pub use guard::Hosts;
pub use listeners::Listeners;
pub use quota::Quota;
pub use server::{Door, ServerLimits, serve};

use crate::access::Access;
use crate::config::Current;
use crate::hive;
use crate::metrics::Metrics;
use crate::processors::Registry;
use crate::queue::QueueManager;
use crate::reload::Reload;
use crate::state::StateManager;
use crate::traces::Traces;

/// What the handlers share.
pub struct Api {
    pub state: StateManager,
    pub queue: QueueManager,
    /// `None` while the Hive is off.
    pub hive: Option<hive::Handle>,
    pub registry: Arc<Registry>,
    /// The settings that hold.
    pub current: Current,
    pub reload: Reload,
    /// Whether tokens are asked for, and which hold.
    pub access: Access,
    /// What clients have used up.
    pub quota: Arc<Quota>,
    /// Whether clients come by TLS.
    pub is_secure: bool,
    /// Largest request body, except for an import.
    pub body_limit_bytes: usize,
    /// Time a client may take to send a request's body.
    pub request_timeout: Duration,
    /// Where an import is kept until it has been read and checked.
    pub spool_folder: PathBuf,
    pub database_path: PathBuf,
    pub metrics: Metrics,
    /// Serves event sockets.
    pub listeners: listeners::Spawner,
    /// The service takes no new tasks any more.
    pub stopping: CancellationToken,
    /// Sockets and streams are to end.
    pub closing: CancellationToken,
}

type Shared = axum::extract::State<Arc<Api>>;

/// The whole interface as a router; each request is a span while traces are on.
pub fn app(api: Arc<Api>, traces: &Traces) -> Router {
    let app = routes(api);
    match traces.is_on() {
        true => app.layer(middleware::from_fn_with_state(
            traces.clone(),
            traced::follow,
        )),
        false => app,
    }
}

fn routes(api: Arc<Api>) -> Router {
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics))
        .route("/", get(web::page))
        .route("/web/{*path}", get(web::asset))
        .route("/ws/events", get(events::socket))
        .route("/api/v1/overview", get(overview::overview))
        .route("/api/v1/storage", get(overview::storage))
        .route(
            "/api/v1/tasks",
            get(tasks::list).post(tasks::create).delete(bulk::delete),
        )
        .route("/api/v1/tasks/batch", post(batch::create))
        .route("/api/v1/tasks/retry", post(bulk::retry))
        .route("/api/v1/tasks/abort", post(bulk::abort))
        .route(
            "/api/v1/tasks/{task_id}",
            get(tasks::show).delete(task::delete),
        )
        .route("/api/v1/tasks/{task_id}/retry", post(task::retry))
        .route("/api/v1/tasks/{task_id}/logs", get(task::logs))
        .route("/api/v1/tasks/{task_id}/explain", get(explain::explain))
        .route("/api/v1/tasks/{task_id}/stream", get(stream::stream))
        .route(
            "/api/v1/tasks/{task_id}/downstream",
            get(overview::downstream),
        )
        .route("/api/v1/stats", get(stats::stats))
        .route("/api/v1/queue/status", get(queue::status))
        .route("/api/v1/queue/pause", post(queue::pause))
        .route("/api/v1/queue/resume", post(queue::resume))
        .route("/api/v1/queue/purge", post(queue::purge))
        .route("/api/v1/queue/emergency-stop", post(queue::emergency_stop))
        .route("/api/v1/queue/task/{task_id}/abort", post(queue::abort))
        .route("/api/v1/hive/status", get(hive_calls::status))
        .route("/api/v1/hive/nodes", get(hive_calls::nodes))
        .route("/api/v1/hive/broadcast", post(hive_calls::broadcast))
        .route("/api/v1/processors", get(processors::list))
        .route("/api/v1/schedules", get(schedules::list))
        .route(session::LOGIN, post(session::login))
        .route("/api/v1/logout", post(session::logout))
        .route("/api/v1/session", get(session::show))
        .route("/api/v1/reload", post(reload::reload))
        .route("/api/v1/worker/claim", post(worker::claim))
        .route(
            "/api/v1/worker/{task_id}/heartbeat",
            post(worker::heartbeat),
        )
        .route("/api/v1/worker/{task_id}/log", post(worker::log))
        .route("/api/v1/worker/{task_id}/progress", post(worker::progress))
        .route("/api/v1/worker/{task_id}/complete", post(worker::complete))
        .route("/api/v1/worker/{task_id}/fail", post(worker::fail))
        .route("/api/v1/export", get(dump::export))
        .route("/api/v1/import", post(dump::import))
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .with_state(api)
}
