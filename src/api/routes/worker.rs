//! `/api/v1/worker/…`: outside workers claim tasks, renew leases, report progress, and end attempts.
//!
//! Every call about a task names its attempt, so that a worker that has lost its lease cannot touch the next attempt: that
//! is a 409. A call that ends an attempt answers when the end is on disk.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::auth::caller::Caller;
use crate::api::context::{Api, Shared};
use crate::api::error::{ApiError, Refusal};
use crate::api::input::body::{JsonBody, SmallJsonBody};
use crate::api::input::query::NoParameters;
use crate::api::input::task_id::TaskIdPath;
use crate::api::input::worker;
use crate::api::input::worker::AttemptEnd;
use crate::api::openapi::parameters;
use crate::models::{TaskId, TaskStatus, Timestamp};
use crate::processors::worker::{AssignedTask, AttemptOver, ClaimRequest, WorkerCall};
use crate::state::Error;

/// The answer to a claim.
#[derive(Serialize, ToSchema)]
pub(crate) struct Claimed {
    tasks: Vec<AssignedTask>,
}

/// The renewed lease.
#[derive(Serialize, ToSchema)]
pub(crate) struct Lease {
    /// Time at which the lease expires, unless the worker renews it: another attempt may start then.
    lease_expires_at: Timestamp,
}

/// The status of the task after the end of its attempt.
#[derive(Serialize, ToSchema)]
pub(crate) struct Ended {
    /// Always true.
    success: bool,
    #[schema(value_type = Uuid)]
    task_id: TaskId,
    status: TaskStatus,
}

/// Claim tasks to run.
///
/// A long poll. If the client disconnects meanwhile, its tasks go to another worker, and no attempt is counted.
#[utoipa::path(
    post, path = "/api/v1/worker/claim", tag = "Workers", operation_id = "claim",
    request_body = worker::ClaimBody,
    responses((status = 200, description = "Tasks; an empty list if none became ready in time", body = Claimed)),
)]
pub(crate) async fn claim(
    State(api): Shared,
    caller: Caller,
    _: NoParameters,
    SmallJsonBody(body): SmallJsonBody,
) -> Result<Json<Claimed>, ApiError> {
    let claim = worker::claim(&body, &api.registry, &caller)?;
    for processor in &claim.processors {
        caller.check(processor)?;
    }
    if api.stopping.is_cancelled() {
        return Err(Error::Stopping.into());
    }
    let (lease_broker, state) = (api.registry.lease_broker(), api.state.clone());
    let poll = ClaimRequest::new(lease_broker, state);
    let worker = claim.worker.as_deref();
    let tasks = poll
        .tasks(
            claim.processors,
            claim.limit,
            claim.wait,
            worker,
            &api.stopping,
        )
        .await?;
    if tasks.is_empty() && api.stopping.is_cancelled() {
        return Err(Error::Stopping.into());
    }
    Ok(Json(Claimed { tasks }))
}

/// Renew the lease of an attempt.
#[utoipa::path(
    post, path = "/api/v1/worker/{task_id}/heartbeat", tag = "Workers", operation_id = "send_heartbeat",
    params(parameters::TaskIdParameter),
    request_body = worker::HeartbeatBody,
    responses(
        (status = 200, description = "The lease is renewed", body = Lease),
        (status = 409, description = "The attempt is no longer running", body = Refusal),
    ),
)]
pub(crate) async fn heartbeat(
    State(api): Shared,
    _: NoParameters,
    TaskIdPath(task_id): TaskIdPath,
    SmallJsonBody(body): SmallJsonBody,
) -> Result<Json<Lease>, ApiError> {
    renew(&api, task_id, worker::heartbeat(&body)?).await
}

/// Add lines to a task's log.
#[utoipa::path(
    post, path = "/api/v1/worker/{task_id}/log", tag = "Workers", operation_id = "add_log_lines",
    params(parameters::TaskIdParameter),
    request_body = worker::LogBody,
    responses(
        (status = 200, description = "The lease is renewed", body = Lease),
        (status = 409, description = "The attempt is no longer running", body = Refusal),
    ),
)]
pub(crate) async fn log(
    State(api): Shared,
    _: NoParameters,
    TaskIdPath(task_id): TaskIdPath,
    JsonBody(body): JsonBody,
) -> Result<Json<Lease>, ApiError> {
    let call = api.intake.parse(&body, worker::log).await?;
    renew(&api, task_id, call).await
}

/// Report the progress of an attempt.
#[utoipa::path(
    post, path = "/api/v1/worker/{task_id}/progress", tag = "Workers", operation_id = "set_progress",
    params(parameters::TaskIdParameter),
    request_body = worker::ProgressBody,
    responses(
        (status = 200, description = "The lease is renewed", body = Lease),
        (status = 409, description = "The attempt is no longer running", body = Refusal),
    ),
)]
pub(crate) async fn progress(
    State(api): Shared,
    _: NoParameters,
    TaskIdPath(task_id): TaskIdPath,
    SmallJsonBody(body): SmallJsonBody,
) -> Result<Json<Lease>, ApiError> {
    renew(&api, task_id, worker::progress(&body)?).await
}

