//! Extractors of request bodies: their bytes, within the limits of size and time, and of the right type.
//!
//! What they refuse has the shape of every other error of the API. Parsing is the next step: see [`super::json`].

use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;

use crate::api::context::Api;
use crate::api::error::ApiError;
use crate::api::intake::{SMALL_BYTES, Upload};

/// The bytes of a JSON body, not yet parsed.
pub(crate) struct JsonBody(pub(crate) Bytes);

impl FromRequest<Arc<Api>> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, ApiError> {
        check_json(request.headers())?;
        read_body(request, api).await.map(Self)
    }
}

/// A JSON body of at most `BYTES`, for calls that need little.
pub(crate) struct SmallJsonBody<const BYTES: usize = SMALL_BYTES>(pub(crate) Bytes);

impl<const BYTES: usize> FromRequest<Arc<Api>> for SmallJsonBody<BYTES> {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, ApiError> {
        check_json(request.headers())?;
        read_up_to(BYTES, request, api).await.map(Self)
    }
}

/// A small JSON body that may be missing.
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

/// Refuses a body that is not JSON by its `Content-Type`. A missing header counts as JSON.
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

/// Reads a body of at most `limit` bytes, without the byte order mark that Windows programs write before JSON.
async fn read_up_to(limit: usize, request: Request, api: &Api) -> Result<Bytes, ApiError> {
    let limit = limit.min(api.body_limit_bytes);
    let body = request.into_body();
    // Before the first read: a client that waits for `100 Continue` learns at once that its body is too large.
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

/// Collects a body. One that arrives in one piece is not copied.
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
    let detail =
        "The request's body stopped arriving, and other requests needed its memory.".to_owned();
    ApiError::Status(StatusCode::REQUEST_TIMEOUT, detail)
}
