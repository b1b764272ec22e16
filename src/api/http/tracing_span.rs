//! Makes a trace span of each request. The layer is installed only while traces are on.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;

use crate::api::http::route_index::{RouteIndex, is_probe};
use crate::models::NewTask;
use crate::state::Error;
use crate::traces::{Span, Traces};

/// The span of a request, if there is one.
#[derive(Clone, Default)]
pub(crate) struct Traced(Option<Span>);

/// Makes a span of each request, except for health probes.
pub(crate) async fn trace_request(
    State((traces, routes)): State<(Traces, Arc<RouteIndex>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    if is_probe(path) {
        return next.run(request).await;
    }
    let (method, route) = (
        request.method().to_string(),
        routes.pattern(path).map(str::to_owned),
    );
    let span = traces.request(&method, path, request.headers());
    request.extensions_mut().insert(Traced(span.clone()));
    let response = next.run(request).await;
    if let Some(span) = span {
        describe(&span, &method, route, response.status());
        span.end();
    }
    response
}

fn describe(span: &Span, method: &str, route: Option<String>, status: StatusCode) {
    span.set("http.response.status_code", i64::from(status.as_u16()));
    // The name is the route's pattern, because clients may ask for any path.
    if let Some(route) = route {
        span.rename(format!("{method} {route}"));
        span.set("http.route", route);
    }
    if status.is_server_error() {
        span.fail(status.as_u16().to_string());
    }
}

/// The span of the commit that a request waits for.
pub(crate) struct Commit(Option<Span>);

impl Traced {
    /// Begins the span of a commit of these tasks, and stores its context in each task.
    pub(crate) fn commit(&self, tasks: &mut [NewTask]) -> Commit {
        let span = self.0.as_ref().map(|span| span.commit(tasks.len()));
        if let Some(span) = &span {
            let carried = span.carried();
            for task in tasks {
                task.trace = Some(carried.clone());
            }
        }
        Commit(span)
    }
}

impl Commit {
    /// Ends the span, with the task's id if it is a single one.
    pub(crate) fn end<T>(
        self,
        done: &Result<T, Error>,
        task_id: impl FnOnce(&T) -> Option<String>,
    ) {
        let Some(span) = self.0 else {
            return;
        };
        match done {
            Ok(done) => {
                if let Some(task_id) = task_id(done) {
                    span.set("venom.task.id", task_id);
                }
            }
            Err(_) => span.fail("refused"),
        }
        span.end();
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Traced {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}
