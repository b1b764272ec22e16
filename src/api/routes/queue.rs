//! `/api/v1/queue/…`: pause, resume, purge and stop the queue, and abort a task.

use axum::Json;
use axum::extract::State;
use futures_util::future::join;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::api::auth::caller::Caller;
use crate::api::context::Shared;
use crate::api::error::{ApiError, Refusal};
use crate::api::input::body::OptionalJsonBody;
use crate::api::input::body_schema::{RequestBody, body, optional};
use crate::api::input::kinds::{ShortText, Text, Time};
use crate::api::input::processor::{check_processor, unknown_processor};
use crate::api::input::query::NoParameters;
use crate::api::input::task_id::TaskIdPath;
use crate::api::openapi::parameters;
use crate::api::routes::hive::WholeHive;
use crate::api::routes::tasks::task::TaskDone;
use crate::models::task_limits::KEY_CHARS;
use crate::models::{Pause, QueueStatus, Timestamp};
use crate::processors::Registry;
use crate::state::{PauseQueue, Paused, Resumed};

body! {
    /// What to pause, and until when. Without a body: the queue, until it is resumed.
    pub(crate) struct PauseBody as "PauseRequest" {
        /// Time at which the pause ends; in the future.
        until: Option<Timestamp> = optional(Time),
        /// Name of the processor to pause, instead of the queue.
        processor: Option<String> = optional(Text),
        /// The reason, as `explain` and the status show it.
        reason: Option<String> = optional(ShortText(KEY_CHARS)),
    }
    example: { "processor": "echo", "reason": "maintenance", "until": "2099-01-01T00:00:00Z" }
}

body! {
    /// What to resume. Without a body: the queue.
    pub(crate) struct ResumeBody as "ResumeRequest" {
        /// Name of the processor to resume, instead of the queue.
        processor: Option<String> = optional(Text),
    }
    example: { "processor": "echo" }
}

/// The answer to a pause: the pause that is in effect.
#[derive(Serialize, ToSchema)]
pub(crate) struct PauseDone {
    /// Always true.
    success: bool,
    /// Always true.
    paused: bool,
    /// The processor, if one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    processor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Running tasks; they continue.
    active_tasks: u64,
    message: String,
    /// With `hive`: nodes that received the command.
    #[serde(skip_serializing_if = "Option::is_none")]
    receivers: Option<u64>,
}

/// The answer to a resume.
#[derive(Serialize, ToSchema)]
pub(crate) struct ResumeDone {
    /// Always true.
    success: bool,
    /// Whether the queue is paused. It may be, if only a processor was resumed.
    paused: bool,
    /// Tasks that are PENDING.
    pending_tasks: u64,
    message: String,
    /// With `hive`: nodes that received the command.
    #[serde(skip_serializing_if = "Option::is_none")]
    receivers: Option<u64>,
}

/// The answer to a purge.
#[derive(Serialize, ToSchema)]
pub(crate) struct PurgeDone {
    /// Always true.
    success: bool,
    /// Pending tasks that were set to FAILED.
    removed: u64,
    /// Running tasks; they continue.
    active_tasks: u64,
    message: String,
}

/// The answer to an emergency stop.
#[derive(Serialize, ToSchema)]
pub(crate) struct EmergencyStopDone {
    /// Always true.
    success: bool,
    /// Running tasks that were aborted.
    cancelled: u64,
    /// Pending tasks that were set to FAILED.
    purged: u64,
    /// Always true.
    paused: bool,
    message: &'static str,
    /// With `hive`: nodes that received the command.
    #[serde(skip_serializing_if = "Option::is_none")]
    receivers: Option<u64>,
}

/// Status of the queue.
#[utoipa::path(
    get, path = "/api/v1/queue/status", tag = "Queue", operation_id = "get_queue_status",
    responses((status = 200, description = "The status", body = QueueStatus)),
)]
pub(crate) async fn status(
    State(api): Shared,
    _: NoParameters,
) -> Result<Json<QueueStatus>, ApiError> {
    Ok(Json(api.queue.status().await?))
}

/// Pause the queue, or one processor.
///
/// Running tasks continue. The pause survives a restart.
#[utoipa::path(
    post, path = "/api/v1/queue/pause", tag = "Queue", operation_id = "pause_queue",
    params(parameters::HiveParameter),
    request_body = Option<PauseBody>,
    responses(
        (status = 200, description = "The pause in force", body = PauseDone),
        (status = 409, description = "With `hive`: the Hive is off", body = Refusal),
    ),
)]
pub(crate) async fn pause(
    State(api): Shared,
    caller: Caller,
    hive: WholeHive,
    OptionalJsonBody(body): OptionalJsonBody,
) -> Result<Json<PauseDone>, ApiError> {
    let request = read_pause(body.as_deref(), &api.registry, &caller)?;
    let processor = request.processor.clone();
    check(&caller, processor.as_deref(), &hive)?;
    let (until, reason) = (request.until, request.reason.clone());
    let data = json!({ "processor": processor, "until": until, "reason": reason });
    let Paused { active, pause } = api.queue.as_actor(caller.name()).pause(request).await?;
    let message = sentence(processor.as_deref(), &pause);
    Ok(Json(PauseDone {
        success: true,
        paused: true,
        processor,
        until: pause.until,
        reason: pause.reason,
        active_tasks: active,
        message,
        receivers: hive.pass_on(&api, "pause", data).await?,
    }))
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
    format!("{what} paused{end}. Running tasks continue.")
}

