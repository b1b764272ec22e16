//! `GET /api/v1/tasks/{task_id}/downstream`: the tasks that depend on this one and have not started.

use axum::Json;
use axum::extract::State;

use crate::api::auth::caller::Caller;
use crate::api::context::Shared;
use crate::api::error::ApiError;
use crate::api::input::query::NoParameters;
use crate::api::input::task_id::TaskIdPath;
use crate::api::openapi::parameters;
use crate::state::Downstream;

/// List the tasks that are blocked by this one, oldest first; at most 1000.
///
/// A token that is restricted to some processors sees the tasks of those.
#[utoipa::path(
    get, path = "/api/v1/tasks/{task_id}/downstream", tag = "Tasks", operation_id = "list_downstream",
    params(parameters::TaskIdParameter),
    responses((status = 200, description = "Tasks", body = Vec<Downstream>)),
)]
pub(crate) async fn downstream(
    State(api): Shared,
    caller: Caller,
    _: NoParameters,
    TaskIdPath(task_id): TaskIdPath,
) -> Result<Json<Vec<Downstream>>, ApiError> {
    if api.state.task_state(task_id).await?.is_none() {
        return Err(ApiError::NotFound("Task not found"));
    }
    let mut tasks = api.state.downstream_of(task_id).await?;
    tasks.retain(|task| caller.covers(&task.processor));
    Ok(Json(tasks))
}
