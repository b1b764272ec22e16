//! Is it alive, and would it take a task?

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{ApiError, Shared};
use crate::models::HiveLink;

#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    /// `ok`
    #[schema(examples("ok"))]
    status: &'static str,
    /// `venom-core`
    #[schema(examples("venom-core"))]
    component: &'static str,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Readiness {
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
pub(super) async fn healthz() -> Json<Health> {
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
pub(super) async fn readyz(State(api): Shared) -> Result<Json<Readiness>, ApiError> {
    if api.stopping.is_cancelled() {
        return Err(crate::state::Error::Stopping.into());
    }
    if let Some(problem) = api.state.health().problem() {
        return Err(crate::state::Error::Unavailable(problem).into());
    }
    // Without Redis, tasks are accepted all the same.
    Ok(Json(Readiness {
        status: "ready",
        hive: api.state.queue_status().await?.hive,
    }))
}
