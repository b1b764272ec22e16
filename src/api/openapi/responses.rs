//! The error answers that calls share, described once and not beside each handler.

use serde_json::{Map, Value, json};

use crate::api::openapi::Call;

/// Paths of calls that read neither parameters nor a body.
const CARELESS: [&str; 4] = ["/healthz", "/readyz", "/openapi.json", "/docs"];

/// Adds the error answers of this kind of call. Those that the handler describes itself stay.
pub(crate) fn add(path: &str, call: &mut Call) {
    let needs_token = call["security"] != json!([]);
    let has_body = call.contains_key("requestBody");
    let has_task = path.contains("{task_id}");
    let answers = [
        ("400", has_body),
        ("401", needs_token),
        ("403", true),
        ("404", has_task),
        ("408", has_body),
        ("413", has_body),
        ("415", has_body),
        ("422", !CARELESS.contains(&path)),
        ("429", true),
        ("500", true),
        ("503", true),
    ];
    let said = call["responses"].as_object_mut();
    let said = said.expect("a call has answers");
    for (status, _) in answers.iter().filter(|(_, may_be)| *may_be) {
        let shared = json!({ "$ref": format!("#/components/responses/{status}") });
        said.entry(*status).or_insert(shared);
    }
    said.sort_keys();
}

/// Returns the shared answers, by status.
pub(crate) fn shared() -> Value {
    let mut shared = Map::new();
    for (status, description, example) in SENTENCES {
        let answer = json!({
            "description": description,
            "content": { "application/json": {
                "schema": { "$ref": "#/components/schemas/Refusal" },
                "example": { "detail": example },
            } },
        });
        shared.insert(status.to_owned(), answer);
    }
    let header =
        |description: &str, schema: Value| json!({ "description": description, "schema": schema });
    let seconds = json!({ "type": "integer", "minimum": 0, "examples": [1] });
    for status in ["429", "503"] {
        let again = header("Seconds after which to retry.", seconds.clone());
        shared[status]["headers"] = json!({ "Retry-After": again });
    }
    let scheme = header("The authentication scheme.", json!({ "const": "Bearer" }));
    shared["401"]["headers"] = json!({ "WWW-Authenticate": scheme });
    shared.insert("422".to_owned(), invalid());
    Value::Object(shared)
}

fn invalid() -> Value {
    let problem = json!({
        "type": "missing",
        "loc": ["body", "content"],
        "msg": "Field required",
        "input": {},
    });
    json!({
        "description": "The request has mistakes, listed field by field. Nothing was done.",
        "content": { "application/json": {
            "schema": { "$ref": "#/components/schemas/Invalid" },
            "example": { "detail": [problem] },
        } },
    })
}

const SENTENCES: [(&str, &str, &str); 10] = [
    (
        "400",
        "The request's body ended early.",
        "The request's body could not be read.",
    ),
    (
        "401",
        "The token is missing or invalid.",
        "The token is unknown, or was revoked.",
    ),
    (
        "403",
        "The token does not permit this call, or the request comes from a page of another site.",
        "This call requires the role operate; the token alice has the role read.",
    ),
    ("404", "There is no such task.", "Task not found"),
    (
        "408",
        "The request's body arrives too slowly.",
        "The request's body did not arrive within 30 s.",
    ),
    (
        "413",
        "The request's body is too large.",
        "The request's body is larger than 8388608 bytes.",
    ),
    (
        "415",
        "The request's body is of another type.",
        "Expected the header Content-Type: application/json, found \"text/plain\".",
    ),
    (
        "429",
        "Too many requests. Nothing was done.",
        "Too many requests; try again in 1 s.",
    ),
    (
        "500",
        "An internal error. The service's log has its id.",
        "Internal error 0f8fad5b-d9cb-469f-a165-70867728950e; the service's log says more.",
    ),
    (
        "503",
        "The storage is unavailable, or the service is stopping. Nothing was stored.",
        "The service is stopping.",
    ),
];
