//! `GET /api/v1/stats`: counts of the last minutes, hour or day, for charts.

use axum::Json;
use axum::extract::{RawQuery, State};
use serde_json::Value;

use crate::api::context::Shared;
use crate::api::error::{ApiError, Problem};
use crate::api::input::query::Query;
use crate::api::openapi::parameters;
use crate::state::{Chart, Window};

/// What happened in the last minutes, hour or day, by steps of time.
#[utoipa::path(
    get, path = "/api/v1/stats", tag = "Service", operation_id = "get_stats",
    params(parameters::WindowParameter),
    responses((status = 200, description = "The points of the chart", body = Chart)),
)]
pub(crate) async fn stats(
    State(api): Shared,
    RawQuery(query): RawQuery,
) -> Result<Json<Chart>, ApiError> {
    let query = Query::parse(query.as_deref(), &["window"])?;
    Ok(Json(api.state.chart(window(&query)?)))
}

fn window(query: &Query) -> Result<Window, ApiError> {
    let Some(text) = query.text("window") else {
        return Ok(Window::FiveMinutes);
    };
    text.parse().map_err(|_| {
        let msg = "Input should be one of 5m, 1h, 1d";
        Problem::new("enum", &["query", "window"], msg, Value::from(text)).into()
    })
}
