//! `docs/reference/api.md`: every call of the HTTP interface, from its OpenAPI document.

use std::fmt::Write as _;

use serde_json::Value;

use super::{NOTICE, code, head, row};
use crate::generated::in_step;

const INTRODUCTION: &str = "
The service speaks JSON over HTTP/1.1. `/docs` of a running service shows the same with examples and tries calls;
`/openapi.json` has it for programs. [Errors and limits](answers.md) lists the statuses that all calls share.
Unknown parameters are refused. Times are RFC 3339 in UTC, durations are seconds.

The dashboard is at `/`; [metrics](../operate/observe.md) are at `/metrics`, events at `/ws/events`
([Watch events](../guides/events.md)).
";

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Returns the members of an object; none for anything else.
fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn page(document: &Value) -> String {
    let mut page = format!("# API\n\n{NOTICE}{INTRODUCTION}");
    for tag in document["tags"].as_array().into_iter().flatten() {
        let name = text(tag, "/name");
        let _ = write!(page, "\n## {name}\n\n{}\n", text(tag, "/description"));
        for (path, calls) in members(&document["paths"]) {
            for (method, call) in members(calls) {
                if text(call, "/tags/0") == name {
                    describe(&method.to_uppercase(), path, call, &mut page);
                }
            }
        }
    }
    page.push_str("\n## Types\n\nA `?` marks a field that may be absent.\n");
    for (name, schema) in members(&document["components"]["schemas"]) {
        describe_type(name, schema, &mut page);
    }
    page
}

fn describe(method: &str, path: &str, call: &Value, page: &mut String) {
    let _ = write!(
        page,
        "\n### {method} {path}\n\n{}\n",
        text(call, "/summary")
    );
    let description = text(call, "/description");
    if !description.is_empty() {
        let _ = write!(page, "\n{description}\n");
    }
    let parameters = call["parameters"].as_array();
    if let Some(parameters) = parameters.filter(|parameters| !parameters.is_empty()) {
        let _ = write!(page, "\n{}", head(&["parameter", "type", "meaning"]));
        for parameter in parameters {
            let name = code(text(parameter, "/name"));
            let name = match text(parameter, "/in") {
                "query" => name,
                place => format!("{name} ({place})"),
            };
            let kind = kind(&parameter["schema"]);
            page.push_str(&row(&[&name, &kind, text(parameter, "/description")]));
        }
    }
    let bodies: Vec<_> = members(&call["requestBody"]["content"])
        .map(|(media, body)| format!("{} ({media})", kind(&body["schema"])))
        .collect();
    if !bodies.is_empty() {
        let _ = write!(page, "\nBody: {}\n", bodies.join("; "));
    }
    let answers = members(&call["responses"]).filter(|(_, answer)| answer["$ref"].is_null());
    let _ = write!(page, "\n{}", head(&["answer", "body", "meaning"]));
    for (status, answer) in answers {
        let bodies: Vec<_> = members(&answer["content"])
            .map(|(_, body)| kind(&body["schema"]))
            .collect();
        page.push_str(&row(&[
            status,
            &bodies.join("; "),
            text(answer, "/description"),
        ]));
    }
}

fn describe_type(name: &str, schema: &Value, page: &mut String) {
    let _ = write!(page, "\n### {name}\n\n{}\n", text(schema, "/description"));
    if schema["properties"].is_null() {
        describe_alternatives(schema, page);
        return;
    }
    let required = schema["required"].as_array();
    let is_required =
        |field: &str| required.is_some_and(|names| names.iter().any(|name| name == field));
    let _ = write!(page, "\n{}", head(&["field", "type", "meaning"]));
    for (field, value) in members(&schema["properties"]) {
        let mark = if is_required(field) { "" } else { " ?" };
        let name = format!("{}{mark}", code(field));
        page.push_str(&row(&[&name, &kind(value), text(value, "/description")]));
    }
}

/// Adds a type that is one of several objects, told apart by their `type`; or any other in a few words.
fn describe_alternatives(schema: &Value, page: &mut String) {
    let choices = ["oneOf", "anyOf"].map(|choice| schema[choice].as_array());
    let choices = choices.into_iter().flatten().next();
    let Some(choices) =
        choices.filter(|choices| choices.iter().all(|one| one["properties"].is_object()))
    else {
        let _ = writeln!(page, "\n{}", kind(schema));
        return;
    };
    page.push_str("\nOne of:\n\n");
    for choice in choices {
        let fields: Vec<_> = members(&choice["properties"])
            .map(|(name, value)| match &value["enum"] {
                Value::Array(values) if values.len() == 1 => {
                    format!("{} {}", code(name), kind(value))
                }
                _ => code(name),
            })
            .collect();
        let _ = writeln!(page, "- {}", fields.join(", "));
    }
}

/// Returns a schema in a few words, with links to the types of this page.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"]
        .as_str()
        .and_then(|path| path.rsplit('/').next())
    {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<_> = values
            .iter()
            .map(|value| code(value.as_str().unwrap_or_default()))
            .collect();
        return values.join(", ");
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        if let Some(choices) = schema[choice].as_array() {
            let choices: Vec<_> = choices.iter().map(kind).collect();
            return choices.join(" or ");
        }
    }
    let names: Vec<_> = match &schema["type"] {
        Value::String(name) => vec![name.as_str()],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => vec!["any JSON"],
    };
    let mut kind = names.join(" or ");
    if schema["items"].is_object() {
        kind = kind.replace(
            "array",
            &format!("list of {}", self::kind(&schema["items"])),
        );
    }
    if schema["properties"].is_object() {
        let fields: Vec<_> = members(&schema["properties"])
            .map(|(name, _)| code(name))
            .collect();
        let _ = write!(kind, " with {}", fields.join(", "));
    }
    let number = |name: &str| (!schema[name].is_null()).then(|| schema[name].to_string());
    let bounds = [
        ("minimum", "from"),
        ("maximum", "to"),
        ("default", "default"),
    ];
    for (name, word) in bounds {
        if let Some(value) = number(name) {
            let _ = write!(kind, ", {word} {value}");
        }
    }
    kind
}

#[test]
fn generated_api() {
    let document = crate::api::document();
    let document = serde_json::from_slice(&document).expect("the document is JSON");
    in_step("docs/reference/api.md", &page(&document));
}
