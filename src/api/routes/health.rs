//! Is it alive, and would it take a task?

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

/// A probe gets an answer in any case.
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
    /// Left out while the Hive is off.
    #[serde(skip_serializing_if = "HiveLink::is_off")]
    hive: HiveLink,
}

/// Whether the service is alive.
#[utoipa::path(
    get, path = "/healthz", tag = "Service", operation_id = "get_health",
    responses((status = 200, description = "It is", body = Health)),
)]
pub(crate) async fn healthz() -> Json<Health> {
    Json(Health {
        status: "ok",
        component: "venom-core",
    })
}

/// Whether tasks are accepted.
///
/// Says how the Hive is, if it is on.
#[utoipa::path(
    get, path = "/readyz", tag = "Service", operation_id = "get_readiness",
    responses((status = 200, description = "They are", body = Readiness)),
)]
pub(crate) async fn readyz(State(api): Shared) -> Result<Json<Readiness>, ApiError> {
    if api.stopping.is_cancelled() {
        return Err(crate::state::Error::Stopping.into());
    }
    let status = timeout(PATIENCE, api.state.queue_status()).await;
    let status = status.map_err(|_| {
        let seconds = PATIENCE.as_secs();
        ApiError::Unavailable(format!(
            "The service has not answered itself for {seconds} s."
        ))
    })??;
    match status.problem {
        Some(problem) => Err(ApiError::Unavailable(sentence(&problem))),
        // Without Redis, tasks are accepted all the same.
        None => Ok(Json(Readiness {
            status: "ready",
            hive: status.hive,
        })),
    }
}
