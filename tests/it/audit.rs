//! What was done in a token's name is in the journal, whatever becomes of who asked for it.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::{Answer, Service, Setup, eventually};

/// A service that asks for tokens and lets tasks wait at gates; and the token of `alice`.
async fn service() -> (Service, String) {
    let setup = Setup::new().setting("auth", "\"required\"").gates();
    let alice = setup.create_token(&["alice", "--role", "admin"]);
    (setup.start().await, alice)
}

async fn submit(service: &Service, token: &str, processor: &str) -> String {
    let request = service.request(Method::POST, "/api/v1/tasks");
    let body = json!({"content": "x", "processor": processor});
    let answer = Answer::of(request.bearer_auth(token).json(&body)).await;
    answer.expect(201)["task_id"].as_str().unwrap().to_owned()
}

async fn import(service: &Service, token: &str, tasks: &Value) {
    let request = service.request(Method::POST, "/api/v1/import");
    let body = json!({ "tasks": tasks });
    Answer::of(request.bearer_auth(token).json(&body))
        .await
        .expect(200);
}

/// Sends a request and is gone before the answer.
async fn hang_up(service: &Service, token: &str, method: &str, path: &str) {
    let host = service.authority();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\
         content-length: 0\r\n\r\n"
    );
    let mut socket = TcpStream::connect(host).await.expect("a connection");
    socket
        .write_all(request.as_bytes())
        .await
        .expect("a request");
}

/// Finished tasks, as a dump has them.
fn finished(count: usize) -> Value {
    let tasks = (0..count).map(|n| {
        json!({
            "id": format!("0190a6e2-7b5c-7d20-9a3c-{n:012x}"), "content": "x", "status": "COMPLETED",
            "result": "y", "created_at": "2026-01-01T00:00:00Z", "logs": [],
        })
    });
    tasks.collect()
}

#[tokio::test]
async fn a_deletion_is_journalled_also_if_the_client_is_gone() {
    let (service, alice) = service().await;
    import(&service, &alice, &finished(40)).await;
    let mut database = service.database().await;
    eventually("all tasks are deleted", async || {
        let mut database = service.database().await;
        let left = database.texts("SELECT id FROM tasks").await;
        for id in &left {
            hang_up(&service, &alice, "DELETE", &format!("/api/v1/tasks/{id}")).await;
        }
        left.is_empty().then_some(())
    })
    .await;
    let told = "SELECT count(DISTINCT json_extract(data, '$.task_id')) FROM logs
                 WHERE json_extract(data, '$.done') = 'delete'
                   AND json_extract(data, '$.by') = 'alice'";
    assert_eq!(database.number(told).await, 40);

    // Of many at once, each chunk says how many.
    import(&service, &alice, &finished(150)).await;
    eventually("all tasks are deleted", async || {
        hang_up(&service, &alice, "DELETE", "/api/v1/tasks?status=COMPLETED").await;
        let left = "SELECT count(*) FROM tasks";
        (service.database().await.number(left).await == 0).then_some(())
    })
    .await;
    let told = "SELECT sum(json_extract(data, '$.tasks')) FROM logs
                 WHERE json_extract(data, '$.by') = 'alice'";
    assert_eq!(database.number(told).await, 150);
}

#[tokio::test]
async fn an_abort_says_who_asked_for_it_also_if_the_client_is_gone() {
    let (service, alice) = service().await;
    let mut paths = Vec::new();
    for _ in 0..3 {
        let id = submit(&service, &alice, "gate").await;
        service.at_gate(&id).await;
        paths.push(format!("/api/v1/queue/task/{id}/abort"));
    }
    let running = "SELECT count(*) FROM tasks WHERE status = 'PROCESSING'";
    eventually("the tasks are aborted", async || {
        for path in &paths {
            hang_up(&service, &alice, "POST", path).await;
        }
        (service.database().await.number(running).await == 0).then_some(())
    })
    .await;
    let told = "SELECT json_extract(data, '$.by') FROM logs WHERE type = 'TASK_ABORTED'";
    let mut database = service.database().await;
    assert_eq!(database.texts(told).await, ["alice", "alice", "alice"]);
}
