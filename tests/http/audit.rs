//! What was done in a token's name is in the journal, whatever becomes of who asked for it.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use support::{Answer, Service, Setup, eventually};

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

/// Sends a request and reads nothing; who drops the socket has hung up.
async fn ask(service: &Service, token: &str, method: &str, path: &str) -> TcpStream {
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
    socket
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
        let mut sockets = Vec::new();
        for id in &left {
            let path = format!("/api/v1/tasks/{id}");
            sockets.push(ask(&service, &alice, "DELETE", &path).await);
        }
        // Some are done by now, some are under way, and of some the service has heard nothing yet.
        drop(sockets);
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
        let path = "/api/v1/tasks?status=COMPLETED";
        let socket = ask(&service, &alice, "DELETE", path).await;
        let left = "SELECT count(*) FROM tasks";
        let left = service.database().await.number(left).await;
        drop(socket);
        (left == 0).then_some(())
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
        let mut sockets = Vec::new();
        for path in &paths {
            sockets.push(ask(&service, &alice, "POST", path).await);
        }
        drop(sockets);
        (service.database().await.number(running).await == 0).then_some(())
    })
    .await;
    let told = "SELECT json_extract(data, '$.by') FROM logs WHERE type = 'TASK_ABORTED'";
    let mut database = service.database().await;
    assert_eq!(database.texts(told).await, ["alice", "alice", "alice"]);
}

/// Ignores SIGTERM, so that a stop takes its time.
const DEAF: &str = "[processors.deaf]\nkind = \"command\"\nprogram = \"sh\"\n\
    args = [\"-c\", \"trap '' TERM; echo deaf >&2; while :; do sleep 0.05; done\"]\n";

#[tokio::test]
async fn an_emergency_stop_comes_to_its_end_also_if_the_client_is_gone() {
    let setup = Setup::new().setting("auth", "\"required\"").table(DEAF);
    let setup = setup.setting("max_concurrent_tasks", 1);
    let alice = setup.create_token(&["alice", "--role", "admin"]);
    let service = setup.start().await;
    submit(&service, &alice, "deaf").await;
    submit(&service, &alice, "echo").await;
    let count = async |rows: &str| {
        let rows = format!("SELECT count(*) FROM {rows}");
        service.database().await.number(&rows).await
    };
    let until = async |what: &str, rows: &str| {
        eventually(what, async || (count(rows).await > 0).then_some(())).await;
    };
    until("it is deaf", "logs WHERE message LIKE '%deaf'").await;
    let path = "/api/v1/queue/emergency-stop";
    let socket = ask(&service, &alice, "POST", path).await;
    until("the stop has begun", "meta WHERE key = 'pause'").await;
    drop(socket);
    until("the stop is told", "logs WHERE type = 'EMERGENCY_STOP'").await;
    assert_eq!(count("tasks WHERE status = 'FAILED'").await, 2);
}
