//! The dump over HTTP: `GET /api/v1/export` and `POST /api/v1/import`, both streamed.
//!
//! An import is kept in an unnamed file beside the database until all of it has arrived and been
//! checked; only then is the first task written.

use std::collections::HashMap;
use std::fs::File;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout_at};
use utoipa::ToSchema;

use crate::api::auth::caller::Caller;
use crate::api::context::{Api, Shared};
use crate::api::error::{ApiError, Problem};
use crate::api::input::body::check_json;
use crate::api::input::query::{NoParameters, Query};
use crate::api::openapi::parameters;
use crate::dump::import::{Error as ImportError, ImportReport};
use crate::dump::{export_stream, import_open};
use crate::models::TaskId;
use crate::state::Error;

/// A task in a dump, with the fields of `GET /api/v1/tasks/{task_id}`. For an import, the other fields may be missing.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct DumpedTask {
    #[schema(value_type = Uuid)]
    id: TaskId,
    content: String,
    #[serde(flatten)]
    more: HashMap<String, Value>,
}

/// The whole state as one file: `state_dump.json`. Unknown fields are preserved and exported again.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
#[schema(examples(json!({ "tasks": [{
    "id": "6e9d0c2a-2f5b-4a53-9d0e-0d6d1c6f9a11",
    "content": "hello",
    "created_at": "2024-05-01T10:30:00.123456",
    "status": "COMPLETED",
    "result": "Processed: hello",
    "logs": [],
}] })))]
pub(crate) struct Dump {
    tasks: Vec<DumpedTask>,
    /// The other fields of the file.
    #[serde(flatten)]
    more: HashMap<String, Value>,
}

/// Bytes of an import that must arrive within each request timeout.
const STEP_BYTES: usize = 256 * 1024;

/// Export the whole state as one file, streamed.
#[utoipa::path(
    get, path = "/api/v1/export", tag = "Service", operation_id = "export",
    responses((status = 200, description = "The dump", body = Dump, headers(
        ("Content-Disposition" = String, description = "Names it `state_dump.json`"),
    ))),
)]
pub(crate) async fn export(State(api): Shared, _: NoParameters) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"state_dump.json\"",
        ),
    ];
    (headers, Body::from_stream(export_stream(api.state.clone()))).into_response()
}

/// Import a dump of this or an earlier version.
///
/// The whole file is checked before the first task is written. Existing tasks stay as they are.
#[utoipa::path(
    post, path = "/api/v1/import", tag = "Service", operation_id = "import",
    params(parameters::ReplaceParameter),
    request_body = Dump,
    responses((status = 200, description = "The result of the import", body = ImportReport)),
)]
pub(crate) async fn import(
    State(api): Shared,
    caller: Caller,
    request: Request,
) -> Result<Json<ImportReport>, ApiError> {
    if api.stopping.is_cancelled() {
        return Err(Error::Stopping.into());
    }
    let query = Query::parse(request.uri().query(), &["replace"])?;
    let replace = query.get("replace", "bool_parsing", "true or false")?;
    check_json(request.headers())?;
    let file = spool(&api, request.into_body()).await?;
    let default_processor = api.registry.default_name();
    // A task of its own, so that an import does not stop halfway when its client disconnects.
    let state = api.state.as_actor(caller.name());
    let default_processor = default_processor.clone();
    let import = tokio::spawn(async move {
        let replace = replace.unwrap_or(false);
        import_open(&state, file, &default_processor, replace).await
    });
    let imported = import
        .await
        .map_err(|error| ApiError::Internal(error.to_string()))?;
    Ok(Json(imported?))
}

impl From<ImportError> for ApiError {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Damaged(error) => {
                Problem::new("dump_invalid", &["body"], error.to_string(), Value::Null).into()
            }
            ImportError::Unreadable(error) => Self::from(unavailable(error)),
            ImportError::State(error) => error.into(),
        }
    }
}

/// Writes the body to an unnamed file, which vanishes when it is closed.
async fn spool(api: &Api, body: Body) -> Result<File, ApiError> {
    let file = tempfile::tempfile_in(&api.spool_folder).map_err(unavailable)?;
    let mut file = tokio::fs::File::from_std(file);
    let mut chunks = body.into_data_stream();
    let mut deadline = Instant::now() + api.request_timeout;
    let mut arrived = 0;
    while let Some(chunk) = timeout_at(deadline, chunks.next())
        .await
        .map_err(|_| cut_off(StatusCode::REQUEST_TIMEOUT, "arrives too slowly"))?
    {
        let chunk = chunk.map_err(|_| cut_off(StatusCode::BAD_REQUEST, "could not be read"))?;
        arrived += chunk.len();
        if arrived >= STEP_BYTES {
            arrived = 0;
            deadline = Instant::now() + api.request_timeout;
        }
        file.write_all(&chunk).await.map_err(unavailable)?;
    }
    file.flush().await.map_err(unavailable)?;
    Ok(file.into_std().await)
}

fn cut_off(status: StatusCode, what: &str) -> ApiError {
    ApiError::Status(status, format!("The request's body {what}."))
}

fn unavailable(error: std::io::Error) -> Error {
    Error::Unavailable(error.to_string())
}
