//! The document of the API (OpenAPI 3.1), made from the table of routes.
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
struct Head;

/// One call: an Operation Object.
type Call = serde_json::Map<String, Value>;

/// The head of the document: what it says besides the calls.
pub(crate) fn head() -> OpenApi {
    Head::openapi()
}

/// The text of the document: `calls` as their annotations describe them, with what `index` says of each.
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
