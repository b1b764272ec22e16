//! The OpenAPI document of the API (version 3.1), made from the table of routes.
//!
//! An annotation beside each handler says what is special about it. What calls share is added here: [`responses`] adds
//! the errors that each kind of call can answer, [`security`] the permission of its route.

mod flatten;
pub(super) mod parameters;
mod responses;
mod security;

use bytes::Bytes;
use serde_json::Value;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;

use crate::api::error::{Invalid, Problem, Refusal, Taken};
use crate::api::http::route_index::RouteIndex;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Venom Core",
        description = "A durable task service. When a submission answers 201, the task is on disk.\n\n\
            Unknown query parameters are refused. Timestamps are RFC 3339 in UTC, durations are seconds.\n\n\
            The setting `auth` decides whether calls require a token.",
        license(name = "MIT", identifier = "MIT"),
    ),
    tags(
        (name = "Tasks", description = "Submit, read and end tasks."),
        (name = "Queue", description = "Pause, resume, purge and stop."),
        (name = "Events", description = "Live events."),
        (name = "Workers", description = "For programs that run tasks of processors of kind `worker`."),
        (name = "Hive", description = "Several machines that share tasks through Redis."),
        (name = "Service", description = "The service itself: health, metrics, settings, the dump."),
        (name = "Session", description = "A browser's login."),
    ),
    components(schemas(Refusal, Invalid, Problem, Taken))
)]
struct Head;

/// One call: an Operation Object.
type Call = serde_json::Map<String, Value>;

/// Returns the head of the OpenAPI document: title, description and tags.
pub(crate) fn head() -> OpenApi {
    Head::openapi()
}

/// Returns the text of the OpenAPI document: the annotated `calls`, with the permission that `index` has for each.
pub(crate) fn text(calls: OpenApi, index: &RouteIndex) -> Bytes {
    let mut document = serde_json::to_value(calls).expect("a document always encodes");
    let paths = document["paths"].as_object_mut();
    for (path, item) in paths.expect("there are calls") {
        for (method, call) in item.as_object_mut().expect("calls by their methods") {
            let method = method.to_ascii_uppercase().parse();
            let call = call.as_object_mut().expect("a call");
            security::add(index.permission(&method.expect("a method"), path), call);
            simplify_body(call);
            responses::add(path, call);
        }
    }
    let schemas = document["components"]["schemas"].as_object_mut();
    flatten::spell_out(schemas.expect("there are schemas"));
    document["components"]["responses"] = responses::shared();
    document["components"]["securitySchemes"] = security::schemes();
    Bytes::from(document.to_string())
}

/// Removes the null from the schema of an optional body: a missing body is allowed, the value null is not.
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
