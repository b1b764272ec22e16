//! `GET /api/v1/tasks/{id}/explain`: why a task does not run.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::auth::caller::Caller;
use crate::api::context::{Api, Shared};
use crate::api::error::ApiError;
use crate::api::input::query::NoParameters;
use crate::api::input::task_id::TaskIdPath;
use crate::api::openapi::parameters;
use crate::hive::{JobState, JobStatus};
use crate::models::{HiveLink, Task, TaskId, TaskStatus, Timestamp};
use crate::state::{ExplainedTask, Obstacle};

/// Why a task does not run, and its position in the queue.
#[derive(Serialize, ToSchema)]
#[schema(as = Explanation)]
pub(crate) struct Explained {
    #[schema(value_type = Uuid)]
    task_id: TaskId,
    status: TaskStatus,
    /// All reasons, in a sentence or two.
    message: String,
    reasons: Vec<Reason>,
    /// 1 is the next of its processor and key to start; null unless nothing else stops it.
    #[schema(required)]
    place_in_line: Option<i64>,
}

/// One thing that must change before the task can start.
#[derive(Serialize, ToSchema)]
struct Reason {
    #[serde(flatten)]
    what: What,
    message: String,
}

#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum What {
    OfTask(OfTask),
    Obstacle(Obstacle),
}

/// A reason that follows from the task alone.
#[derive(Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
enum OfTask {
    /// It depends on a task that has not completed.
    Upstream {
        #[schema(value_type = Uuid)]
        task_id: TaskId,
        /// Null if that task no longer exists.
        #[schema(required)]
        status: Option<TaskStatus>,
    },
    /// Its processor is not configured.
    NoProcessor { processor: String },
    /// It was sent to the Hive, and no worker has started its job.
    HiveJob {
        #[serde(flatten)]
        job: JobStatus,
    },
}

/// Explain why a task does not run.
///
/// Lists everything that keeps it from starting, and its position in the queue.
#[utoipa::path(
    get, path = "/api/v1/tasks/{task_id}/explain", tag = "Tasks", operation_id = "explain_task",
    params(parameters::TaskIdParameter),
    responses((status = 200, description = "All reasons", body = Explained)),
)]
pub(crate) async fn explain(
    State(api): Shared,
    caller: Caller,
    _: NoParameters,
    TaskIdPath(task_id): TaskIdPath,
) -> Result<Json<Explained>, ApiError> {
    let task = api.state.task(task_id).await?;
    let task = task.ok_or(ApiError::NotFound("Task not found"))?;
    if task.status != TaskStatus::Pending {
        let (message, reasons) = match in_hive(&api, &task).await? {
            Some(explained) => explained,
            None => (not_pending(&task), Vec::new()),
        };
        return Ok(Json(Explained {
            task_id,
            status: task.status,
            message,
            reasons,
            place_in_line: None,
        }));
    }
    let reasons = reasons(&api, &caller, &task).await?;
    let is_in_line = task.run_at <= Timestamp::now() && !reasons.iter().any(Reason::is_upstream);
    let place_in_line = match is_in_line {
        true => Some(api.state.count_ahead(task_id).await? + 1),
        false => None,
    };
    let mut sentences: Vec<_> = reasons.iter().map(|it| it.message.as_str()).collect();
    let place = place_in_line.map(|place| match place {
        1 => "It is the next of its processor and key.".to_owned(),
        place => format!("It is number {place} of its processor and key."),
    });
    sentences.extend(place.as_deref());
    Ok(Json(Explained {
        task_id,
        status: task.status,
        message: sentences.join(" "),
        reasons,
        place_in_line,
    }))
}

/// Returns the sentence for a task that is not PENDING.
fn not_pending(task: &Task) -> String {
    match task.status {
        TaskStatus::Processing => format!("It is running: attempt {}.", task.attempt),
        TaskStatus::Failed => match &task.error {
            Some(error) => format!("It has FAILED: {error}"),
            None => "It has FAILED.".to_owned(),
        },
        _ => format!("It is {}.", task.status),
    }
}

/// Returns the state of a task's job in the Hive; `None` if it has none.
async fn in_hive(api: &Api, task: &Task) -> Result<Option<(String, Vec<Reason>)>, ApiError> {
    let hive = match task.status {
        TaskStatus::Processing => api.hive.as_ref(),
        _ => None,
    };
    let Some(job) = hive.and_then(|hive| hive.job_of(task.id, task.attempt)) else {
        return Ok(None);
    };
    if job.state == JobState::Taken {
        return Ok(Some((job_sentence(task.attempt, &job), Vec::new())));
    }
    let mut reasons = Vec::new();
    let link = api.state.queue_status().await?.hive;
    if link != HiveLink::Connected {
        reasons.push(Reason::of(Obstacle::HiveAway { hive: link }));
    }
    let message = job_sentence(task.attempt, &job);
    let what = What::OfTask(OfTask::HiveJob { job });
    reasons.insert(0, Reason { what, message });
    let sentences: Vec<_> = reasons.iter().map(|it| it.message.as_str()).collect();
    Ok(Some((sentences.join(" "), reasons)))
}

/// Returns the sentence for a job in the Hive.
fn job_sentence(attempt: i64, job: &JobStatus) -> String {
    let JobStatus {
        job_id,
        queue,
        state,
        since,
    } = job;
    match state {
        JobState::Sending => {
            format!("Attempt {attempt} is not in Redis yet: it is being sent to {queue}.")
        }
        JobState::Queued => format!(
            "Attempt {attempt} is in Redis, as job {job_id} of {queue}, and no worker has taken it yet."
        ),
        JobState::Taken => {
            let since = since
                .map(|since| format!(" since {since}"))
                .unwrap_or_default();
            format!("A worker has it{since}: attempt {attempt}.")
        }
        JobState::Forgotten => format!(
            "Redis no longer knows job {job_id} of attempt {attempt}; a worker that started it may still send its \
             result."
        ),
    }
}

