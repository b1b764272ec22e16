//! `POST /api/v1/tasks`: submit one task, and with `wait` answer when it has finished.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::auth::caller::Caller;
use crate::api::context::Shared;
use crate::api::error::{ApiError, Taken};
use crate::api::http::tracing_span::Traced;
use crate::api::input::body::JsonBody;
use crate::api::input::idempotency::{IdempotencyHeader, idempotency_key};
use crate::api::input::new_task::{NewTaskBody, read_task};
use crate::api::input::query::Query;
use crate::api::openapi::parameters;
use crate::api::routes::tasks::wait;
use crate::models::{Task, TaskId, TaskStatus, Timestamp};
use crate::state::Error;

/// The answer to a submission. The status is that of the acceptance; the task may be running already.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "task_id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "status": "PENDING",
    "created_at": "2026-01-31T12:00:00.000000Z"
})))]
pub(crate) struct Created {
    #[schema(value_type = Uuid)]
    task_id: TaskId,
    status: TaskStatus,
    created_at: Timestamp,
}

/// Submit a task.
///
/// When it answers, the task is on disk. With `wait` it answers when the task has finished, or when the time is over.
#[utoipa::path(
    post, path = "/api/v1/tasks", tag = "Tasks", operation_id = "submit_task",
    params(parameters::WaitParameter, parameters::IdempotencyParameter),
    request_body = NewTaskBody,
    responses(
        (status = 200, description = "With `wait`: the task has finished", body = Task),
        (status = 201, description = "The task is accepted", body = Created),
        (status = 202, description = "With `wait`: the task has not finished within that time",
            body = Task),
        (status = 409, description = "Another task has this `unique_key`", body = Taken),
    ),
)]
pub(crate) async fn create(
    State(api): Shared,
    caller: Caller,
    uri: Uri,
    traced: Traced,
    IdempotencyHeader(key): IdempotencyHeader,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let wait = wait::of(&Query::parse(uri.query(), &["wait"])?)?;
    if api.stopping.is_cancelled() {
        return Err(Error::Stopping.into());
    }
    let room = api.state.reserve(body.len())?;
    let (registry, who) = (Arc::clone(&api.registry), caller.clone());
    let read = move |body: &[u8]| read_task(body, &registry, &who);
    let mut task = api.intake.parse(&body, read).await?;
    caller.check(&task.processor)?;
    caller.check_dependencies(&api.state, &task.after).await?;
    let key = key.map(|key| idempotency_key(&caller, key, &body));
    let commit = traced.commit(std::slice::from_mut(&mut task));
    let accepted = api.state.submit(task, key, room).await;
    commit.end(&accepted, |accepted| Some(accepted.task_id.to_string()));
    let accepted = accepted?;
    // If the task has been deleted meanwhile, the answer is its acceptance.
    if let Some(wait) = wait
        && let Some(task) =
            wait::answer_when_finished(&api, &caller, accepted.task_id, wait).await?
    {
        return Ok(task);
    }
    let created = Created {
        task_id: accepted.task_id,
        status: TaskStatus::Pending,
        created_at: accepted.created_at,
    };
    Ok((StatusCode::CREATED, Json(created)).into_response())
}