/// End an attempt with a result.
///
/// When it answers, the task is COMPLETED on disk. A repeat with the same result gets the same answer, for workers that missed
/// it.
#[utoipa::path(
    post, path = "/api/v1/worker/{task_id}/complete", tag = "Workers", operation_id = "complete_task",
    params(parameters::TaskIdParameter),
    request_body = worker::CompleteBody,
    responses(
        (status = 200, description = "The end is stored", body = Ended),
        (status = 409, description = "The attempt is no longer running", body = Refusal),
    ),
)]
pub(crate) async fn complete(
    State(api): Shared,
    _: NoParameters,
    TaskIdPath(task_id): TaskIdPath,
    JsonBody(body): JsonBody,
) -> Result<Json<Ended>, ApiError> {
    let AttemptEnd {
        attempt,
        end: result,
        note,
    } = api.intake.parse(&body, worker::complete).await?;
    add_note(&api, task_id, attempt, note).await;
    match end(&api, task_id, attempt, WorkerCall::Complete(result.clone())).await? {
        Ok(TaskStatus::Completed) => {}
        Ok(_) => return Err(over(&api, task_id, attempt).await),
        Err(AttemptOver) => {
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

/// End an attempt with an error.
///
/// When it answers, the task is FAILED, or PENDING if another attempt follows.
#[utoipa::path(
    post, path = "/api/v1/worker/{task_id}/fail", tag = "Workers", operation_id = "fail_task",
    params(parameters::TaskIdParameter),
    request_body = worker::FailBody,
    responses(
        (status = 200, description = "The end is stored", body = Ended),
        (status = 409, description = "The attempt is no longer running", body = Refusal),
    ),
)]
pub(crate) async fn fail(
    State(api): Shared,
    _: NoParameters,
    TaskIdPath(task_id): TaskIdPath,
    JsonBody(body): JsonBody,
) -> Result<Json<Ended>, ApiError> {
    let AttemptEnd {
        attempt,
        end: call,
        note,
    } = api.intake.parse(&body, worker::fail).await?;
    add_note(&api, task_id, attempt, note).await;
    match end(&api, task_id, attempt, call).await? {
        Ok(status) => Ok(ended(task_id, status)),
        Err(AttemptOver) => Err(over(&api, task_id, attempt).await),
    }
}

fn ended(task_id: TaskId, status: TaskStatus) -> Json<Ended> {
    Json(Ended {
        success: true,
        task_id,
        status,
    })
}

/// Adds a line about replaced characters to the log. If the attempt is over, the call itself says so.
async fn add_note(api: &Api, task_id: TaskId, attempt: i64, note: Option<String>) {
    if let Some(line) = note {
        let _ = renew(api, task_id, (attempt, WorkerCall::Log(vec![line]))).await;
    }
}

/// Passes on a call that renews the lease.
async fn renew(
    api: &Api,
    task_id: TaskId,
    (attempt, call): (i64, WorkerCall),
) -> Result<Json<Lease>, ApiError> {
    match tell(api, task_id, attempt, call).await? {
        Ok(lease_expires_at) => Ok(Json(Lease { lease_expires_at })),
        Err(AttemptOver) => Err(over(api, task_id, attempt).await),
    }
}

/// Passes a call on to its attempt. Waits for an attempt that is running but has no lease yet, because it or the service has
/// just started.
async fn tell(
    api: &Api,
    task_id: TaskId,
    attempt: i64,
    call: WorkerCall,
) -> Result<Result<Timestamp, AttemptOver>, ApiError> {
    let lease_broker = api.registry.lease_broker();
    if !lease_broker.has(task_id, attempt) && runs(api, task_id, attempt).await? == Some(true) {
        tokio::select! {
            () = lease_broker.mailbox_opened(task_id, attempt) => {}
            () = api.stopping.cancelled() => {}
        }
    }
    Ok(lease_broker.call(task_id, attempt, call).await)
}

/// Returns whether this attempt of the task is running; `None` if there is no such task.
async fn runs(api: &Api, task_id: TaskId, attempt: i64) -> Result<Option<bool>, ApiError> {
    let task = api.state.task_attempt(task_id).await?;
    Ok(task.map(|task| task == (TaskStatus::Processing, attempt)))
}

/// Passes on a call that ends the attempt. Returns the stored status, which a stop may have decided first.
async fn end(
    api: &Api,
    task_id: TaskId,
    attempt: i64,
    call: WorkerCall,
) -> Result<Result<TaskStatus, AttemptOver>, ApiError> {
    let waiter = api.state.wait_for_end(task_id);
    if let Err(over) = tell(api, task_id, attempt, call).await? {
        return Ok(Err(over));
    }
    tokio::select! {
        // First, because the service closes as soon as the last end is stored.
        biased;
        status = api.state.ended(waiter) => Ok(Ok(status?)),
        () = api.closing.cancelled() => Err(Error::Stopping.into()),
    }
}

/// Returns why an attempt takes no calls: 404 without such a task, 503 if it is just starting or ending, else 409.
async fn over(api: &Api, task_id: TaskId, attempt: i64) -> ApiError {
    match runs(api, task_id, attempt).await {
        Err(error) => error,
        Ok(None) => ApiError::NotFound("Task not found"),
        Ok(Some(true)) if api.stopping.is_cancelled() => Error::Stopping.into(),
        Ok(Some(true)) => ApiError::Unavailable(format!(
            "Attempt {attempt} of this task is just beginning or ending; try again."
        )),
        Ok(Some(false)) => {
            let detail = format!(
                "Attempt {attempt} of this task does not run: it has ended, was stopped, or its lease \
                 ran out."
            );
            ApiError::Status(StatusCode::CONFLICT, detail)
        }
    }
}
