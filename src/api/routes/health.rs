//! `/healthz` and `/readyz`: whether the service is alive, and whether it accepts tasks.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::api::context::Shared;
use crate::api::error::ApiError;
use crate::api::error::sentence;
use crate::models::HiveLink;

/// Longest time that a probe waits for the storage.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`
    #[schema(examples("ok"))]
    status: &'static str,
    /// `venom-core`
    #[schema(examples("venom-core"))]
    component: &'static str,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// `ready`
    #[schema(examples("ready"))]
    status: &'static str,
    /// Missing while the Hive is off.
    #[serde(skip_serializing_if = "HiveLink::is_off")]
    hive: HiveLink,
}

/// Liveness probe: the process answers.
#[utoipa::path(
    get, path = "/healthz", tag = "Service", operation_id = "get_health",
    responses((status = 200, description = "Alive", body = Health)),
)]
pub(crate) async fn healthz() -> Json<Health> {
    Json(Health {
        status: "ok",
        component: "venom-core",
    })
}

/// Readiness probe: tasks are accepted.
///
/// Reports the connection to Redis if the Hive is on.
#[utoipa::path(
    get, path = "/readyz", tag = "Service", operation_id = "get_readiness",
    responses((status = 200, description = "Ready", body = Readiness)),
)]
pub(crate) async fn readyz(State(api): Shared) -> Result<Json<Readiness>, ApiError> {
    if api.stopping.is_cancelled() {
        return Err(crate::state::Error::Stopping.into());
    }
    let status = timeout(PATIENCE, api.state.queue_status()).await;
    let status = status.map_err(|_| {
        let seconds = PATIENCE.as_secs();
        ApiError::Unavailable(format!("The storage has not answered for {seconds} s."))
    })??;
    match status.problem {
        Some(problem) => Err(ApiError::Unavailable(sentence(&problem))),
        // Tasks are accepted without Redis, too.
        None => Ok(Json(Readiness {
            status: "ready",
            hive: status.hive,
        })),
    }
}
