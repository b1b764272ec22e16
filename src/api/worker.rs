//! The API of outside workers: claim tasks, say how they go, end them.
//!
//! Every call about a task names its attempt, so that who has lost a task cannot meddle with its next
//! attempt: that is a 409. A call that ends an attempt answers when the end is stored.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

use super::caller::Caller;
use super::error::ApiError;
use super::extract::{JsonBody, TaskIdPath};
use super::query::NoParameters;
use super::{Api, Shared, worker_request};
use crate::models::{TaskId, TaskStatus};
use crate::processors::worker::{Assigned, Call, Over, Poll};
use crate::state::Error;

/// The answer to a claim.
#[derive(Serialize)]
pub(super) struct Claimed {
    tasks: Vec<Assigned>,
}

/// `POST /api/v1/worker/claim`: a long poll. A client that goes away meanwhile gets no tasks: they go to
/// another, or back at no cost.
pub(super) async fn claim(
    State(api): Shared,
    caller: Caller,
    _: NoParameters,
    JsonBody(body): JsonBody,
) -> Result<Json<Claimed>, ApiError> {
    let claim = worker_request::claim(&body, &api.registry, &caller)?;
    for processor in &claim.processors {
        caller.check(processor)?;
    }
    if api.stopping.is_cancelled() {
        return Err(Error::Stopping.into());
    }
    let (desk, state) = (api.registry.desk(), api.state.clone());
    let poll = Poll::new(desk, state, claim.processors, claim.limit);
    let worker = claim.worker.as_deref();
    let tasks = poll.tasks(claim.wait, worker, &api.stopping).await?;
    if tasks.is_empty() && api.stopping.is_cancelled() {
        return Err(Error::Stopping.into());
    }
    Ok(Json(Claimed { tasks }))
}

/// `POST /api/v1/worker/{task_id}/heartbeat`
pub(super) async fn heartbeat(
    State(api): Shared,
    _: NoParameters,
    TaskIdPath(task_id): TaskIdPath,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    renew(&api, task_id, worker_request::heartbeat(&body)?).await
}

/// `POST /api/v1/worker/{task_id}/log`
pub(super) async fn log(
    State(api): Shared,
    _: NoParameters,
    TaskIdPath(task_id): TaskIdPath,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    renew(&api, task_id, worker_request::log(&body)?).await
}

/// `POST /api/v1/worker/{task_id}/progress`
pub(super) async fn progress(
    State(api): Shared,
    _: NoParameters,
    TaskIdPath(task_id): TaskIdPath,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    renew(&api, task_id, worker_request::progress(&body)?).await
}

/// `POST /api/v1/worker/{task_id}/complete`: the task is COMPLETED when this answers. A repeat of what
/// was stored is answered like the first, for workers that did not hear it.
pub(super) async fn complete(
    State(api): Shared,
    _: NoParameters,
    TaskIdPath(task_id): TaskIdPath,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    let (attempt, result) = worker_request::complete(&body)?;
    match end(&api, task_id, attempt, Call::Complete(result.clone())).await? {
        Ok(TaskStatus::Completed) => {}
        Ok(_) => return Err(over(&api, task_id, attempt).await),
        Err(Over) => {
            let task = api.state.task(task_id).await?;
            let is_repeat = task.is_some_and(|task| {
                (task.status, task.attempt) == (TaskStatus::Completed, attempt)
                    && task.result.as_ref() == Some(&result)
            });
            if !is_repeat {
                return Err(over(&api, task_id, attempt).await);
            }
        }
    }
    Ok(ended(task_id, TaskStatus::Completed))
}

/// `POST /api/v1/worker/{task_id}/fail`: when this answers, the task is FAILED, or PENDING if it is tried
/// again.
pub(super) async fn fail(
    State(api): Shared,
    _: NoParameters,
    TaskIdPath(task_id): TaskIdPath,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    let (attempt, call) = worker_request::fail(&body)?;
    match end(&api, task_id, attempt, call).await? {
        Ok(status) => Ok(ended(task_id, status)),
        Err(Over) => Err(over(&api, task_id, attempt).await),
    }
}

fn ended(task_id: TaskId, status: TaskStatus) -> Json<Value> {
    Json(json!({ "success": true, "task_id": task_id, "status": status }))
}

/// Passes a call on that renews the lease.
async fn renew(
    api: &Api,
    task_id: TaskId,
    (attempt, call): (i64, Call),
) -> Result<Json<Value>, ApiError> {
    match api.registry.desk().call(task_id, attempt, call).await {
        Ok(lease_expires_at) => Ok(Json(json!({ "lease_expires_at": lease_expires_at }))),
        Err(Over) => Err(over(api, task_id, attempt).await),
    }
}

/// Passes a call on that ends the attempt; what the task has become when that is stored. A stop may have
/// come first, and decided otherwise.
async fn end(
    api: &Api,
    task_id: TaskId,
    attempt: i64,
    call: Call,
) -> Result<Result<TaskStatus, Over>, ApiError> {
    let waiter = api.state.wait_for_end(task_id);
    if let Err(over) = api.registry.desk().call(task_id, attempt, call).await {
        return Ok(Err(over));
    }
    tokio::select! {
        // First, because the service closes as soon as the last end is stored.
        biased;
        status = api.state.ended(waiter) => Ok(Ok(status?)),
        () = api.closing.cancelled() => Err(Error::Stopping.into()),
    }
}

/// Why an attempt cannot be spoken of: 404 without such a task, else 409.
async fn over(api: &Api, task_id: TaskId, attempt: i64) -> ApiError {
    match api.state.task_state(task_id).await {
        Err(error) => error.into(),
        Ok(None) => ApiError::NotFound("Task not found"),
        Ok(Some(_)) => {
            let detail = format!(
                "Attempt {attempt} of this task does not run: it has ended, was stopped, or its lease \
                 ran out."
            );
            ApiError::Status(StatusCode::CONFLICT, detail)
        }
    }
}
