//! `POST /api/v1/tasks/batch`: many tasks in one request, all of them or none.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Shared;
use super::caller::Caller;
use super::document::{parameters, requests};
use super::error::{ApiError, Problem, Taken};
use super::extract::{IdempotencyKey, check_json, once, parse_object, parse_part, read_body};
use super::query::NoParameters;
use super::task_request::task_of;
use super::traced::Traced;
use crate::models::{NewTask, TaskId};
use crate::processors::Registry;
use crate::state::Error;

/// Tasks in one request.
const BATCH_LIMIT: usize = 10_000;

/// A body of one JSON object, or of one a line.
pub(super) struct BatchBody {
    bytes: Bytes,
    is_lines: bool,
}

impl FromRequest<std::sync::Arc<super::Api>> for BatchBody {
    type Rejection = ApiError;

    async fn from_request(
        request: Request,
        api: &std::sync::Arc<super::Api>,
    ) -> Result<Self, ApiError> {
        let content_type = request.headers().get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok());
        let essence = content_type.unwrap_or_default().split(';').next();
        let essence = essence.unwrap_or_default().trim().to_ascii_lowercase();
        let is_lines = matches!(
            essence.as_str(),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl"
        );
        if !is_lines {
            check_json(request.headers())?;
        }
        let bytes = read_body(request, api).await?;
        Ok(Self { bytes, is_lines })
    }
}

/// The tasks that were accepted, in the order of the request.
#[derive(Serialize, ToSchema)]
pub(super) struct BatchCreated {
    #[schema(value_type = Vec<Uuid>)]
    task_ids: Vec<TaskId>,
}

/// Submit many tasks: all of them or none.
///
/// The body may also be lines of JSON with one task each, as `application/x-ndjson`.
#[utoipa::path(
    post, path = "/api/v1/tasks/batch", tag = "Tasks", operation_id = "submit_batch",
    params(parameters::IdempotencyParameter),
    request_body = requests::BatchRequest,
    responses(
        (status = 201, description = "All are accepted", body = BatchCreated),
        (status = 409, description = "Another task has the `unique_key` of one of them", body = Taken),
    ),
)]
pub(super) async fn create(
    State(api): Shared,
    caller: Caller,
    _: NoParameters,
    traced: Traced,
    IdempotencyKey(key): IdempotencyKey,
    body: BatchBody,
) -> Result<Response, ApiError> {
    if api.stopping.is_cancelled() {
        return Err(Error::Stopping.into());
    }
    let room = api.state.reserve(body.bytes.len())?;
    let mut tasks = body.tasks(&api.registry, &caller)?;
    for (index, task) in tasks.iter().enumerate() {
        let checked = caller.check(&task.processor);
        checked.map_err(|error| error.of_task(index))?;
        let checked = caller.check_upstream(&api.state, &task.after).await;
        checked.map_err(|error| ApiError::from(error).of_task(index))?;
    }
    let once = key.map(|key| once(&caller, key, &body.bytes));
    let commit = traced.commit(&mut tasks);
    let task_ids = api.state.submit_all(tasks, once, room).await;
    commit.end(&task_ids, |_| None);
    let created = Json(BatchCreated {
        task_ids: task_ids?,
    });
    Ok((StatusCode::CREATED, created).into_response())
}

impl BatchBody {
    fn tasks(&self, registry: &Registry, caller: &Caller) -> Result<Vec<NewTask>, ApiError> {
        let values = match self.is_lines {
            true => lines(&self.bytes)?,
            false => list(&self.bytes)?,
        };
        if values.len() > BATCH_LIMIT {
            let msg = format!("List should have at most {BATCH_LIMIT} items");
            let found = json!(values.len());
            return Err(Problem::new("too_long", &["body", "tasks"], msg, found).into());
        }
        let tasks = values.into_iter().enumerate();
        tasks
            .map(|(index, value)| {
                let task = task_of(value, registry, caller);
                task.map_err(|error| error.of_task(index))
            })
            .collect()
    }
}

/// `{"tasks": [ … ]}`
fn list(body: &[u8]) -> Result<Vec<Value>, ApiError> {
    let mut fields = parse_object(body)?;
    match fields.remove("tasks") {
        Some(Value::Array(tasks)) => {
            if let Some((name, value)) = fields.into_iter().next() {
                let msg = "Unknown field; expected tasks";
                return Err(Problem::new("extra_forbidden", &["body", &name], msg, value).into());
            }
            Ok(tasks)
        }
        Some(other) => {
            let msg = "Input should be a valid list";
            Err(Problem::new("list_type", &["body", "tasks"], msg, other).into())
        }
        None => {
            let found = Value::Object(fields);
            Err(Problem::new("missing", &["body", "tasks"], "Field required", found).into())
        }
    }
}

/// One object a line; empty lines are passed over. What is no JSON is named by its task, and by its line
/// and byte in the whole body.
fn lines(body: &[u8]) -> Result<Vec<Value>, ApiError> {
    let mut values = Vec::new();
    let mut start = 0;
    for (index, line) in body.split(|byte| *byte == b'\n').enumerate() {
        if !line.trim_ascii().is_empty() {
            let value = parse_part(line, start, index + 1);
            values.push(value.map_err(|error| error.of_task(values.len()))?);
        }
        start += line.len() + 1;
    }
    Ok(values)
}