/// Resume the queue, or one processor.
///
/// A paused processor can be resumed even if it is no longer configured.
#[utoipa::path(
    post, path = "/api/v1/queue/resume", tag = "Queue", operation_id = "resume_queue",
    params(parameters::HiveParameter),
    request_body = Option<ResumeBody>,
    responses(
        (status = 200, description = "Resumed", body = ResumeDone),
        (status = 409, description = "With `hive`: the Hive is off", body = Refusal),
    ),
)]
pub(crate) async fn resume(
    State(api): Shared,
    caller: Caller,
    hive: WholeHive,
    OptionalJsonBody(body): OptionalJsonBody,
) -> Result<Json<ResumeDone>, ApiError> {
    let processor = read_resume(body.as_deref())?;
    check(&caller, processor.as_deref(), &hive)?;
    let data = json!({ "processor": processor });
    let Resumed { was_paused, status } = api
        .queue
        .as_actor(caller.name())
        .resume(processor.clone())
        .await?;
    let message = match processor {
        None => "Queue resumed.".to_owned(),
        Some(name) if !was_paused && api.registry.get(&name).is_none() => {
            return Err(unknown_processor(&name, &api.registry, &caller).into());
        }
        Some(name) => format!("Processor {name} resumed."),
    };
    Ok(Json(ResumeDone {
        success: true,
        paused: status.paused,
        pending_tasks: status.pending,
        message,
        receivers: hive.pass_on(&api, "resume", data).await?,
    }))
}

/// Refuses a restricted caller who names no processor, another processor, or all nodes.
fn check(caller: &Caller, processor: Option<&str>, hive: &WholeHive) -> Result<(), ApiError> {
    match processor {
        Some(processor) if !hive.is_wanted() => caller.check(processor),
        _ => caller.require_unrestricted(),
    }
}

fn read_resume(body: Option<&[u8]>) -> Result<Option<String>, ApiError> {
    let Some(body) = body else {
        return Ok(None);
    };
    let body = ResumeBody::read(body, |_, _| {})?;
    Ok(body.processor)
}

fn read_pause(
    body: Option<&[u8]>,
    registry: &Registry,
    caller: &Caller,
) -> Result<PauseQueue, ApiError> {
    let Some(body) = body else {
        return Ok(PauseQueue::default());
    };
    let body = PauseBody::read(body, |body, fields| {
        check_processor(fields, body.processor.as_deref(), registry, caller);
        if body.until.is_some_and(|until| until <= Timestamp::now()) {
            let msg = "Input should be a time in the future";
            fields.refuse("until", "value_error", msg, json!(body.until));
        }
    })?;
    Ok(PauseQueue {
        processor: body.processor,
        until: body.until,
        reason: body.reason,
    })
}

/// Purge the queue: set every pending task to FAILED.
#[utoipa::path(
    post, path = "/api/v1/queue/purge", tag = "Queue", operation_id = "purge_queue",
    responses((status = 200, description = "The number of purged tasks", body = PurgeDone)),
)]
pub(crate) async fn purge(
    State(api): Shared,
    caller: Caller,
    _: NoParameters,
) -> Result<Json<PurgeDone>, ApiError> {
    let purged = api.queue.as_actor(caller.name()).purge().await?;
    Ok(Json(PurgeDone {
        success: true,
        removed: purged.removed,
        active_tasks: purged.active,
        message: format!("Queue purged: {} pending tasks failed.", purged.removed),
    }))
}

/// Emergency stop.
///
/// Pauses the queue, aborts all running tasks and sets all pending tasks to FAILED. When it answers, all of this is on disk.
#[utoipa::path(
    post, path = "/api/v1/queue/emergency-stop", tag = "Queue", operation_id = "emergency_stop",
    params(parameters::HiveParameter),
    responses(
        (status = 200, description = "Stopped", body = EmergencyStopDone),
        (status = 409, description = "With `hive`: the Hive is off", body = Refusal),
    ),
)]
pub(crate) async fn emergency_stop(
    State(api): Shared,
    caller: Caller,
    hive: WholeHive,
) -> Result<Json<EmergencyStopDone>, ApiError> {
    let queue = api.queue.as_actor(caller.name());
    // The other nodes receive the command at once, before everything has ended here.
    let (stopped, receivers) = join(
        queue.emergency_stop(),
        hive.pass_on(&api, "emergency_stop", json!({})),
    )
    .await;
    let stopped = stopped?;
    Ok(Json(EmergencyStopDone {
        success: true,
        cancelled: stopped.cancelled,
        purged: stopped.purged,
        paused: true,
        message: "Emergency stop: the queue stays paused until it is resumed.",
        receivers: receivers?,
    }))
}

/// Abort a running task.
#[utoipa::path(
    post, path = "/api/v1/queue/task/{task_id}/abort", tag = "Queue", operation_id = "abort_task",
    params(parameters::TaskIdParameter),
    responses(
        (status = 200, description = "Aborted", body = TaskDone),
        (status = 404, description = "There is no such task, or it is not running", body = Refusal),
    ),
)]
pub(crate) async fn abort(
    State(api): Shared,
    caller: Caller,
    _: NoParameters,
    TaskIdPath(task_id): TaskIdPath,
) -> Result<Json<TaskDone>, ApiError> {
    if !api.queue.as_actor(caller.name()).abort(task_id).await? {
        return Err(ApiError::NotFound(
            "There is no such task, or it does not run.",
        ));
    }
    Ok(TaskDone::new(task_id, "Task aborted."))
}
