//! The dashboard: files of `web/`, compiled into the binary.
//!
//! The page loads nothing from elsewhere and runs no script but these files; the policy below has browsers
//! enforce that, so that the text of a task can never become code.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::api::error::ApiError;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[derive(RustEmbed)]
#[folder = "web/"]
struct Files;

/// `GET /`
pub(crate) async fn page(headers: HeaderMap) -> Result<Response, ApiError> {
    serve("index.html", &headers)
}

/// `GET /web/{path}`
pub(crate) async fn asset(
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    serve(&path, &headers)
}

/// Browsers ask each time whether a file has changed, so that a new version of the service is a new
/// dashboard at once.
pub(crate) fn serve(path: &str, asked: &HeaderMap) -> Result<Response, ApiError> {
    let file = Files::get(path).ok_or(ApiError::NotFound("Not Found"))?;
    let tag = tag(&file);
    let headers = [
        (header::ETAG, tag.clone()),
        (header::CONTENT_TYPE, content_type(path)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(POLICY),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
    ];
    if is_known(asked, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    Ok((headers, Body::from(file.data.into_owned())).into_response())
}

/// Returns whether the browser has the file of this tag. It may name several; a proxy that compresses marks them as weak.
fn is_known(asked: &HeaderMap, tag: &HeaderValue) -> bool {
    let lists = asked.get_all(header::IF_NONE_MATCH).iter();
    lists
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|known| known == "*" || tag == known.strip_prefix("W/").unwrap_or(known))
}

fn tag(file: &EmbeddedFile) -> HeaderValue {
    let hash = file.metadata.sha256_hash();
    let hex = hash[..16].iter().map(|byte| format!("{byte:02x}"));
    let tag = format!("\"{}\"", hex.collect::<String>());
    HeaderValue::from_str(&tag).expect("hexadecimal digits are ASCII")
}

fn content_type(path: &str) -> HeaderValue {
    let ending = path.rsplit_once('.').map(|(_, ending)| ending);
    HeaderValue::from_static(match ending {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    })
}
