//! Extractors whose rejections have the service's own error shape.

use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::api::auth::caller::Caller;
use crate::api::context::Api;
use crate::api::error::{ApiError, Problem};
use crate::api::input::intake::{SMALL_BYTES, Upload};
use crate::api::input::json_check::{OBJECT, check};
use crate::models::{TaskId, json};
use crate::state::IdempotencyKey;

/// The `{task_id}` of a path. One that is none of the caller's business is as good as missing.
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

/// A JSON body: its bytes, within the limits, of the right type, not yet parsed.
pub(crate) struct JsonBody(pub(crate) Bytes);

impl FromRequest<Arc<Api>> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, ApiError> {
        check_json(request.headers())?;
        read_body(request, api).await.map(Self)
    }
}

/// A JSON body of a call that needs few words: at most `BYTES` of it.
pub(crate) struct SmallJsonBody<const BYTES: usize = SMALL_BYTES>(pub(crate) Bytes);

impl<const BYTES: usize> FromRequest<Arc<Api>> for SmallJsonBody<BYTES> {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, ApiError> {
        check_json(request.headers())?;
        read_up_to(BYTES, request, api).await.map(Self)
    }
}

/// A small JSON body that may be left out.
pub(crate) struct OptionalJsonBody(pub(crate) Option<Bytes>);

impl FromRequest<Arc<Api>> for OptionalJsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, ApiError> {
        let typed = check_json(request.headers());
        let body = read_up_to(SMALL_BYTES, request, api).await?;
        if body.is_empty() {
            return Ok(Self(None));
        }
        typed?;
        Ok(Self(Some(body)))
    }
}

/// A missing `Content-Type` counts as JSON.
pub(crate) fn check_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(content_type) = headers.get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    let essence = content_type.to_str().unwrap_or_default();
    let essence = essence
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
    {
        return Ok(());
    }
    Err(ApiError::Status(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        format!("Expected the header Content-Type: application/json, found {essence:?}."),
    ))
}

pub(crate) async fn read_body(request: Request, api: &Api) -> Result<Bytes, ApiError> {
    read_up_to(api.body_limit_bytes, request, api).await
}

/// The body without a byte order mark, which Windows programs write before JSON.
async fn read_up_to(limit: usize, request: Request, api: &Api) -> Result<Bytes, ApiError> {
    let limit = limit.min(api.body_limit_bytes);
    let body = request.into_body();
    // Before the body is asked for: a client that waits for `100 Continue` hears at once that it need not.
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large(limit));
    }
    let read = tokio::time::timeout(api.request_timeout, collect(limit, body, api)).await;
    let body = read.map_err(|_| {
        let seconds = api.request_timeout.as_secs_f64();
        let detail = format!("The request's body did not arrive within {seconds} s.");
        ApiError::Status(StatusCode::REQUEST_TIMEOUT, detail)
    })??;
    Ok(match body.starts_with(BYTE_ORDER_MARK) {
        true => body.slice(BYTE_ORDER_MARK.len()..),
        false => body,
    })
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// All of a body. One that comes in one piece is not copied.
async fn collect(limit: usize, mut body: Body, api: &Api) -> Result<Bytes, ApiError> {
    let expected = body.size_hint().exact();
    let mut whole = Vec::new();
    let mut upload: Option<Upload> = None;
    loop {
        let frame = match &upload {
            None => body.frame().await,
            Some(upload) => tokio::select! {
                frame = body.frame() => frame,
                () = upload.evicted.cancelled() => return Err(stalled()),
            },
        };
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| {
            let detail = "The request's body could not be read.".to_owned();
            ApiError::Status(StatusCode::BAD_REQUEST, detail)
        })?;
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        let length = whole.len() + piece.len();
        if length > limit {
            return Err(too_large(limit));
        }
        if whole.is_empty() && body.is_end_stream() {
            return Ok(piece);
        }
        if length > SMALL_BYTES {
            let more = match &upload {
                None => length,
                Some(_) => piece.len(),
            };
            let upload = upload.get_or_insert_with(|| api.intake.upload());
            upload.grow(more)?;
            if let Some(expected) = expected.and_then(|bytes| usize::try_from(bytes).ok()) {
                whole.reserve_exact(expected.saturating_sub(whole.len()));
            }
        }
        whole.extend_from_slice(&piece);
    }
    Ok(match upload {
        None => whole.into(),
        Some(upload) => upload.finish(whole),
    })
}

