//! The HTTP and WebSocket interface.
//!
//! A connection is accepted in [`http`], its requests are checked there and in [`auth`], large bodies share [`intake`], [`input`] turns bytes into
//! checked values, and a handler of [`routes`] extracts, makes one call and answers. Rules and SQL live elsewhere.

mod auth;
mod context;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod http;
mod input;
mod intake;
mod openapi;
mod routes;

use std::sync::{Arc, LazyLock};

use axum::{Router, middleware};
use bytes::Bytes;

pub(crate) use auth::rate_limit::RateLimiter;
pub(crate) use context::Api;
pub(crate) use http::host_check::Hosts;
pub(crate) use http::route_index::RouteIndex;
pub(crate) use http::server::{ServerContext, ServerLimits, serve};
pub(crate) use http::socket_thread::SocketThread;
pub(crate) use intake::Intake;
use routes::table;

use crate::traces::Traces;

/// Builds the router of the whole interface, and its routes by path. While traces are on, each request is a span.
pub(crate) fn app(api: Arc<Api>, traces: &Traces) -> (Router, Arc<RouteIndex>) {
    let routes = table::table();
    let index = Arc::new(table::index(&routes));
    let (router, _) = table::router(routes);
    let app = router.with_state(api);
    let app = match traces.is_on() {
        true => app.layer(middleware::from_fn_with_state(
            (traces.clone(), Arc::clone(&index)),
            http::tracing_span::trace_request,
        )),
        false => app,
    };
    (app, index)
}

/// Returns the text of `/openapi.json`, rendered at its first use.
pub(crate) fn document() -> LazyLock<Bytes> {
    LazyLock::new(|| {
        let routes = table::table();
        let index = table::index(&routes);
        let (_, calls) = table::router(routes);
        openapi::text(calls, &index)
    })
}
