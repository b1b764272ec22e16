//! `?wait=SECONDS`: the call answers when the task has finished, or when the time is over.

use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::api::auth::caller::Caller;
use crate::api::context::Api;
use crate::api::error::{ApiError, Problem};
use crate::api::input::query::Query;
use crate::models::TaskId;

/// The longest wait, in seconds.
const WAIT_LIMIT: f64 = 3600.0;

/// Reads the parameter `wait`.
pub(crate) fn of(query: &Query) -> Result<Option<Duration>, ApiError> {
    let expected = "a number of seconds from 0 to 3600";
    let Some(seconds) = query.get::<f64>("wait", "float_parsing", expected)? else {
        return Ok(None);
    };
    if (0.0..=WAIT_LIMIT).contains(&seconds) {
        return Ok(Some(Duration::from_secs_f64(seconds)));
    }
    let msg = format!("Input should be {expected}");
    Err(Problem::new("float_range", &["query", "wait"], msg, json!(seconds)).into())
}

/// Waits until the task has finished, the time is over, or the service stops.
pub(crate) async fn until_finished(
    api: &Api,
    task_id: TaskId,
    wait: Duration,
) -> Result<(), ApiError> {
    tokio::select! {
        finished = api.state.finished(task_id) => finished?,
        () = tokio::time::sleep(wait) => {}
        () = api.closing.cancelled() => {}
    }
    Ok(())
}

/// Waits, then answers 200 with the finished task, or 202 with the unfinished one. `None` if the task no longer exists.
pub(crate) async fn answer_when_finished(
    api: &Api,
    caller: &Caller,
    task_id: TaskId,
    wait: Duration,
) -> Result<Option<Response>, ApiError> {
    until_finished(api, task_id, wait).await?;
    let task = api.state.task(task_id).await?;
    let task = task.filter(|task| caller.covers(&task.processor));
    Ok(task.map(|task| {
        let status = match task.status.is_final() {
            true => StatusCode::OK,
            false => StatusCode::ACCEPTED,
        };
        (status, Json(task)).into_response()
    }))
}
