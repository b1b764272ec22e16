//! The error type of the API, in the shapes of FastAPI.
//!
//! A 422 carries a list of [`Problem`]s, every other error a sentence. An internal error is logged here, once, with an id
//! that the client receives instead of the detail.

mod truncate_input;

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::models::TaskId;
use crate::state;

/// Seconds after which a client may retry what was refused for lack of capacity.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// The authentication scheme.
const BEARER: HeaderValue = HeaderValue::from_static("Bearer");
const INVALID_TOKEN: HeaderValue = HeaderValue::from_static("Bearer error=\"invalid_token\"");

/// An error answer.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// 422: the mistakes of the request, field by field.
    Invalid(Vec<Problem>),
    /// 401, with a sentence: no token was sent.
    Unauthorized(&'static str),
    /// 401, with a sentence: the token is invalid.
    InvalidToken(&'static str),
    /// 404, with a sentence.
    NotFound(&'static str),
    Status(StatusCode, String),
    /// 415: the body has a `Content-Encoding`.
    Encoding(String),
    /// 426: the call requires a WebSocket.
    NoWebSocket,
    /// 409: a task with the same `unique_key` exists.
    Taken(TaskId, String),
    /// 429: what was exceeded, and how long until the next request is accepted.
    TooMany(String, Duration),
    /// 503: nothing was stored; retry later.
    Unavailable(String),
    /// 500: the client receives an id, the log has the reason.
    Internal(String),
}

/// An error, as a sentence.
#[derive(Serialize, ToSchema)]
pub(crate) struct Refusal {
    detail: String,
}

/// A conflict with an existing task.
#[derive(Serialize, ToSchema)]
pub(crate) struct Taken {
    detail: String,
    /// The existing task.
    #[schema(value_type = Uuid)]
    task_id: TaskId,
}

/// The mistakes of a request, field by field; at most 100.
#[derive(Serialize, ToSchema)]
pub(crate) struct Invalid {
    detail: Vec<Problem>,
}

/// One mistake of a request, in the shape of FastAPI.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The kind of mistake, for programs.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    /// Where the mistake is: `["body", "content"]`.
    #[schema(value_type = Vec<Place>)]
    pub(crate) loc: Vec<Value>,
    /// What was expected.
    pub(crate) msg: String,
    /// What was found there, truncated.
    pub(crate) input: Value,
}

/// One step of the path to a mistake.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it describes, and is never made")]
enum Place {
    Name(String),
    Index(i64),
}

/// Mistakes that one answer reports at most.
pub(crate) const PROBLEMS_LIMIT: usize = 100;

impl Problem {
    pub(crate) fn new(
        kind: &'static str,
        loc: &[&str],
        msg: impl Into<String>,
        input: Value,
    ) -> Self {
        let loc = loc
            .iter()
            .map(|part| truncate_input::truncate_input(json!(part)));
        Self {
            kind,
            loc: loc.collect(),
            msg: msg.into(),
            input: truncate_input::truncate_input(input),
        }
    }
}

impl Problem {
    /// Adds a step to the path of the mistake.
    pub(crate) fn place(&mut self, step: Value) {
        self.loc.push(truncate_input::truncate_input(step));
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self::Invalid(vec![problem])
    }
}

impl From<state::Error> for ApiError {
    fn from(error: state::Error) -> Self {
        match error {
            state::Error::Busy
            | state::Error::Stopping
            | state::Error::Unavailable(_)
            | state::Error::TooManySearches
            | state::Error::SearchTooLong => Self::Unavailable(sentence(&error.to_string())),
            state::Error::Taken { task_id } => Self::Taken(task_id, sentence(&error.to_string())),
            state::Error::Conflict(_) | state::Error::KeyTaken | state::Error::NoInput { .. } => {
                Self::Status(StatusCode::CONFLICT, sentence(&error.to_string()))
            }
            state::Error::KeyReused => {
                let loc = ["header", "Idempotency-Key"];
                Problem::new(
                    "value_error",
                    &loc,
                    sentence(&error.to_string()),
                    Value::Null,
                )
                .into()
            }
            state::Error::NoUpstream { task_id } => {
                let msg = sentence(&error.to_string());
                Problem::new("value_error", &["body", "after"], msg, json!(task_id)).into()
            }
            state::Error::TwiceInBatch { index, ref key } => {
                let msg = sentence(&error.to_string());
                let mut problem = Problem::new("value_error", &["body", "tasks"], msg, json!(key));
                problem.loc.extend([json!(index), json!("unique_key")]);
                problem.into()
            }
            state::Error::OfTask { index, error } => Self::from(*error).of_task(index),
            state::Error::Refused(_) | state::Error::Corrupt(_) | state::Error::BadRow(_) => {
                Self::Internal(error.to_string())
            }
        }
    }
}

impl ApiError {
    /// Returns the same error for task number `index` of a batch.
    pub(crate) fn of_task(self, index: usize) -> Self {
        match self {
            Self::Invalid(mut problems) => {
                for problem in &mut problems {
                    if problem.loc.first() == Some(&json!("body")) {
                        problem.loc.splice(1..1, [json!("tasks"), json!(index)]);
                    }
                }
                Self::Invalid(problems)
            }
            Self::Status(status, detail) => Self::Status(status, format!("Task {index}: {detail}")),
            Self::Taken(id, detail) => Self::Taken(id, format!("Task {index}: {detail}")),
            other => other,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self {
            Self::Invalid(mut problems) => {
                problems.truncate(PROBLEMS_LIMIT);
                let body = Invalid { detail: problems };
                answer(StatusCode::UNPROCESSABLE_ENTITY, body)
            }
            Self::Unauthorized(detail) => {
                let status = StatusCode::UNAUTHORIZED;
                let mut response = refuse(status, detail);
                let headers = response.headers_mut();
                headers.insert(header::WWW_AUTHENTICATE, BEARER);
                response
            }
            Self::InvalidToken(detail) => {
                let mut response = refuse(StatusCode::UNAUTHORIZED, detail);
                let headers = response.headers_mut();
                headers.insert(header::WWW_AUTHENTICATE, INVALID_TOKEN);
                response
            }
            Self::Encoding(detail) => {
                let mut response = refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
                let identity = HeaderValue::from_static("identity");
                let headers = response.headers_mut();
                headers.insert(header::ACCEPT_ENCODING, identity);
                response
            }
            Self::NoWebSocket => {
                let detail =
                    "This is a WebSocket; connect to it with a WebSocket client, version 13.";
                let mut response = refuse(StatusCode::UPGRADE_REQUIRED, detail);
                let headers = response.headers_mut();
                for (name, value) in [
                    (header::UPGRADE, "websocket"),
                    (header::CONNECTION, "upgrade"),
                    (header::SEC_WEBSOCKET_VERSION, "13"),
                ] {
                    headers.insert(name, HeaderValue::from_static(value));
                }
                response
            }
            Self::NotFound(detail) => refuse(StatusCode::NOT_FOUND, detail),
            Self::Status(status, detail) => refuse(status, detail),
            Self::Taken(task_id, detail) => answer(StatusCode::CONFLICT, Taken { detail, task_id }),
            Self::TooMany(what, wait) => {
                let seconds = wait.as_secs_f64().ceil().max(1.0) as u64;
                let detail = format!("{what} Try again in {seconds} s.");
                let mut response = refuse(StatusCode::TOO_MANY_REQUESTS, detail);
                let headers = response.headers_mut();
                headers.insert(header::RETRY_AFTER, seconds.into());
                response
            }
            Self::Unavailable(detail) => {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                let mut response = refuse(status, detail);
                response
                    .headers_mut()
                    .insert(header::RETRY_AFTER, RETRY_AFTER);
                response
            }
            Self::Internal(reason) => {
                let error_id = Uuid::new_v4();
                tracing::error!(%error_id, reason, "a request failed inside");
                let detail = format!("Internal error {error_id}; the service's log says more.");
                refuse(StatusCode::INTERNAL_SERVER_ERROR, detail)
            }
        }
    }
}

fn refuse(status: StatusCode, detail: impl Into<String>) -> Response {
    let detail = detail.into();
    answer(status, Refusal { detail })
}

fn answer(status: StatusCode, body: impl Serialize) -> Response {
    (status, Json(body)).into_response()
}

/// Returns the text with a capital first and a full stop last.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}

/// Answers a path without a route. A trailing slash is named in the error, because some frameworks add one.
pub(crate) async fn not_found(uri: Uri) -> ApiError {
    ApiError::NotFound(match uri.path().ends_with('/') {
        true => "Not Found. No path ends with a slash; leave it out.",
        false => "Not Found",
    })
}

/// Answers a path whose route has another method.
pub(crate) async fn method_not_allowed() -> ApiError {
    ApiError::Status(
        StatusCode::METHOD_NOT_ALLOWED,
        "Method Not Allowed".to_owned(),
    )
}