fn too_large(limit: usize) -> ApiError {
    let detail = format!("The request's body is larger than {limit} bytes.");
    ApiError::Status(StatusCode::PAYLOAD_TOO_LARGE, detail)
}

fn stalled() -> ApiError {
    let detail = "The request's body stopped arriving while others needed its room.".to_owned();
    ApiError::Status(StatusCode::REQUEST_TIMEOUT, detail)
}

/// The body as a JSON object; what is none is a 422.
pub(crate) fn parse_object(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    object(parse_json(body)?)
}

/// The fields of an object; anything else is a 422.
pub(crate) fn object(value: Value) -> Result<Map<String, Value>, ApiError> {
    match value {
        Value::Object(fields) => Ok(fields),
        other => {
            let msg = "Input should be a valid dictionary or object to extract fields from";
            Err(Problem::new("model_attributes_type", &["body"], msg, other).into())
        }
    }
}

/// The body as JSON; what is none is a 422 that says where.
pub(crate) fn parse_json(body: &[u8]) -> Result<Value, ApiError> {
    if body.is_empty() {
        let problem = Problem::new("missing", &["body"], "Field required", Value::Null);
        return Err(problem.into());
    }
    check(body, OBJECT)?;
    parse_value(body, 0, 1)
}

/// A part of a body as a value, which begins at the byte `start` on the body's line `line`, from 1.
pub(crate) fn parse_value(part: &[u8], start: usize, line: usize) -> Result<Value, ApiError> {
    json::parse(part).map_err(|error| no_json(part, start, line, &error))
}

/// A part of a body as JSON of a known shape, which begins at the byte `start` on the body's line `line`, from 1.
pub(crate) fn parse_part<'a, T: Deserialize<'a>>(
    part: &'a [u8],
    start: usize,
    line: usize,
) -> Result<T, ApiError> {
    serde_json::from_slice(part).map_err(|error| no_json(part, start, line, &error))
}

fn no_json(part: &[u8], start: usize, line: usize, error: &serde_json::Error) -> ApiError {
    let at = start + offset(part, error.line(), error.column());
    let (found, column) = (error.to_string(), error.column());
    let place = format!(" at line {} column {column}", error.line());
    let what = found.strip_suffix(&place).unwrap_or(&found);
    let line = line + error.line().saturating_sub(1);
    let msg = format!("JSON decode error: {what} at line {line} column {column}");
    let mut problem = Problem::new("json_invalid", &["body"], msg, json!({}));
    problem.loc.push(json!(at));
    problem.into()
}

/// The byte offset of a line and column, both from 1.
fn offset(body: &[u8], line: usize, column: usize) -> usize {
    let before: usize = body
        .split(|byte| *byte == b'\n')
        .take(line.saturating_sub(1))
        .map(|line| line.len() + 1)
        .sum();
    (before + column.saturating_sub(1)).min(body.len())
}

/// The header `Idempotency-Key`, if it is there.
pub(crate) struct IdempotencyHeader(pub(crate) Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyHeader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get("idempotency-key") else {
            return Ok(Self(None));
        };
        let text = value.to_str().unwrap_or_default();
        if (1..=255).contains(&text.len()) {
            return Ok(Self(Some(text.to_owned())));
        }
        let msg = "Input should be 1 to 255 visible ASCII characters";
        let loc = ["header", "Idempotency-Key"];
        Err(Problem::new("string_type", &loc, msg, Value::Null).into())
    }
}

/// What makes a repeat of the request with this key and body known. Each token has keys of its own.
pub(crate) fn once(caller: &Caller, key: String, body: &[u8]) -> IdempotencyKey {
    let body = Sha256::digest(body).into();
    let key = match caller.name() {
        Some(name) => format!("{OF_TOKEN}{name}{OF_TOKEN}{key}"),
        None => key,
    };
    IdempotencyKey { key, body }
}

/// Stands before and after a token's name in the keys of that token. No client can send it: neither a
/// header nor a token's name may hold it. Keys of the service's own begin with another one.
const OF_TOKEN: char = '\u{2}';
