//! The HTTP and WebSocket interface. A handler extracts, makes one call, and answers; rules and SQL
//! live elsewhere.

mod auth;
mod context;
mod error;
mod http;
mod input;
mod openapi;
mod routes;

use std::sync::Arc;

use axum::{Router, middleware};

pub(crate) use auth::rate_limit::Quota;
pub(crate) use context::Api;
pub(crate) use http::host_check::Hosts;
pub(crate) use http::server::{Door, ServerLimits, serve};
pub(crate) use http::socket_thread::Listeners;
pub(crate) use input::intake::Intake;

use crate::traces::Traces;

/// The whole interface as a router; each request is a span while traces are on.
pub(crate) fn app(api: Arc<Api>, traces: &Traces) -> Router {
    let app = routes::router(api);
    match traces.is_on() {
        true => app.layer(middleware::from_fn_with_state(
            traces.clone(),
            http::tracing_span::follow,
        )),
        false => app,
    }
}
