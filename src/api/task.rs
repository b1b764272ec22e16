//! What can be done with one task besides reading it: retry, delete, read its log.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use serde_json::{Value, json};

use super::Shared;
use super::caller::Caller;
use super::error::ApiError;
use super::extract::TaskIdPath;
use super::query::{NoParameters, Query};
use crate::state::{Deleted, LogLine, Retried};

/// Log lines in an answer, if the request does not say.
const LINES: u32 = 1000;
/// The most log lines in an answer.
const LINES_LIMIT: u32 = 10_000;

/// `POST /api/v1/tasks/{id}/retry`: a task that has FAILED waits again.
pub(super) async fn retry(
    State(api): Shared,
    caller: Caller,
    _: NoParameters,
    TaskIdPath(task_id): TaskIdPath,
) -> Result<Json<Value>, ApiError> {
    match api.state.in_name_of(caller.name()).retry(task_id).await? {
        Retried::Done => Ok(Json(json!({
            "success": true,
            "task_id": task_id,
            "message": "The task waits again.",
        }))),
        Retried::Missing => Err(ApiError::NotFound("Task not found")),
        Retried::NotFailed => {
            let detail = "Only a task that has FAILED can be retried.".to_owned();
            Err(ApiError::Status(StatusCode::CONFLICT, detail))
        }
    }
}

/// `DELETE /api/v1/tasks/{id}`: a finished task, with its log.
pub(super) async fn delete(
    State(api): Shared,
    caller: Caller,
    _: NoParameters,
    TaskIdPath(task_id): TaskIdPath,
) -> Result<StatusCode, ApiError> {
    match api.state.in_name_of(caller.name()).delete(task_id).await? {
        Deleted::Done => Ok(StatusCode::NO_CONTENT),
        Deleted::Missing => Err(ApiError::NotFound("Task not found")),
        Deleted::NotFinal => {
            let detail = "The task waits or runs; only a finished task can be deleted.".to_owned();
            Err(ApiError::Status(StatusCode::CONFLICT, detail))
        }
    }
}

/// `GET /api/v1/tasks/{id}/logs?since=&limit=`
pub(super) async fn logs(
    State(api): Shared,
    uri: Uri,
    TaskIdPath(task_id): TaskIdPath,
) -> Result<Json<Vec<LogLine>>, ApiError> {
    let query = Query::parse(uri.query(), &["since", "limit"])?;
    let since = query.get("since", "int_parsing", "an event id, a whole number")?;
    let limit = query.count("limit", LINES_LIMIT)?.unwrap_or(LINES);
    if api.state.task_state(task_id).await?.is_none() {
        return Err(ApiError::NotFound("Task not found"));
    }
    let lines = api
        .state
        .task_log(task_id, since.unwrap_or(0), limit)
        .await?;
    Ok(Json(lines))
}
