//! `GET /api/v1/schedules`: the schedules and their next runs.

use axum::Json;
use axum::extract::State;

use crate::api::context::Shared;
use crate::api::error::ApiError;
use crate::api::input::query::NoParameters;
use crate::models::Timestamp;
use crate::schedules;
use crate::schedules::Listed;

/// List the schedules, by name.
#[utoipa::path(
    get, path = "/api/v1/schedules", tag = "Queue", operation_id = "list_schedules",
    responses((status = 200, description = "Schedules", body = Vec<Listed>)),
)]
pub(crate) async fn list(
    State(api): Shared,
    _: NoParameters,
) -> Result<Json<Vec<Listed>>, ApiError> {
    let progress = api.state.schedule_progress().await?;
    let settings = api.current.get();
    Ok(Json(schedules::list(
        &settings,
        &progress,
        Timestamp::now(),
    )))
}
