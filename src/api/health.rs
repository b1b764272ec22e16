//! Is it alive, and would it take a task?

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::{ApiError, Shared};

/// `GET /healthz`
pub(super) async fn healthz() -> Json<Value> {
    Json(json!({ "status": "ok", "component": "venom-core" }))
}

/// `GET /readyz`: 200 while tasks are accepted, else 503 with the reason. It says how the Hive is, if it
/// is on.
pub(super) async fn readyz(State(api): Shared) -> Result<Json<Value>, ApiError> {
    if api.stopping.is_cancelled() {
        return Err(crate::state::Error::Stopping.into());
    }
    let hive = api.state.queue_status().await?.hive;
    let mut answer = json!({ "status": "ready" });
    // Without Redis, tasks are accepted all the same.
    if !hive.is_off() {
        answer["hive"] = json!(hive);
    }
    Ok(Json(answer))
}
