//! `POST /api/v1/tasks/batch`: many tasks in one request, all of them or none.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::api::auth::caller::Caller;
use crate::api::context::Shared;
use crate::api::error::{ApiError, Problem, Taken};
use crate::api::http::tracing_span::Traced;
use crate::api::input::body::{check_json, read_body};
use crate::api::input::idempotency::{IdempotencyHeader, idempotency_key};
use crate::api::input::json::{parse_object, parse_part, parse_value};
use crate::api::input::json_check::{OBJECT, check, list_of};
use crate::api::input::new_task::{NewTaskBody, task_of};
use crate::api::input::query::NoParameters;
use crate::api::openapi::parameters;
use crate::models::json;
use crate::models::{NewTask, TaskId};
use crate::processors::Registry;
use crate::state::Error;

/// Tasks in one request.
const BATCH_LIMIT: usize = 10_000;

/// Tasks that are accepted all together, or not at all.
///
/// The reader takes the list apart itself, task by task, so that it never holds more than one as a tree of values.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
#[serde(deny_unknown_fields)]
#[schema(description = "Tasks that are accepted all together, or not at all.",
    examples(json!({ "tasks": [{ "content": "one" }, { "content": "two", "priority": -1 }] })))]
pub(crate) struct BatchRequest {
    #[schema(max_items = 10_000)]
    tasks: Vec<NewTaskBody>,
}

/// A body of one JSON object, or of one object per line.
pub(crate) struct BatchBody {
    bytes: Bytes,
    is_lines: bool,
}

impl FromRequest<std::sync::Arc<crate::api::context::Api>> for BatchBody {
    type Rejection = ApiError;

    async fn from_request(
        request: Request,
        api: &std::sync::Arc<crate::api::context::Api>,
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

/// The ids of the accepted tasks, in the order of the request.
#[derive(Serialize, ToSchema)]
pub(crate) struct BatchCreated {
    #[schema(value_type = Vec<Uuid>)]
    task_ids: Vec<TaskId>,
}

/// Submit many tasks, all or none.
///
/// The body may also be lines of JSON, one task per line (`application/x-ndjson`).
#[utoipa::path(
    post, path = "/api/v1/tasks/batch", tag = "Tasks", operation_id = "submit_batch",
    params(parameters::IdempotencyParameter),
    request_body = BatchRequest,
    responses(
        (status = 201, description = "All are accepted", body = BatchCreated),
        (status = 409, description = "Another task has the `unique_key` of a submitted task", body = Taken),
    ),
)]
pub(crate) async fn create(
    State(api): Shared,
    caller: Caller,
    _: NoParameters,
    traced: Traced,
    IdempotencyHeader(key): IdempotencyHeader,
    body: BatchBody,
) -> Result<Response, ApiError> {
    if api.stopping.is_cancelled() {
        return Err(Error::Stopping.into());
    }
    let room = api.state.reserve(body.bytes.len())?;
    let (registry, who) = (Arc::clone(&api.registry), caller.clone());
    let read = move |bytes: &[u8]| match body.is_lines {
        true => lines(bytes, &registry, &who),
        false => list(bytes, &registry, &who),
    };
    let mut tasks = api.intake.parse(&body.bytes, read).await?;
    for (index, task) in tasks.iter().enumerate() {
        let checked = caller.check(&task.processor);
        checked.map_err(|error| error.of_task(index))?;
        let checked = caller.check_dependencies(&api.state, &task.after).await;
        checked.map_err(|error| ApiError::from(error).of_task(index))?;
    }
    let key = key.map(|key| idempotency_key(&caller, key, &body.bytes));
    let commit = traced.commit(&mut tasks);
    let task_ids = api.state.submit_all(tasks, key, room).await;
    commit.end(&task_ids, |_| None);
    let created = Json(BatchCreated {
        task_ids: task_ids?,
    });
    Ok((StatusCode::CREATED, created).into_response())
}

/// Reads `{"tasks": [ … ]}`, one task after the other: at most one of them is a tree of values at a time.
fn list(body: &[u8], registry: &Registry, caller: &Caller) -> Result<Vec<NewTask>, ApiError> {
    if !body.trim_ascii_start().starts_with(b"{") {
        return parse_object(body).map(|_| Vec::new());
    }
    check(body, list_of(BATCH_LIMIT))?;
    let mut fields: BTreeMap<String, &RawValue> = parse_part(body, 0, 1)?;
    let Some(tasks) = fields.remove("tasks") else {
        let found = parse_value(body, 0, 1)?;
        return Err(Problem::new("missing", &["body", "tasks"], "Field required", found).into());
    };
    if let Some((name, value)) = fields.into_iter().next() {
        let msg = "Unknown field; expected tasks";
        let value = json::parse(value.get().as_bytes()).unwrap_or_default();
        return Err(Problem::new("extra_forbidden", &["body", &name], msg, value).into());
    }
    let Ok(tasks) = serde_json::from_str::<Vec<&RawValue>>(tasks.get()) else {
        let msg = "Input should be a valid list";
        let value = json::parse(tasks.get().as_bytes()).unwrap_or_default();
        return Err(Problem::new("list_type", &["body", "tasks"], msg, value).into());
    };
    let tasks = tasks.into_iter().enumerate();
    tasks
        .map(|(index, task)| {
            let task = parse_value(task.get().as_bytes(), 0, 1)
                .and_then(|value| task_of(value, registry, caller));
            task.map_err(|error| error.of_task(index))
        })
        .collect()
}

/// Reads one object per line, and skips empty lines. A syntax error names the task, and line and byte in the whole body.
fn lines(body: &[u8], registry: &Registry, caller: &Caller) -> Result<Vec<NewTask>, ApiError> {
    let mut tasks = Vec::new();
    let mut start = 0;
    for (index, line) in body.split(|byte| *byte == b'\n').enumerate() {
        if !line.trim_ascii().is_empty() {
            if tasks.len() == BATCH_LIMIT {
                let msg = format!("List should have at most {BATCH_LIMIT} items");
                return Err(Problem::new("too_long", &["body", "tasks"], msg, Value::Null).into());
            }
            let task = check(line, OBJECT)
                .and_then(|()| parse_value(line, start, index + 1))
                .and_then(|value| task_of(value, registry, caller));
            tasks.push(task.map_err(|error| error.of_task(tasks.len()))?);
        }
        start += line.len() + 1;
    }
    Ok(tasks)
}