/// Returns what keeps a PENDING task from starting.
async fn reasons(api: &Arc<Api>, caller: &Caller, task: &Task) -> Result<Vec<Reason>, ApiError> {
    let mut reasons = Vec::new();
    if !task.after.is_empty() {
        let upstream = api.state.awaited_by(task.id).await?.into_iter();
        reasons.extend(upstream.map(|(id, status)| Reason::upstream(id, status)));
    }
    if api.registry.get(&task.processor).is_none() {
        let message = format!(
            "No processor named {} is configured; there are: {}.",
            task.processor,
            caller.names(&api.registry).join(", ")
        );
        let processor = task.processor.clone();
        let what = What::OfTask(OfTask::NoProcessor { processor });
        reasons.push(Reason { what, message });
    }
    let asked = ExplainedTask {
        processor: task.processor.clone(),
        concurrency_key: task.concurrency_key.clone(),
        run_at: task.run_at,
    };
    let obstacles = api.state.explain(asked).await?;
    reasons.extend(obstacles.into_iter().map(Reason::of));
    Ok(reasons)
}

impl Reason {
    fn of(obstacle: Obstacle) -> Self {
        let message = sentence(&obstacle);
        let what = What::Obstacle(obstacle);
        Self { what, message }
    }

    fn upstream(id: TaskId, status: Option<TaskStatus>) -> Self {
        let message = match status {
            Some(status) => format!("It is blocked by task {id}, which is {status}."),
            None => format!("It is blocked by task {id}, which does not exist."),
        };
        let task_id = id;
        let what = What::OfTask(OfTask::Upstream { task_id, status });
        Self { what, message }
    }

    fn is_upstream(&self) -> bool {
        matches!(self.what, What::OfTask(OfTask::Upstream { .. }))
    }
}

fn sentence(obstacle: &Obstacle) -> String {
    match obstacle {
        Obstacle::Paused {
            since,
            until,
            reason,
            by,
        } => format!(
            "The queue has been paused since {since}{}.",
            details(*until, reason, by)
        ),
        Obstacle::ProcessorPaused {
            processor,
            since,
            until,
            reason,
            by,
        } => {
            let details = details(*until, reason, by);
            format!("Processor {processor} has been paused since {since}{details}.")
        }
        Obstacle::NotDue { run_at } => format!("It is scheduled for {run_at}."),
        Obstacle::NoFreeSlot { limit, running } => all_busy(*limit, "the queue", running),
        Obstacle::NoMemory { limit_bytes } => {
            format!("Running tasks use all {limit_bytes} bytes of running_limit_bytes.")
        }
        Obstacle::ProcessorLimit {
            processor,
            limit,
            running,
        } => all_busy(*limit, &format!("processor {processor}"), running),
        Obstacle::ProcessorRate {
            processor,
            rate,
            frees_at,
        } => format!(
            "Processor {processor} has reached its rate of {rate}; the next task may start at \
             {frees_at}."
        ),
        Obstacle::KeyLimit {
            concurrency_key,
            limit,
            running,
        } => all_busy(*limit, &format!("the key {concurrency_key}"), running),
        Obstacle::KeyRate {
            concurrency_key,
            rate,
            frees_at,
        } => format!(
            "The key {concurrency_key} has reached its rate of {rate}; the next task may start at \
             {frees_at}."
        ),
        Obstacle::NoWorker { processor, running } if running.is_empty() => {
            format!("No worker polls for tasks of processor {processor}.")
        }
        Obstacle::NoWorker { processor, running } => format!(
            "All workers of processor {processor} are busy with {}.",
            names(running)
        ),
        Obstacle::HiveAway { hive } => match hive {
            HiveLink::Off => "The Hive is off: set enable_hive.".to_owned(),
            HiveLink::Away { reason, since } => {
                format!("Redis has been unreachable since {since}: {reason}.")
            }
            HiveLink::Refusing { reason, since } => {
                format!("Redis has refused what the Hive needs since {since}: {reason}.")
            }
            HiveLink::Connected => "The Hive is connected.".to_owned(),
        },
        Obstacle::Stopping => "The service is stopping.".to_owned(),
    }
}

fn details(until: Option<Timestamp>, reason: &Option<String>, by: &Option<String>) -> String {
    let by = by.as_ref().map(|by| format!(" by {by}"));
    let until = until.map(|until| format!(", until {until}"));
    let reason = reason.as_ref().map(|reason| format!(" ({reason})"));
    format!(
        "{}{}{}",
        by.unwrap_or_default(),
        until.unwrap_or_default(),
        reason.unwrap_or_default()
    )
}

fn all_busy(limit: u64, whose: &str, running: &[TaskId]) -> String {
    let names = names(running);
    match limit {
        1 => format!("The only slot of {whose} is busy: {names}."),
        _ => format!("All {limit} slots of {whose} are busy: {names}."),
    }
}

fn names(tasks: &[TaskId]) -> String {
    let names: Vec<_> = tasks.iter().take(3).map(ToString::to_string).collect();
    match tasks.len() {
        0..=3 => names.join(", "),
        _ => format!("{} and others", names.join(", ")),
    }
}
