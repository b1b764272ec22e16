//! The HTTP and WebSocket interface. A handler extracts, makes one call, and answers; rules and SQL
//! live elsewhere.

mod address_limit;
mod batch;
mod buckets;
mod bulk;
mod caller;
mod cors;
mod doctor;
mod document;
mod dump;
mod echo;
mod error;
mod events;
mod explain;
mod extract;
mod fields;
mod filter;
mod growing;
mod guard;
mod headers;
mod health;
mod hive_calls;
mod intake;
mod json_check;
mod linger;
mod list;
mod listeners;
mod metrics;
mod needs;
mod news;
mod overview;
mod processors;
mod protocol;
mod query;
mod queue;
mod quota;
mod refused_heads;
mod reload;
mod schedules;
mod server;
mod session;
mod sse;
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

use axum::routing::get;
use axum::{Router, middleware};
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use error::ApiError;
pub(crate) use guard::Hosts;
pub(crate) use intake::Intake;
pub(crate) use listeners::Listeners;
pub(crate) use quota::Quota;
pub(crate) use server::{Door, ServerLimits, serve};

use crate::access::Access;
use crate::config::Current;
use crate::doctor::Doctor;
use crate::hive;
use crate::metrics::Metrics;
use crate::processors::Registry;
use crate::queue::QueueManager;
use crate::reload::Reload;
use crate::state::StateManager;
use crate::traces::Traces;

/// What the handlers share.
pub(crate) struct Api {
    pub(crate) state: StateManager,
    pub(crate) queue: QueueManager,
    /// `None` while the Hive is off.
    pub(crate) hive: Option<hive::Handle>,
    pub(crate) registry: Arc<Registry>,
    /// The settings that hold.
    pub(crate) current: Current,
    pub(crate) reload: Reload,
    pub(crate) doctor: Doctor,
    /// Whether tokens are asked for, and which hold.
    pub(crate) access: Access,
    /// What clients have used up.
    pub(crate) quota: Arc<Quota>,
    /// What large bodies may cost.
    pub(crate) intake: Intake,
    /// Largest request body, except for an import.
    pub(crate) body_limit_bytes: usize,
    /// Time a client may take to send a request's body.
    pub(crate) request_timeout: Duration,
    /// Where an import is kept until it has been read and checked.
    pub(crate) spool_folder: PathBuf,
    pub(crate) database_path: PathBuf,
    pub(crate) metrics: Metrics,
    /// Serves event sockets.
    pub(crate) listeners: listeners::Spawner,
    /// The service takes no new tasks any more.
    pub(crate) stopping: CancellationToken,
    /// Sockets and streams are to end.
    pub(crate) closing: CancellationToken,
}

type Shared = axum::extract::State<Arc<Api>>;

/// Every call: as a route, and as what the document says of it.
fn calls() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(document::Head::openapi())
        .routes(routes!(tasks::list, tasks::create, bulk::delete))
        .routes(routes!(batch::create))
        .routes(routes!(bulk::retry))
        .routes(routes!(bulk::abort))
        .routes(routes!(tasks::show, task::delete))
        .routes(routes!(task::retry))
        .routes(routes!(task::logs))
        .routes(routes!(explain::explain))
        .routes(routes!(overview::downstream))
        .routes(routes!(stream::stream))
        .routes(routes!(events::socket))
        .routes(routes!(queue::status))
        .routes(routes!(queue::pause))
        .routes(routes!(queue::resume))
        .routes(routes!(queue::purge))
        .routes(routes!(queue::emergency_stop))
        .routes(routes!(queue::abort))
        .routes(routes!(processors::list))
        .routes(routes!(schedules::list))
        .routes(routes!(worker::claim))
        .routes(routes!(worker::heartbeat))
        .routes(routes!(worker::log))
        .routes(routes!(worker::progress))
        .routes(routes!(worker::complete))
        .routes(routes!(worker::fail))
        .routes(routes!(hive_calls::status))
        .routes(routes!(hive_calls::nodes))
        .routes(routes!(hive_calls::broadcast))
        .routes(routes!(overview::overview))
        .routes(routes!(overview::storage))
        .routes(routes!(stats::stats))
        .routes(routes!(metrics::metrics))
        .routes(routes!(reload::reload))
        .routes(routes!(doctor::doctor))
        .routes(routes!(dump::export))
        .routes(routes!(dump::import))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(document::openapi))
        .routes(routes!(document::docs))
        .routes(routes!(session::login))
        .routes(routes!(session::logout))
        .routes(routes!(session::show))
}

/// The whole interface as a router; each request is a span while traces are on.
pub(crate) fn app(api: Arc<Api>, traces: &Traces) -> Router {
    let app = routes(api);
    match traces.is_on() {
        true => app.layer(middleware::from_fn_with_state(
            traces.clone(),
            traced::follow,
        )),
        false => app,
    }
}

/// The dashboard is no part of the API.
fn routes(api: Arc<Api>) -> Router {
    let (calls, _) = calls().split_for_parts();
    calls
        .route("/", get(web::page))
        .route("/web/{*path}", get(web::asset))
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .with_state(api)
}

#[cfg(test)]
mod tests {
    /// Whatever else is a route is one of the calls, and so in the document.
    #[test]
    fn only_the_dashboard_is_left_out_of_the_document() {
        let lines = include_str!("mod.rs").lines().map(str::trim);
        let beside: Vec<_> = lines.filter(|line| line.starts_with(".route(")).collect();
        let dashboard = [
            r#".route("/", get(web::page))"#,
            r#".route("/web/{*path}", get(web::asset))"#,
        ];
        assert_eq!(beside, dashboard);
    }
}
