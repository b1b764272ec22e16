//! The queue's verbs.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Shared;
use super::error::ApiError;
use super::extract::{OptionalJsonBody, TaskIdPath, parse_object};
use super::fields::Fields;
use crate::models::{QueueStatus, Timestamp};
use crate::processors::Registry;
use crate::state::PauseRequest;

/// `GET /api/v1/queue/status`
pub(super) async fn status(State(api): Shared) -> Result<Json<QueueStatus>, ApiError> {
    Ok(Json(api.queue.status().await?))
}

/// `POST /api/v1/queue/pause`, with an optional `{"until", "processor", "reason"}`.
pub(super) async fn pause(
    State(api): Shared,
    OptionalJsonBody(body): OptionalJsonBody,
) -> Result<Json<Value>, ApiError> {
    let request = read_pause(body.as_deref(), &PAUSE_FIELDS, &api.registry)?;
    let message = match (&request.processor, request.until) {
        (None, None) => "Queue paused. Running tasks go on.".to_owned(),
        (None, Some(until)) => format!("Queue paused until {until}. Running tasks go on."),
        (Some(name), None) => format!("Processor {name} paused. Running tasks go on."),
        (Some(name), Some(until)) => {
            format!("Processor {name} paused until {until}. Running tasks go on.")
        }
    };
    let mut answer = json!({ "success": true, "paused": true });
    if let Some(processor) = &request.processor {
        answer["processor"] = json!(processor);
    }
    if let Some(until) = request.until {
        answer["until"] = json!(until);
    }
    let paused = api.queue.pause(request).await?;
    answer["active_tasks"] = json!(paused.active);
    answer["message"] = json!(message);
    Ok(Json(answer))
}

/// `POST /api/v1/queue/resume`, with an optional `{"processor"}`.
pub(super) async fn resume(
    State(api): Shared,
    OptionalJsonBody(body): OptionalJsonBody,
) -> Result<Json<Value>, ApiError> {
    let request = read_pause(body.as_deref(), &["processor"], &api.registry)?;
    let message = match &request.processor {
        None => "Queue resumed.".to_owned(),
        Some(name) => format!("Processor {name} resumed."),
    };
    let status = api.queue.resume(request.processor).await?;
    Ok(Json(json!({
        "success": true,
        "paused": status.paused,
        "pending_tasks": status.pending,
        "message": message,
    })))
}

const PAUSE_FIELDS: [&str; 3] = ["until", "processor", "reason"];

fn read_pause(
    body: Option<&[u8]>,
    known: &[&str],
    registry: &Registry,
) -> Result<PauseRequest, ApiError> {
    let Some(body) = body else {
        return Ok(PauseRequest::default());
    };
    let mut fields = Fields::new(parse_object(body)?);
    let request = PauseRequest {
        processor: fields.processor(registry),
        until: fields.time("until"),
        reason: fields.text("reason"),
    };
    if request.until.is_some_and(|until| until <= Timestamp::now()) {
        let until = json!(request.until);
        fields.refuse(
            "until",
            "value_error",
            "Input should be a time in the future",
            until,
        );
    }
    fields.refuse_others(known)?;
    Ok(request)
}

/// `POST /api/v1/queue/purge`
pub(super) async fn purge(State(api): Shared) -> Result<Json<Value>, ApiError> {
    let purged = api.queue.purge().await?;
    Ok(Json(json!({
        "success": true,
        "removed": purged.removed,
        "active_tasks": purged.active,
        "message": format!("Queue purged: {} waiting tasks failed.", purged.removed),
    })))
}

/// `POST /api/v1/queue/emergency-stop`
pub(super) async fn emergency_stop(State(api): Shared) -> Result<Json<Value>, ApiError> {
    let stopped = api.queue.emergency_stop().await?;
    Ok(Json(json!({
        "success": true,
        "cancelled": stopped.cancelled,
        "purged": stopped.purged,
        "paused": true,
        "message": "Emergency stop: the queue stays paused until it is resumed.",
    })))
}

/// `POST /api/v1/queue/task/{id}/abort`
pub(super) async fn abort(
    State(api): Shared,
    TaskIdPath(task_id): TaskIdPath,
) -> Result<Json<Value>, ApiError> {
    if !api.queue.abort(task_id).await? {
        return Err(ApiError::NotFound(
            "There is no such task, or it does not run.",
        ));
    }
    Ok(Json(json!({
        "success": true,
        "task_id": task_id,
        "message": "Task aborted.",
    })))
}
