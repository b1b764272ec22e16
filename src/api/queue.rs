//! The queue's verbs.

use axum::Json;
use axum::extract::State;
use futures_util::future::join;
use serde_json::{Value, json};

use super::Shared;
use super::caller::Caller;
use super::error::ApiError;
use super::extract::{OptionalJsonBody, TaskIdPath, parse_object};
use super::fields::{self, Fields};
use super::hive_calls::WholeHive;
use super::query::NoParameters;
use crate::models::{Pause, QueueStatus, Timestamp};
use crate::processors::Registry;
use crate::state::{PauseRequest, Paused, Resumed};

/// `GET /api/v1/queue/status`
pub(super) async fn status(
    State(api): Shared,
    _: NoParameters,
) -> Result<Json<QueueStatus>, ApiError> {
    Ok(Json(api.queue.status().await?))
}

/// `POST /api/v1/queue/pause`, with an optional `{"until", "processor", "reason"}`; with `?hive=true` for all
/// nodes of the Hive.
///
/// The answer says the pause that holds after it.
pub(super) async fn pause(
    State(api): Shared,
    caller: Caller,
    hive: WholeHive,
    OptionalJsonBody(body): OptionalJsonBody,
) -> Result<Json<Value>, ApiError> {
    let request = read_pause(body.as_deref(), &api.registry, &caller)?;
    let processor = request.processor.clone();
    check(&caller, processor.as_deref(), &hive)?;
    let (until, reason) = (request.until, request.reason.clone());
    let data = json!({ "processor": processor, "until": until, "reason": reason });
    let Paused { active, pause } = api.queue.in_name_of(caller.name()).pause(request).await?;
    let message = sentence(processor.as_deref(), &pause);
    let mut answer = json!({ "success": true, "paused": true });
    if let Some(processor) = processor {
        answer["processor"] = json!(processor);
    }
    if let Some(until) = pause.until {
        answer["until"] = json!(until);
    }
    if let Some(reason) = pause.reason {
        answer["reason"] = json!(reason);
    }
    answer["active_tasks"] = json!(active);
    answer["message"] = json!(message);
    add_receivers(&mut answer, hive.pass_on(&api, "pause", data).await?);
    Ok(Json(answer))
}

fn sentence(processor: Option<&str>, pause: &Pause) -> String {
    let what = match processor {
        None => "Queue".to_owned(),
        Some(name) => format!("Processor {name}"),
    };
    let end = match pause.until {
        None if pause.emergency_stop => " by an emergency stop, until it is resumed",
        None => "",
        Some(until) => &format!(" until {until}"),
    };
    format!("{what} paused{end}. Running tasks go on.")
}

/// `POST /api/v1/queue/resume`, with an optional `{"processor"}`: one that is configured, or one that was
/// paused and is configured no more. With `?hive=true` for all nodes of the Hive.
pub(super) async fn resume(
    State(api): Shared,
    caller: Caller,
    hive: WholeHive,
    OptionalJsonBody(body): OptionalJsonBody,
) -> Result<Json<Value>, ApiError> {
    let processor = read_resume(body.as_deref())?;
    check(&caller, processor.as_deref(), &hive)?;
    let data = json!({ "processor": processor });
    let Resumed { was_paused, status } = api
        .queue
        .in_name_of(caller.name())
        .resume(processor.clone())
        .await?;
    let message = match processor {
        None => "Queue resumed.".to_owned(),
        Some(name) if !was_paused && api.registry.get(&name).is_none() => {
            return Err(fields::unknown_processor(&name, &api.registry, &caller).into());
        }
        Some(name) => format!("Processor {name} resumed."),
    };
    let mut answer = json!({
        "success": true,
        "paused": status.paused,
        "pending_tasks": status.pending,
        "message": message,
    });
    add_receivers(&mut answer, hive.pass_on(&api, "resume", data).await?);
    Ok(Json(answer))
}

/// A caller that is limited to some processors steers those alone, and only here.
fn check(caller: &Caller, processor: Option<&str>, hive: &WholeHive) -> Result<(), ApiError> {
    match processor {
        Some(processor) if !hive.is_wanted() => caller.check(processor),
        _ => caller.check_whole(),
    }
}

fn read_resume(body: Option<&[u8]>) -> Result<Option<String>, ApiError> {
    let Some(body) = body else {
        return Ok(None);
    };
    let mut fields = Fields::new(parse_object(body)?);
    let processor = fields.text("processor");
    fields.refuse_others(&["processor"])?;
    Ok(processor)
}

fn read_pause(
    body: Option<&[u8]>,
    registry: &Registry,
    caller: &Caller,
) -> Result<PauseRequest, ApiError> {
    let Some(body) = body else {
        return Ok(PauseRequest::default());
    };
    let mut fields = Fields::new(parse_object(body)?);
    let request = PauseRequest {
        processor: fields.processor(registry, caller),
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
    fields.refuse_others(&["until", "processor", "reason"])?;
    Ok(request)
}

/// `POST /api/v1/queue/purge`
pub(super) async fn purge(
    State(api): Shared,
    caller: Caller,
    _: NoParameters,
) -> Result<Json<Value>, ApiError> {
    let purged = api.queue.in_name_of(caller.name()).purge().await?;
    Ok(Json(json!({
        "success": true,
        "removed": purged.removed,
        "active_tasks": purged.active,
        "message": format!("Queue purged: {} waiting tasks failed.", purged.removed),
    })))
}

/// `POST /api/v1/queue/emergency-stop`; with `?hive=true` for all nodes of the Hive.
pub(super) async fn emergency_stop(
    State(api): Shared,
    caller: Caller,
    hive: WholeHive,
) -> Result<Json<Value>, ApiError> {
    let queue = api.queue.in_name_of(caller.name());
    // The others do not wait until everything has ended here.
    let (stopped, told) = join(
        queue.emergency_stop(),
        hive.pass_on(&api, "emergency_stop", json!({})),
    )
    .await;
    let stopped = stopped?;
    let mut answer = json!({
        "success": true,
        "cancelled": stopped.cancelled,
        "purged": stopped.purged,
        "paused": true,
        "message": "Emergency stop: the queue stays paused until it is resumed.",
    });
    add_receivers(&mut answer, told?);
    Ok(Json(answer))
}

/// How many listened to what was told to the Hive, if it was.
fn add_receivers(answer: &mut Value, receivers: Option<u64>) {
    if let Some(receivers) = receivers {
        answer["receivers"] = json!(receivers);
    }
}

/// `POST /api/v1/queue/task/{id}/abort`
pub(super) async fn abort(
    State(api): Shared,
    caller: Caller,
    _: NoParameters,
    TaskIdPath(task_id): TaskIdPath,
) -> Result<Json<Value>, ApiError> {
    if !api.queue.in_name_of(caller.name()).abort(task_id).await? {
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
