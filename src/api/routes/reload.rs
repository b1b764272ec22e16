//! `POST /api/v1/reload`: reloads the configuration.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::api::auth::caller::Caller;
use crate::api::context::Shared;
use crate::api::error::{ApiError, Problem};
use crate::api::input::query::NoParameters;
use crate::config;
use crate::reload::Error;

/// The answer to a reload: the changed settings, by key.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReloadDone {
    /// Always true.
    success: bool,
    /// Changed keys that are in effect.
    applied: Vec<String>,
    /// Changed keys that need a restart.
    needs_restart: Vec<String>,
    /// Likely mistakes in the settings: a missing program, a switch that is off.
    warnings: Vec<String>,
    message: &'static str,
}

/// Reload the configuration.
#[utoipa::path(
    post, path = "/api/v1/reload", tag = "Service", operation_id = "reload",
    responses((status = 200, description = "The changed settings", body = ReloadDone)),
)]
pub(crate) async fn reload(
    State(api): Shared,
    caller: Caller,
    _: NoParameters,
) -> Result<Json<ReloadDone>, ApiError> {
    let changes = api.reload.as_actor(caller.name()).reload().await?;
    let message = match (changes.applied.len(), changes.needs_restart.len()) {
        (0, 0) => "Configuration reloaded: no changes.",
        (_, 0) => "Configuration reloaded: changes applied.",
        (0, _) => "Configuration reloaded: all changes need a restart.",
        (_, _) => "Configuration reloaded: some changes need a restart.",
    };
    Ok(Json(ReloadDone {
        success: true,
        applied: changes.applied,
        needs_restart: changes.needs_restart,
        warnings: changes.warnings,
        message,
    }))
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::Settings(mistake) => problem(&mistake).into(),
            Error::State(error) => error.into(),
        }
    }
}

/// Returns the mistake at `["settings", KEY]`, or at `["settings"]` if it concerns a whole file.
fn problem(mistake: &config::Error) -> Problem {
    let loc: Vec<_> = ["settings"].into_iter().chain(mistake.key()).collect();
    Problem::new("value_error", &loc, mistake.to_string(), Value::Null)
}
