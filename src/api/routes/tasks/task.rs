//! One task: read it and its log, retry it, delete it.

use std::borrow::Cow;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::auth::caller::Caller;
use crate::api::context::Shared;
use crate::api::error::{ApiError, Refusal};
use crate::api::input::query::{NoParameters, Query};
use crate::api::input::task_id::TaskIdPath;
use crate::api::openapi::parameters;
use crate::api::routes::tasks::wait;
use crate::models::{Task, TaskId};
use crate::state::{Deleted, LogLine, LogPart, Retried, RetryAt};

/// Default number of log lines in an answer.
const LINES: u32 = 1000;
/// Largest number of log lines in an answer.
const LINES_LIMIT: u32 = 10_000;

/// The result of a command on one task.
#[derive(Serialize, ToSchema)]
pub(crate) struct TaskDone {
    /// Always true.
    success: bool,
    #[schema(value_type = Uuid)]
    task_id: TaskId,
    #[schema(value_type = String)]
    message: Cow<'static, str>,
}

impl TaskDone {
    pub(crate) fn new(task_id: TaskId, message: impl Into<Cow<'static, str>>) -> Json<Self> {
        Json(Self {
            success: true,
            task_id,
            message: message.into(),
        })
    }
}

/// Get a task.
///
/// With `wait` it answers when the task has finished, or with the unfinished task when the time is over.
#[utoipa::path(
    get, path = "/api/v1/tasks/{task_id}", tag = "Tasks", operation_id = "get_task",
    params(parameters::TaskIdParameter, parameters::WaitParameter, parameters::WithLogsParameter),
    responses((status = 200, description = "The task", body = Task)),
)]
pub(crate) async fn show(
    State(api): Shared,
    caller: Caller,
    uri: Uri,
    TaskIdPath(task_id): TaskIdPath,
) -> Result<Json<Task>, ApiError> {
    let query = Query::parse(uri.query(), &["wait", "logs"])?;
    let (wait, with_logs) = (wait::of(&query)?, query.flag("logs", true)?);
    if let Some(wait) = wait {
        wait::until_finished(&api, task_id, wait).await?;
    }
    let task = match with_logs {
        true => api.state.task(task_id).await?,
        false => api.state.task_without_logs(task_id).await?,
    };
    // Meanwhile an import may have replaced it by another processor's task.
    let task = task.filter(|task| caller.covers(&task.processor));
    task.map(Json).ok_or(ApiError::NotFound("Task not found"))
}

/// Retry a FAILED task.
///
/// A task that never started, because it was purged or stopped while PENDING, keeps a `run_at` in the future.
#[utoipa::path(
    post, path = "/api/v1/tasks/{task_id}/retry", tag = "Tasks", operation_id = "retry_task",
    params(parameters::TaskIdParameter, parameters::NowParameter),
    responses(
        (status = 200, description = "The task is PENDING again", body = TaskDone),
        (status = 409, description = "The task is not FAILED, or another task has its `unique_key`",
            body = Refusal),
    ),
)]
pub(crate) async fn retry(
    State(api): Shared,
    caller: Caller,
    uri: Uri,
    TaskIdPath(task_id): TaskIdPath,
) -> Result<Json<TaskDone>, ApiError> {
    let at = retry_at(&Query::parse(uri.query(), &["now"])?)?;
    let state = api.state.as_actor(caller.name());
    match state.retry(task_id, at).await? {
        Retried::Done { later: None } => Ok(TaskDone::new(task_id, "The task is queued again.")),
        Retried::Done { later: Some(time) } => {
            let message =
                format!("The task is queued again; it starts at {time}, or at once with now=true.");
            Ok(TaskDone::new(task_id, message))
        }
        Retried::Missing => Err(ApiError::NotFound("Task not found")),
        Retried::NotFailed => {
            let detail = "Only a task that has FAILED can be retried.".to_owned();
            Err(ApiError::Status(StatusCode::CONFLICT, detail))
        }
    }
}

/// Reads the parameter `now`: when a retried task starts.
pub(crate) fn retry_at(query: &Query) -> Result<RetryAt, ApiError> {
    Ok(match query.flag("now", false)? {
        true => RetryAt::Now,
        false => RetryAt::AsGiven,
    })
}

/// Delete a finished task, with its log.
#[utoipa::path(
    delete, path = "/api/v1/tasks/{task_id}", tag = "Tasks", operation_id = "delete_task",
    params(parameters::TaskIdParameter),
    responses(
        (status = 204, description = "The task is deleted"),
        (status = 409, description = "The task is not finished, or an unfinished task depends on its result", body = Refusal),
    ),
)]
pub(crate) async fn delete(
    State(api): Shared,
    caller: Caller,
    _: NoParameters,
    TaskIdPath(task_id): TaskIdPath,
) -> Result<StatusCode, ApiError> {
    match api.state.as_actor(caller.name()).delete(task_id).await? {
        Deleted::Done => Ok(StatusCode::NO_CONTENT),
        Deleted::Missing => Err(ApiError::NotFound("Task not found")),
        Deleted::NotFinal => {
            let detail =
                "The task is pending or running; only a finished task can be deleted.".to_owned();
            Err(ApiError::Status(StatusCode::CONFLICT, detail))
        }
        Deleted::NeededBy(downstream) => {
            let detail = format!(
                "Task {downstream} depends on this task, has not finished, and needs its result; delete this \
                 task when that one has finished."
            );
            Err(ApiError::Status(StatusCode::CONFLICT, detail))
        }
    }
}

/// Get a task's log, oldest line first.
#[utoipa::path(
    get, path = "/api/v1/tasks/{task_id}/logs", tag = "Tasks", operation_id = "get_task_logs",
    params(parameters::TaskIdParameter, parameters::LogParameters),
    responses((status = 200, description = "The log lines", body = Vec<LogLine>)),
)]
pub(crate) async fn logs(
    State(api): Shared,
    uri: Uri,
    TaskIdPath(task_id): TaskIdPath,
) -> Result<Json<Vec<LogLine>>, ApiError> {
    let query = Query::parse(uri.query(), &["since", "limit", "tail", "steps"])?;
    let since = query.get("since", "int_parsing", "an event id, a whole number")?;
    let part = LogPart {
        since: since.unwrap_or(0),
        limit: query.count("limit", LINES_LIMIT)?.unwrap_or(LINES),
        tail: query.flag("tail", false)?,
        steps: query.flag("steps", false)?,
    };
    if api.state.task_state(task_id).await?.is_none() {
        return Err(ApiError::NotFound("Task not found"));
    }
    Ok(Json(api.state.task_log(task_id, part).await?))
}
