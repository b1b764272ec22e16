//! `/openapi.json` says what the service does: held against the service itself.

use std::collections::BTreeSet;

use reqwest::Method;
use reqwest::header::{ALLOW, CONTENT_TYPE};
use serde_json::{Value, json};

use support::{Answer, Document, Operation, Service, Setup};

const NOBODY: &str = "0190a6e2-7b5c-7d20-9a3c-5f2e8b1d4c6a";
const ROLES: [&str; 4] = ["read", "submit", "operate", "admin"];

/// Calls that look at no parameter.
const CARELESS: [&str; 5] = [
    "/healthz",
    "/readyz",
    "/openapi.json",
    "/docs",
    "/api/v1/tasks/{task_id}/stream",
];

#[tokio::test]
async fn each_path_has_the_methods_that_the_document_has() {
    let service = Service::start().await;
    let document = Document::of(&service).await;
    assert_eq!(document.json()["openapi"], "3.1.0");
    let mut ids = BTreeSet::new();
    let operations = document.operations();
    for operation in &operations {
        let id = operation.what["operationId"].as_str().expect("an id");
        assert!(ids.insert(id), "{id} is there twice");
        let path = operation.path_of(NOBODY);
        let answer = Answer::of(service.request(Method::PUT, &path)).await;
        assert_eq!(answer.status, 405, "{path}");
        let allowed = answer.headers[ALLOW].to_str().expect("ASCII").split(',');
        let allowed: BTreeSet<_> = allowed.filter(|method| *method != "HEAD").collect();
        let said = operations.iter().filter(|it| it.path == operation.path);
        let said: BTreeSet<_> = said.map(|it| it.method.as_str()).collect();
        assert_eq!(allowed, said, "{path}");
    }
    assert!(operations.len() > 40, "{}", operations.len());
    service.ends_well().await;
}

/// The names in `…; expected one of a, b`, sorted; none in `…; this call takes none`.
fn names_of(problem: &Value) -> Vec<String> {
    let msg = problem["msg"].as_str().expect("a message");
    let names = msg.split_once("expected one of ").map(|(_, names)| names);
    let names = names.or_else(|| msg.split_once("expected ").map(|(_, name)| name));
    let mut names: Vec<_> = names
        .into_iter()
        .flat_map(|names| names.split(", "))
        .map(str::to_owned)
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn each_call_takes_the_parameters_that_the_document_has() {
    let service = Service::start().await;
    let id = service.submit("hello").await;
    let example = |document: &Document, operation: &Operation| {
        let schema = document.body_schema(operation);
        schema.map_or(Value::Null, |schema| schema["examples"][0].clone())
    };
    let document = Document::of(&service).await;
    for operation in document.operations() {
        let path = format!("{}?unheard=of", operation.path_of(&id));
        let request = service.request(operation.method.clone(), &path);
        let answer = Answer::of(request.json(&example(&document, &operation))).await;
        let said = operation.parameters("query");
        if CARELESS.contains(&operation.path.as_str()) {
            assert_eq!((answer.status, said), (200, Vec::new()), "{path}");
            continue;
        }
        let problem = answer.problem();
        assert_eq!(problem["loc"], json!(["query", "unheard"]), "{path}");
        assert_eq!(names_of(&problem), said, "{path}");
    }
    service.ends_well().await;
}

#[tokio::test]
async fn each_body_takes_the_fields_that_the_document_has() {
    let service = Service::with_worker("").await;
    let id = service.submit("hello").await;
    let document = Document::of(&service).await;
    for operation in document.operations() {
        let Some(schema) = document.body_schema(&operation) else {
            continue;
        };
        let properties = schema["properties"].as_object().expect("fields").keys();
        let mut properties: Vec<_> = properties.cloned().collect();
        properties.sort();
        let mut body = schema["examples"][0].clone();
        body["unheard_of"] = json!(1);
        let request = service.request(operation.method.clone(), &operation.path_of(&id));
        let answer = Answer::of(request.json(&body)).await;
        if schema["additionalProperties"] == json!(false) {
            assert_eq!(
                names_of(&answer.problem()),
                properties,
                "{}",
                operation.path
            );
        } else {
            assert!(answer.status < 300, "{}: {answer:?}", operation.path);
        }
    }
    service.ends_well().await;
}

/// A service with a task for each call of a worker, which has claimed it.
async fn with_claimed_tasks(count: usize) -> (Service, Vec<String>) {
    let service = Service::with_worker("").await;
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(service.submit_to("outside", "work").await);
    }
    let claim = json!({ "processors": ["outside"], "limit": count, "wait": 5 });
    let mut claimed = 0;
    while claimed < count {
        let answer = service.post_json("/api/v1/worker/claim", &claim).await;
        claimed += answer.expect(200)["tasks"].as_array().expect("tasks").len();
    }
    (service, ids)
}

