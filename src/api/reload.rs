//! The settings, read again.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Shared;
use super::caller::Caller;
use super::error::{ApiError, Problem};
use super::query::NoParameters;
use crate::config;
use crate::reload::Error;

/// `POST /api/v1/reload`
pub(super) async fn reload(
    State(api): Shared,
    caller: Caller,
    _: NoParameters,
) -> Result<Json<Value>, ApiError> {
    let changes = api.reload.in_name_of(caller.name()).reload().await?;
    let message = match (changes.applied.len(), changes.needs_restart.len()) {
        (0, 0) => "Settings read again: nothing has changed.".to_owned(),
        (_, 0) => "Settings read again: what has changed holds.".to_owned(),
        (0, _) => "Settings read again: what has changed needs a restart.".to_owned(),
        (_, _) => "Settings read again: some of what has changed needs a restart.".to_owned(),
    };
    Ok(Json(json!({
        "success": true,
        "applied": changes.applied,
        "needs_restart": changes.needs_restart,
        "message": message,
    })))
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::Settings(mistake) => problem(&mistake).into(),
            Error::State(error) => error.into(),
        }
    }
}

/// The mistake, at `["settings", KEY]`; one of a whole file stands at `["settings"]`.
fn problem(mistake: &config::Error) -> Problem {
    let loc: Vec<_> = ["settings"].into_iter().chain(mistake.key()).collect();
    Problem::new("value_error", &loc, mistake.to_string(), Value::Null)
}
