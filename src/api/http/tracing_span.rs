//! Requests as spans of a trace. The layer is there only while traces are on.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;

use crate::models::NewTask;
use crate::state::Error;
use crate::traces::{Span, Traces};

/// The span of a request, if there is one.
#[derive(Clone, Default)]
pub(crate) struct Traced(Option<Span>);

/// Makes a span of each request but the probes.
pub(crate) async fn follow(
    State(traces): State<Traces>,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    if matches!(path, "/healthz" | "/readyz") {
        return next.run(request).await;
    }
    let (method, route) = (request.method().to_string(), route(path));
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
    // Any path may be asked for, and a name is one of few.
    if let Some(route) = route {
        span.rename(format!("{method} {route}"));
        span.set("http.route", route);
    }
    if status.is_server_error() {
        span.fail(status.as_u16().to_string());
    }
}

/// The pattern of a call's path.
fn route(path: &str) -> Option<String> {
    if path.starts_with("/web/") {
        return Some("/web/{*path}".to_owned());
    }
    let Some(rest) = path.strip_prefix("/api/v1/") else {
        return matches!(path, "/" | "/metrics" | "/ws/events").then(|| path.to_owned());
    };
    let parts: Vec<_> = rest.split('/').collect();
    let route = match parts[..] {
        ["tasks", "batch" | "retry" | "abort"] | ["worker", "claim"] => rest.to_owned(),
        ["tasks", _] => "tasks/{task_id}".to_owned(),
        ["tasks" | "worker", _, verb] if is_word(verb) => {
            format!("{}/{{task_id}}/{verb}", parts[0])
        }
        ["queue", "task", _, "abort"] => "queue/task/{task_id}/abort".to_owned(),
        [one] if is_word(one) => rest.to_owned(),
        [one, other] if is_word(one) && is_word(other) => rest.to_owned(),
        _ => return None,
    };
    Some(format!("/api/v1/{route}"))
}

/// Whether a part of a path may be one of ours, which are short and of small letters.
fn is_word(part: &str) -> bool {
    (1..=20).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_lowercase() || c == b'-')
}

/// The commit that a request waits for.
pub(crate) struct Commit(Option<Span>);

impl Traced {
    /// The commit of these tasks begins: they will know what they came in with.
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
    /// It has ended: what came of it, with the id of the task if it is one.
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

#[cfg(test)]
mod tests {
    use crate::api::http::tracing_span::route;

    #[test]
    fn a_route_is_one_of_few() {
        for (path, expected) in [
            ("/api/v1/tasks", "/api/v1/tasks"),
            ("/api/v1/tasks/batch", "/api/v1/tasks/batch"),
            ("/api/v1/tasks/4711", "/api/v1/tasks/{task_id}"),
            ("/api/v1/tasks/4711/logs", "/api/v1/tasks/{task_id}/logs"),
            ("/api/v1/worker/claim", "/api/v1/worker/claim"),
            ("/api/v1/worker/4711/fail", "/api/v1/worker/{task_id}/fail"),
            (
                "/api/v1/queue/task/4711/abort",
                "/api/v1/queue/task/{task_id}/abort",
            ),
            (
                "/api/v1/queue/emergency-stop",
                "/api/v1/queue/emergency-stop",
            ),
            ("/ws/events", "/ws/events"),
            ("/web/app.js", "/web/{*path}"),
        ] {
            assert_eq!(route(path).as_deref(), Some(expected));
        }
        for path in [
            "/etc/passwd",
            "/api/v1/tasks/1/2/3",
            "/api/v1/X",
            "/api/v2/tasks",
        ] {
            assert_eq!(route(path), None, "{path}");
        }
    }
}