#[tokio::test]
async fn examples_of_requests_are_taken() {
    let (service, mut ids) = with_claimed_tasks(5).await;
    let document = Document::of(&service).await;
    let mut sent = 0;
    for operation in document.operations() {
        let Some(content) = operation.what["requestBody"]["content"].as_object() else {
            continue;
        };
        let id = match operation.path.contains("{task_id}") {
            true => ids.pop().expect("a task for each"),
            false => String::new(),
        };
        for (content_type, kind) in content {
            let example = match kind["example"].as_str() {
                Some(text) => text.to_owned(),
                None => {
                    let schema = document.resolved(&kind["schema"]);
                    assert!(schema["examples"][0].is_object(), "{}", operation.name());
                    schema["examples"][0].to_string()
                }
            };
            let request = service.request(operation.method.clone(), &operation.path_of(&id));
            let request = request.header(CONTENT_TYPE, content_type).body(example);
            let answer = Answer::of(request).await;
            let found = answer.headers.get(CONTENT_TYPE);
            let found = found.map(|value| value.to_str().expect("ASCII"));
            let is_said = document.allows(&operation, answer.status, found);
            assert!(is_said, "{}: {answer:?}", operation.name());
            // There is no Hive here that could be told.
            let is_taken = answer.status < 300 || operation.path == "/api/v1/hive/broadcast";
            assert!(is_taken, "{}: {answer:?}", operation.name());
            sent += 1;
        }
    }
    assert_eq!(sent, 13);
    service.ends_well().await;
}

#[tokio::test]
async fn examples_have_the_fields_of_their_schemas() {
    let service = Service::start().await;
    let document = Document::of(&service).await;
    let mut checked = 0;
    for (name, schema) in document.json()["components"]["schemas"]
        .as_object()
        .expect("schemas")
    {
        let examples = schema["examples"].as_array().into_iter().flatten();
        for example in examples.filter_map(Value::as_object) {
            let required = schema["required"].as_array().into_iter().flatten();
            for field in required.filter_map(Value::as_str) {
                assert!(example.contains_key(field), "{name} has {field}");
            }
            let is_open = schema["additionalProperties"].is_object();
            for field in example.keys().filter(|_| !is_open) {
                assert!(
                    !schema["properties"][field].is_null(),
                    "{name} has no {field}"
                );
            }
            checked += 1;
        }
    }
    assert!(checked > 12, "{checked}");
    service.ends_well().await;
}

/// Values at and beyond the limits of a field, by what the schema says: the first are taken, the others
/// are not.
fn limits_of(schema: &Value) -> (Vec<Value>, Vec<Value>) {
    let is_whole = schema["type"].to_string().contains("integer");
    let number = |value: f64| match is_whole {
        true => json!(value as i64),
        false => json!(value),
    };
    let step: f64 = if is_whole { 1.0 } else { 0.0005 };
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    if let Some(most) = schema["maximum"].as_f64() {
        taken.push(number(most));
        refused.push(number(most + step.max(most * 1e-6)));
    }
    if let Some(least) = schema["minimum"].as_f64() {
        taken.push(number(least));
        refused.push(number(least - step));
    }
    if let Some(most) = schema["maxLength"].as_u64() {
        taken.push(json!("é".repeat(most as usize)));
        refused.push(json!("é".repeat(most as usize + 1)));
    }
    if schema["minLength"] == 1 {
        taken.push(json!("x"));
        refused.push(json!(""));
    }
    (taken, refused)
}

