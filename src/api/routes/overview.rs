//! `/api/v1/overview` and `/api/v1/storage`: task counts, the state of the queue, and the size of the files.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::context::Shared;
use crate::api::error::ApiError;
use crate::api::input::query::NoParameters;
use crate::models::{Pause, QueueStatus};
use crate::state::{FileUse, TaskCounts, wal_bytes};

/// The answer of `GET /api/v1/overview`.
#[derive(Serialize, ToSchema)]
pub(crate) struct Overview {
    version: &'static str,
    /// Tasks by status.
    tasks: TaskCounts,
    queue: QueueStatus,
    /// The pause of the queue: since when, until when and why. Null while it is not paused.
    #[schema(required)]
    pause: Option<Pause>,
}

/// Task counts and the state of the queue.
#[utoipa::path(
    get, path = "/api/v1/overview", tag = "Service", operation_id = "get_overview",
    responses((status = 200, description = "The counts and the status", body = Overview)),
)]
pub(crate) async fn overview(
    State(api): Shared,
    _: NoParameters,
) -> Result<Json<Overview>, ApiError> {
    let (tasks, queue, pause) = tokio::try_join!(
        api.state.counts(),
        api.queue.status(),
        api.state.queue_pause()
    )?;
    Ok(Json(Overview {
        version: env!("CARGO_PKG_VERSION"),
        tasks,
        queue,
        pause,
    }))
}

/// The answer of `GET /api/v1/storage`.
#[derive(Serialize, ToSchema)]
pub(crate) struct Storage {
    #[serde(flatten)]
    file: FileUse,
    /// Size of the write-ahead log.
    wal_bytes: u64,
    /// Seconds for which finished tasks are kept; null: forever.
    #[schema(required)]
    retention_completed: Option<f64>,
    #[schema(required)]
    retention_failed: Option<f64>,
}

/// Size of the database's files, and how long tasks are kept.
#[utoipa::path(
    get, path = "/api/v1/storage", tag = "Service", operation_id = "get_storage",
    responses((status = 200, description = "Sizes in bytes, and the retention", body = Storage)),
)]
pub(crate) async fn storage(
    State(api): Shared,
    _: NoParameters,
) -> Result<Json<Storage>, ApiError> {
    let file = api.state.file_use().await?;
    let settings = api.current.get();
    let seconds = |period: Option<Duration>| period.map(|period| period.as_secs_f64());
    Ok(Json(Storage {
        file,
        wal_bytes: wal_bytes(&settings.database_path),
        retention_completed: seconds(settings.retention_completed),
        retention_failed: seconds(settings.retention_failed),
    }))
}
