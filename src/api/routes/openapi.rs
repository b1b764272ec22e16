//! `GET /openapi.json`: the API as a document, and `GET /docs`: the document for people.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use crate::api::context::Shared;
use crate::api::error::ApiError;
use crate::api::openapi::parameters;
use crate::api::routes::web;

/// This document, for programs.
///
/// OpenAPI 3.1; clients can be generated from it.
#[utoipa::path(
    get, path = "/openapi.json", tag = "Service", operation_id = "get_openapi",
    responses((status = 200, description = "The OpenAPI document", body = Object)),
)]
pub(crate) async fn openapi(State(api): Shared) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, api.document.clone()).into_response()
}

/// This document, for people.
///
/// The page loads nothing from other servers. It can send calls, with the login of the dashboard.
#[utoipa::path(
    get, path = "/docs", tag = "Service", operation_id = "get_docs",
    params(parameters::KnownParameter),
    responses(
        (status = 200, description = "A page", body = String, content_type = "text/html; charset=utf-8"),
        (status = 304, description = "The page has not changed"),
    ),
)]
pub(crate) async fn docs(headers: HeaderMap) -> Result<Response, ApiError> {
    web::serve("docs.html", &headers)
}
