//! Tokens that are for some processors alone, and what each token has for itself.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Service, Setup};

/// A service that asks for tokens, with the processors `one` and `two`.
fn setup() -> Setup {
    Setup::new()
        .setting("auth", "\"required\"")
        .table("[processors.one]\nkind = \"worker\"")
        .table("[processors.two]\nkind = \"worker\"")
}

async fn post(service: &Service, token: &str, path: &str, body: &Value) -> Answer {
    let request = service.request(Method::POST, path);
    Answer::of(request.bearer_auth(token).json(body)).await
}

async fn with_key(service: &Service, token: &str, path: &str, body: &Value) -> Answer {
    let request = service.request(Method::POST, path).bearer_auth(token);
    Answer::of(request.header("Idempotency-Key", "k").json(body)).await
}

#[tokio::test]
async fn each_token_has_idempotency_keys_of_its_own() {
    let setup = setup();
    let [alice, bob] = ["alice", "bob"].map(|name| setup.create_token(&[name, "--role", "submit"]));
    let service = setup.start().await;
    let path = "/api/v1/tasks";
    let (hers, his) = (json!({"content": "a"}), json!({"content": "b"}));
    let first = with_key(&service, &alice, path, &hers).await.expect(201);
    let other = with_key(&service, &bob, path, &his).await.expect(201);
    assert_ne!(first["task_id"], other["task_id"]);
    for (token, body, given) in [(&alice, &hers, &first), (&bob, &his, &other)] {
        let again = with_key(&service, token, path, body).await.expect(201);
        assert_eq!(again["task_id"], given["task_id"]);
    }
    let changed = with_key(&service, &bob, path, &hers).await;
    assert_eq!(changed.status, 422, "{}", changed.text());

    let many = json!({"tasks": [{"content": "a"}]});
    let batch = async |token: &str| {
        let request = service.request(Method::POST, "/api/v1/tasks/batch");
        let request = request.bearer_auth(token).header("Idempotency-Key", "m");
        Answer::of(request.json(&many)).await.expect(201)
    };
    let first = batch(&alice).await;
    assert_ne!(batch(&bob).await, first);
    assert_eq!(batch(&alice).await, first);
}
