//! `GET /openapi.json`: the API as a document, and `GET /docs`: the document for people.
//!
//! The calls are those of the router, since both are made of one list ([`crate::api::routes::calls`]). What is said
//! beside each handler is what is special about it; what it shares with the others is added by
//! [`responses`] and [`security`].

pub(super) mod flatten;
pub(crate) mod parameters;
pub(crate) mod requests;
pub(super) mod responses;
pub(super) mod security;

use std::sync::LazyLock;

use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::Value;
use utoipa::OpenApi;

use crate::api::error::{ApiError, Invalid, Problem, Refusal, Taken};
use crate::api::routes::web;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Venom Core",
        description = "A durable task service. A task that was answered with 201 is on disk.\n\n\
            Unknown query parameters are refused. Times are RFC 3339 in UTC, periods are seconds.\n\n\
            Tokens are asked for where the settings say so (`auth`); else every call is open.",
        license(name = "MIT", identifier = "MIT"),
    ),
    tags(
        (name = "Tasks", description = "Submit, read and end tasks."),
        (name = "Queue", description = "Steer what is started."),
        (name = "Events", description = "What happens, as it happens."),
        (name = "Workers", description = "For programs that run tasks of processors of kind `worker`."),
        (name = "Hive", description = "Several machines that share tasks by Redis."),
        (name = "Service", description = "The service itself: health, figures, settings, the dump."),
        (name = "Session", description = "A browser's login."),
    ),
    components(schemas(Refusal, Invalid, Problem, Taken))
)]
pub(crate) struct Head;

/// One call: an Operation Object.
type Call = serde_json::Map<String, Value>;

static TEXT: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(document().to_string()));

fn document() -> Value {
    let calls = crate::api::routes::calls().into_openapi();
    let mut document = serde_json::to_value(calls).expect("a document always encodes");
    let paths = document["paths"].as_object_mut();
    for (path, item) in paths.expect("there are calls") {
        for (method, call) in item.as_object_mut().expect("calls by their methods") {
            let method = method.to_ascii_uppercase().parse();
            let call = call.as_object_mut().expect("a call");
            security::add(&method.expect("a method"), path, call);
            simplify_body(call);
            responses::add(path, call);
        }
    }
    let schemas = document["components"]["schemas"].as_object_mut();
    flatten::spell_out(schemas.expect("there are schemas"));
    document["components"]["responses"] = responses::shared();
    document["components"]["securitySchemes"] = security::schemes();
    document
}

/// A body that may be left out is still none that may be null.
fn simplify_body(call: &mut Call) {
    let schema = call
        .get_mut("requestBody")
        .and_then(|body| body.pointer_mut("/content/application~1json/schema"));
    if let Some(schema) = schema
        && let Some(choice) = schema.pointer_mut("/oneOf/0")
    {
        *schema = choice.take();
    }
}

/// This document.
///
/// OpenAPI 3.1, for programs: clients can be generated from it.
#[utoipa::path(
    get, path = "/openapi.json", tag = "Service", operation_id = "get_openapi",
    responses((status = 200, description = "The document", body = Object)),
)]
pub(crate) async fn openapi() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, TEXT.clone()).into_response()
}

/// This document, to be read in a browser.
///
/// Nothing is loaded from elsewhere. Calls can be tried out with the login of the dashboard.
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
