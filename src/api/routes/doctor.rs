//! `GET /api/v1/doctor`: checks settings, disk, clock and files.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;

use crate::api::context::Shared;
use crate::api::error::{ApiError, Refusal};
use crate::api::input::query::Query;
use crate::api::openapi::parameters;
use crate::doctor::{CheckRunning, DoctorReport};

/// Check the installation.
///
/// Checks the settings and where each comes from, the disk, the clock and the files. With `full` it also checks the
/// integrity of the whole database, for one caller at a time.
#[utoipa::path(
    get, path = "/api/v1/doctor", tag = "Service", operation_id = "get_doctor",
    params(parameters::FullParameter),
    responses(
        (status = 200, description = "The findings", body = DoctorReport),
        (status = 409, description = "Another full integrity check is running", body = Refusal),
    ),
)]
pub(crate) async fn doctor(
    State(api): Shared,
    RawQuery(query): RawQuery,
) -> Result<Json<DoctorReport>, ApiError> {
    let query = Query::parse(query.as_deref(), &["full"])?;
    let full = query.get("full", "bool_parsing", "true or false")?;
    Ok(Json(match full.unwrap_or(false) {
        true => api.doctor.full_report().await?,
        false => api.doctor.quick_report().await,
    }))
}

impl From<CheckRunning> for ApiError {
    fn from(_: CheckRunning) -> Self {
        let detail = "Another full integrity check is running; try again later.";
        Self::Status(StatusCode::CONFLICT, detail.to_owned())
    }
}
