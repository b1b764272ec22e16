//! The one error type of the API, in FastAPI's shapes.
//!
//! 422 carries a list of [`Problem`]s, everything else a sentence. What went wrong inside is logged
//! here, once, with an id that the client gets instead of the detail.

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

/// Seconds after which a client may try again what was refused for lack of room.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// How a request says who makes it.
const BEARER: HeaderValue = HeaderValue::from_static("Bearer");
const INVALID_TOKEN: HeaderValue = HeaderValue::from_static("Bearer error=\"invalid_token\"");

/// An answer other than the one that was asked for.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// 422: what is wrong with the request, field by field.
    Invalid(Vec<Problem>),
    /// 401, with a sentence: no token was sent.
    Unauthorized(&'static str),
    /// 401, with a sentence: the token that was sent does not hold.
    InvalidToken(&'static str),
    /// 404, with a sentence.
    NotFound(&'static str),
    Status(StatusCode, String),
    /// 415, because of how the body is encoded.
    Encoding(String),
    /// 426: the call is a WebSocket, and the request is none.
    NoWebSocket,
    /// 409, because of a task that is there already.
    Taken(TaskId, String),
    /// 429: what there was too much of, and how long until more is taken.
    TooMany(String, Duration),
    /// 503: nothing was stored; try again later.
    Unavailable(String),
    /// 500: the client gets an id, the log gets the reason.
    Internal(String),
}

/// A refusal in a sentence.
#[derive(Serialize, ToSchema)]
pub(crate) struct Refusal {
    detail: String,
}

/// A refusal because of a task that is there already.
#[derive(Serialize, ToSchema)]
pub(crate) struct Taken {
    detail: String,
    /// The task in the way.
    #[schema(value_type = Uuid)]
    task_id: TaskId,
}

/// What is wrong with a request, field by field; at most 100 problems.
#[derive(Serialize, ToSchema)]
pub(crate) struct Invalid {
    detail: Vec<Problem>,
}

/// One thing that is wrong with a request, as FastAPI says it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// A name for programs.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    /// Where it stands: `["body", "content"]`.
    #[schema(value_type = Vec<Place>)]
    pub(crate) loc: Vec<Value>,
    /// What was expected.
    pub(crate) msg: String,
    /// What was found there.
    pub(crate) input: Value,
}

/// A part of where a problem stands.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it describes, and is never made")]
enum Place {
    Name(String),
    Index(i64),
}

/// The most problems of one request that are told.
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
    /// Goes one step further to where it stands.
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
    /// The same, said of one of many tasks in a body.
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

/// The text as a sentence: a capital first, a full stop last.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}

/// No such path. No path of ours ends with a slash, unlike those of some frameworks.
pub(crate) async fn not_found(uri: Uri) -> ApiError {
    ApiError::NotFound(match uri.path().ends_with('/') {
        true => "Not Found. No path ends with a slash; leave it out.",
        false => "Not Found",
    })
}

/// The path exists, the method does not.
pub(crate) async fn method_not_allowed() -> ApiError {
    ApiError::Status(
        StatusCode::METHOD_NOT_ALLOWED,
        "Method Not Allowed".to_owned(),
    )
}
