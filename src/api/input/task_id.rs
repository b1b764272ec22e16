//! The `{task_id}` of a path.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde_json::Value;

use crate::api::auth::caller::Caller;
use crate::api::context::Api;
use crate::api::error::{ApiError, Problem};
use crate::models::TaskId;

/// The `{task_id}` of a path. A task that the caller may not see is a 404, like a missing one.
pub(crate) struct TaskIdPath(pub(crate) TaskId);

impl FromRequestParts<Arc<Api>> for TaskIdPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, api)
            .await
            .map_err(|_| ApiError::NotFound("Not Found"))?;
        let task_id = text.parse().map_err(|error: uuid::Error| {
            Problem::new(
                "uuid_parsing",
                &["path", "task_id"],
                format!("Input should be a valid UUID, {error}"),
                Value::String(text),
            )
        })?;
        let Ok(caller) = Caller::from_request_parts(parts, api).await;
        match caller.may_not_see(&api.state, task_id).await? {
            true => Err(ApiError::NotFound("Task not found")),
            false => Ok(Self(task_id)),
        }
    }
}