#[tokio::test]
async fn limits_of_fields_are_those_of_the_document() {
    let service = Service::with_worker("").await;
    let id = service.submit_to("outside", "work").await;
    let document = Document::of(&service).await;
    let mut checked = 0;
    for operation in document.operations() {
        let Some(schema) = document.body_schema(&operation) else {
            continue;
        };
        let path = operation.path_of(&id);
        for (name, field) in schema["properties"].as_object().expect("fields") {
            let (taken, refused) = limits_of(field);
            let mut body = schema["examples"][0].clone();
            for value in taken.iter().filter(|_| name != "wait") {
                body[name] = value.clone();
                let answer = service.post_json(&path, &body).await;
                assert_ne!(answer.status, 422, "{path} {name}={value}");
                checked += 1;
            }
            for value in &refused {
                body[name] = value.clone();
                let problem = service.post_json(&path, &body).await.problem();
                assert_eq!(problem["loc"], json!(["body", name]), "{path} {value}");
                checked += 1;
            }
        }
    }
    assert!(checked > 30, "{checked}");
    service.ends_well().await;
}

#[tokio::test]
async fn limits_of_parameters_are_those_of_the_document() {
    let service = Service::start().await;
    let id = service.submit("hello").await;
    service.finished(&id).await;
    let document = Document::of(&service).await;
    let mut checked = 0;
    for operation in document.operations() {
        let parameters = operation.what["parameters"].as_array();
        let parameters = parameters.into_iter().flatten();
        for parameter in parameters.filter(|it| it["in"] == "query") {
            let name = parameter["name"].as_str().expect("a name");
            let (taken, refused) = limits_of(&parameter["schema"]);
            for (values, is_taken) in [(taken, true), (refused, false)] {
                for value in values {
                    let text = value.as_str().map_or(value.to_string(), str::to_owned);
                    let query = serde_urlencoded::to_string([(name, text)]).expect("a query");
                    let path = format!("{}?{query}", operation.path_of(&id));
                    let body = json!({ "content": "hello" });
                    let request = service.request(operation.method.clone(), &path);
                    let answer = Answer::of(request.json(&body)).await;
                    assert_eq!(answer.status != 422, is_taken, "{path} {name}={value}");
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 15, "{checked}");
    service.ends_well().await;
}

#[tokio::test]
async fn each_call_needs_the_role_that_the_document_has() {
    let setup = Setup::new()
        .worker_processor("")
        .setting("auth", "\"required\"");
    let tokens = ROLES.map(|role| setup.create_token(&[role, "--role", role]));
    let confined = setup.create_token(&["some", "--role", "admin", "--processor", "outside"]);
    let service = setup.start().await;
    // The document is no secret.
    let document = Document::of(&service).await;
    for operation in document.operations() {
        let call = async |token: Option<&str>| {
            let path = operation.path_of(NOBODY);
            let request = service.request(operation.method.clone(), &path);
            let request = match token {
                Some(token) => request.bearer_auth(token),
                None => request,
            };
            Answer::of(request.json(&json!({ "token": "" }))).await
        };
        let name = operation.name();
        let Some(needed) = operation.role() else {
            let sentence = call(None).await;
            assert!(
                !sentence
                    .text()
                    .contains("This service requires authentication"),
                "{name}"
            );
            continue;
        };
        assert_eq!(call(None).await.status, 401, "{name}");
        let weakest = ROLES.iter().position(|role| *role == needed);
        for (index, token) in tokens.iter().enumerate() {
            let answer = call(Some(token)).await;
            let is_weak = answer.status == 403 && answer.text().contains("requires the role");
            assert_eq!(is_weak, Some(index) < weakest, "{name}: {answer:?}");
        }
        let words = operation.what["description"].as_str().expect("words");
        if words.contains("for some processors alone is refused") {
            assert_eq!(call(Some(&confined)).await.status, 403, "{name}");
        } else {
            assert!(
                words.contains("for some processors alone will do"),
                "{name}"
            );
        }
    }
    service.stop().await;
}
