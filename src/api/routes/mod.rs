//! The calls of the API, each beside the handler that answers it.

pub(super) mod doctor;
pub(super) mod dump;
pub(super) mod events;
pub(super) mod health;
pub(super) mod hive;
pub(super) mod metrics;
pub(super) mod overview;
pub(super) mod processors;
pub(super) mod queue;
pub(super) mod reload;
pub(super) mod schedules;
pub(super) mod session;
pub(super) mod stats;
pub(super) mod stream;
pub(super) mod tasks;
pub(super) mod web;
pub(super) mod worker;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::context::Api;
use crate::api::routes::tasks::{batch, bulk, explain, submit, task};
use crate::api::{error, openapi};

/// Every call: as a route, and as what the document says of it.
pub(crate) fn calls() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(openapi::Head::openapi())
        .routes(routes!(submit::list, submit::create, bulk::delete))
        .routes(routes!(batch::create))
        .routes(routes!(bulk::retry))
        .routes(routes!(bulk::abort))
        .routes(routes!(submit::show, task::delete))
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
        .routes(routes!(hive::status))
        .routes(routes!(hive::nodes))
        .routes(routes!(hive::broadcast))
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
        .routes(routes!(openapi::openapi))
        .routes(routes!(openapi::docs))
        .routes(routes!(session::login))
        .routes(routes!(session::logout))
        .routes(routes!(session::show))
}

/// The dashboard is no part of the API.
pub(crate) fn router(api: Arc<Api>) -> Router {
    let (calls, _) = calls().split_for_parts();
    calls
        .route("/", get(web::page))
        .route("/web/{*path}", get(web::asset))
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .with_state(api)
}
