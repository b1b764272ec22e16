//! The queue's verbs.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Shared;
use super::error::{ApiError, Problem};
use super::extract::{OptionalJsonBody, TaskIdPath, parse_json};
use crate::models::QueueStatus;

/// `GET /api/v1/queue/status`
pub(super) async fn status(State(api): Shared) -> Result<Json<QueueStatus>, ApiError> {
    Ok(Json(api.queue.status().await?))
}

/// `POST /api/v1/queue/pause`, with an optional `{"reason": "…"}`.
pub(super) async fn pause(
    State(api): Shared,
    OptionalJsonBody(body): OptionalJsonBody,
) -> Result<Json<Value>, ApiError> {
    let reason = body.map(|body| pause_reason(&body)).transpose()?.flatten();
    let paused = api.queue.pause(reason).await?;
    Ok(Json(json!({
        "success": true,
        "paused": true,
        "active_tasks": paused.active,
        "message": "Queue paused. Running tasks go on.",
    })))
}

fn pause_reason(body: &[u8]) -> Result<Option<String>, ApiError> {
    let fields: serde_json::Map<String, Value> = parse_json(body)?;
    let mut reason = None;
    for (name, value) in fields {
        match (name.as_str(), value) {
            ("reason", Value::Null) => {}
            ("reason", Value::String(text)) => reason = Some(text),
            ("reason", other) => {
                let msg = "Input should be a valid string";
                return Err(Problem::new("string_type", &["body", "reason"], msg, other).into());
            }
            (other, value) => {
                let msg = "Unknown field; expected reason";
                return Err(Problem::new("extra_forbidden", &["body", other], msg, value).into());
            }
        }
    }
    Ok(reason)
}

/// `POST /api/v1/queue/resume`
pub(super) async fn resume(State(api): Shared) -> Result<Json<Value>, ApiError> {
    let status = api.queue.resume().await?;
    Ok(Json(json!({
        "success": true,
        "paused": false,
        "pending_tasks": status.pending,
        "message": "Queue resumed.",
    })))
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
