//! Tokens that are for some processors alone, and what each token has for itself.

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use support::{Answer, Service, Setup, in_time};

const NOBODY: &str = "0190a6e2-7b5c-7d20-9a3c-5f2e8b1d4c6a";

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

type Answered = Result<(WebSocketStream<MaybeTlsStream<TcpStream>>, Response), Error>;

/// Asks for the events of one task.
async fn socket(service: &Service, token: &str, id: &str) -> Answered {
    let url = format!("ws://{}/ws/events?task_id={id}", service.authority());
    let mut request = url.into_client_request().unwrap();
    let value = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert("authorization", value);
    in_time("a socket answers", connect_async(request)).await
}

#[tokio::test]
async fn a_task_that_is_not_there_yet_may_become_another_processors() {
    let setup = setup();
    let one = setup.create_token(&["one", "--role", "submit", "--processor", "one"]);
    let service = setup.start().await;
    match socket(&service, &one, NOBODY).await {
        Err(Error::Http(answer)) => assert_eq!(answer.status(), 404),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_task_that_becomes_another_processors_is_told_no_more() {
    let setup = setup();
    let all = setup.create_token(&["all", "--role", "admin"]);
    let one = setup.create_token(&["one", "--role", "submit", "--processor", "one"]);
    let service = setup.start().await;
    let mine = json!({"content": "mine", "processor": "one"});
    let mine = post(&service, &one, "/api/v1/tasks", &mine).await;
    let mine = mine.expect(201)["task_id"].as_str().unwrap().to_owned();
    let (mut socket, _) = socket(&service, &one, &mine).await.expect("a socket");
    let welcome = in_time("a frame", socket.next()).await.unwrap().unwrap();
    assert!(welcome.is_text());
    let stream = service.request(Method::GET, &format!("/api/v1/tasks/{mine}/stream"));
    let mut stream = stream.bearer_auth(&one).send().await.unwrap();
    let first = in_time("an event", stream.chunk()).await.unwrap().unwrap();
    assert!(first.starts_with(b"event:task_update"), "{first:?}");

    let theirs = json!({"tasks": [{
        "id": mine, "content": "theirs", "processor": "two", "status": "COMPLETED",
        "result": "theirs", "created_at": "2026-01-01T00:00:00Z", "logs": ["theirs"],
    }]});
    let done = post(&service, &all, "/api/v1/import?replace=true", &theirs).await;
    assert_eq!(done.expect(200)["replaced"], 1);
    let mut told = String::new();
    while let Some(Ok(message)) = in_time("the socket ends", socket.next()).await {
        if let Message::Text(text) = message {
            told += &text;
        }
    }
    assert!(!told.contains("theirs"), "{told}");
    let rest = in_time("the stream ends", stream.bytes()).await.unwrap();
    let rest = String::from_utf8(rest.to_vec()).unwrap();
    assert!(rest.contains("event:task_missing"), "{rest}");
    assert!(!rest.contains("theirs"), "{rest}");
}

#[tokio::test]
async fn a_mistake_tells_no_names_of_other_processors() {
    let setup = setup().table("[processors.gone]\nkind = \"worker\"");
    let all = setup.create_token(&["all", "--role", "operate"]);
    let words = [
        "--role",
        "operate",
        "--processor",
        "one",
        "--processor",
        "gone",
    ];
    let token = setup.create_token(&[&["few"], &words[..]].concat());
    let service = setup.start().await;
    let settings = service.setup().folder().join("venom.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(
        &settings,
        text.replace("processors.gone", "processors.came"),
    )
    .unwrap();
    let reloaded = post(&service, &all, "/api/v1/reload", &json!({})).await;
    reloaded.expect(200);
    let all_alike = "The token few is restricted to these processors: gone, one.";
    for name in ["nope", "two"] {
        let task = json!({"content": "x", "processor": name});
        let claim = json!({"processors": [name], "wait": 0});
        let pause = json!({"processor": name});
        for (path, body) in [
            ("/api/v1/tasks", &task),
            ("/api/v1/worker/claim", &claim),
            ("/api/v1/queue/pause", &pause),
            ("/api/v1/queue/resume", &pause),
        ] {
            let answer = post(&service, &token, path, body).await;
            assert_eq!(answer.sentence(403), all_alike, "{path} {name}");
        }
    }
    let task = json!({"content": "x", "processor": "gone"});
    let answer = post(&service, &token, "/api/v1/tasks", &task).await;
    let expected = "Input should be the name of a configured processor: one";
    assert_eq!(answer.problem()["msg"], expected);
    let claim = json!({"processors": ["gone"], "wait": 0});
    let answer = post(&service, &token, "/api/v1/worker/claim", &claim).await;
    let expected = "Input should be the name of a processor of kind worker: one";
    assert_eq!(answer.problem()["msg"], expected);
}
