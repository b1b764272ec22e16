//! Pages of other origins that are let in by name, and what every answer tells browsers.

use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use support::{Answer, Service, Setup, in_time};

const APP: &str = "https://app.example.org";
const ORIGINS: &str = "[\"https://app.example.org\", \"http://localhost:3000\"]";

fn from(origin: &str, request: RequestBuilder) -> RequestBuilder {
    let request = request.header("origin", origin);
    request.header("sec-fetch-site", "cross-site")
}

async fn preflight(service: &Service, origin: &str) -> Answer {
    let request = service.request(Method::OPTIONS, "/api/v1/tasks");
    let request = request
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,content-type",
        );
    Answer::of(from(origin, request)).await
}

#[tokio::test]
async fn the_line_of_the_guide_lets_the_originals_front_end_in() {
    let page = include_str!("../../docs/operate/migrate.md");
    let lines = page
        .lines()
        .find_map(|line| line.strip_prefix("cors_origins = "));
    let service = Setup::new()
        .setting("cors_origins", lines.expect("the line"))
        .start()
        .await;
    for port in [3000, 3100] {
        for host in ["localhost", "127.0.0.1"] {
            let origin = format!("http://{host}:{port}");
            let answer = preflight(&service, &origin).await;
            assert_eq!(answer.status, 204, "{origin}");
            assert_eq!(answer.headers["access-control-allow-origin"], origin);
        }
    }
}

#[tokio::test]
async fn a_page_that_is_let_in_asks_first_and_then_shows_its_token() {
    let setup = Setup::new()
        .setting("auth", "\"required\"")
        .setting("cors_origins", ORIGINS);
    let token = setup.create_token(&["alice", "--role", "submit"]);
    let service = setup.start().await;

    let answer = preflight(&service, APP).await;
    assert_eq!((answer.status, answer.text()), (204, ""));
    for (name, value) in [
        ("access-control-allow-origin", APP),
        ("access-control-allow-methods", "GET, HEAD, POST, DELETE"),
        ("access-control-max-age", "600"),
        ("vary", "Origin"),
    ] {
        assert_eq!(answer.headers[name], value, "{name}");
    }
    let headers = &answer.headers["access-control-allow-headers"];
    for name in ["Authorization", "Content-Type", "Idempotency-Key"] {
        assert!(headers.to_str().unwrap().contains(name), "{headers:?}");
    }
    assert!(
        !answer
            .headers
            .contains_key("access-control-allow-credentials")
    );

    let submit = |origin| from(origin, service.request(Method::POST, "/api/v1/tasks"));
    let body = json!({"content": "hello"});
    let answer = Answer::of(submit(APP).bearer_auth(&token).json(&body)).await;
    answer.expect(201);
    assert_eq!(answer.headers["access-control-allow-origin"], APP);
    let exposed = answer.headers["access-control-expose-headers"].to_str();
    assert!(exposed.unwrap().contains("Retry-After"));
    // Errors can be read too.
    let answer = Answer::of(submit(APP).json(&body)).await;
    answer.sentence(401);
    assert_eq!(answer.headers["access-control-allow-origin"], APP);

    // A cookie does nothing for it, with whatever proof.
    let body_of_login = json!({ "token": token });
    let login = service.post_json("/api/v1/login", &body_of_login).await;
    let session = login.expect(200);
    let cookie = login.headers["set-cookie"].to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let proof = session["csrf_token"].as_str().unwrap();
    for method in [Method::GET, Method::POST] {
        let request = from(APP, service.request(method, "/api/v1/tasks"));
        let request = request
            .header("cookie", cookie)
            .header("x-csrf-token", proof);
        Answer::of(request.json(&body)).await.sentence(401);
    }
    // What names another host is refused all the same.
    let request = submit(APP).header("host", "evil.example");
    Answer::of(request.bearer_auth(&token).json(&body))
        .await
        .sentence(403);
}

#[tokio::test]
async fn the_own_page_keeps_its_cookie_where_its_origin_is_listed_too() {
    let setup = Setup::new()
        .setting("auth", "\"required\"")
        .setting("cors_origins", ORIGINS);
    let token = setup.create_token(&["alice", "--role", "admin"]);
    let service = setup.start().await;
    let own = service.url("");
    service.rewrite(|text| text.replace(APP, &own));
    let reload = service.request(Method::POST, "/api/v1/reload");
    let reloaded = Answer::of(reload.bearer_auth(&token)).await.expect(200);
    assert_eq!(reloaded["applied"], json!(["cors_origins"]));
    let read = |origin: &str| {
        let request = service.request(Method::GET, "/api/v1/tasks");
        let request = request.header("cookie", format!("venom_token={token}"));
        Answer::of(request.header("origin", origin))
    };
    read(&own).await.expect(200);
    read("http://localhost:3000").await.sentence(401);
    read(APP).await.sentence(403);
}

#[tokio::test]
async fn any_other_page_is_refused_as_before() {
    let service = Setup::new().setting("cors_origins", ORIGINS).start().await;
    for origin in [
        "https://app.example.org.evil.example",
        "https://app.example.org:8443",
        "http://app.example.org",
        "null",
        "*",
    ] {
        let answer = preflight(&service, origin).await;
        answer.sentence(403);
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
        let read = from(origin, service.request(Method::GET, "/api/v1/tasks"));
        Answer::of(read).await.sentence(403);
    }
    // The own page, and a program, hear that others might hear something else.
    let answer = service.get("/api/v1/tasks").await;
    answer.expect(200);
    assert_eq!(answer.headers["vary"], "Origin");
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
    let own = service.url("");
    let request = service.request(Method::GET, "/api/v1/tasks");
    Answer::of(request.header("origin", own)).await.expect(200);
}

#[tokio::test]
async fn without_the_setting_nothing_is_said_of_origins() {
    let service = Service::start().await;
    preflight(&service, APP).await.sentence(403);
    let answer = service.get("/api/v1/tasks").await;
    answer.expect(200);
    for name in ["access-control-allow-origin", "vary"] {
        assert!(!answer.headers.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn a_page_that_is_let_in_listens_with_its_token_as_a_protocol() {
    let setup = Setup::new()
        .setting("auth", "\"required\"")
        .setting("cors_origins", ORIGINS);
    let token = setup.create_token(&["alice", "--role", "read"]);
    let service = setup.start().await;
    let connect = async |origin: &str, protocols: &str| {
        let url = format!("ws://{}/ws/events", service.authority());
        let mut request = url.into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("origin", origin.parse().unwrap());
        headers.insert("sec-websocket-protocol", protocols.parse().unwrap());
        match in_time("a socket answers", connect_async(request)).await {
            Ok((_, answer)) => {
                let chosen = answer.headers().get("sec-websocket-protocol");
                (101, chosen.map(|name| name.to_str().unwrap().to_owned()))
            }
            Err(Error::Http(answer)) => (answer.status().as_u16(), None),
            Err(error) => panic!("{error}"),
        }
    };
    let with_token = format!("venom.events, bearer.{token}");
    let chosen = Some("venom.events".to_owned());
    assert_eq!(connect(APP, &with_token).await, (101, chosen));
    assert_eq!(connect(APP, "venom.events, bearer.venom_x").await.0, 401);
    assert_eq!(connect("https://evil.example", &with_token).await.0, 403);
}

#[tokio::test]
async fn every_answer_tells_browsers_to_run_frame_and_keep_nothing() {
    let service = Service::start().await;
    let id = service.submit("hello").await;
    service.finished(&id).await;
    let stream = format!("/api/v1/tasks/{id}/stream");
    for (path, status) in [
        ("/api/v1/tasks", 200),
        ("/api/v1/export", 200),
        ("/metrics", 200),
        ("/healthz", 200),
        ("/nowhere", 404),
        ("/ws/events", 426),
        ("/api/v1/tasks?limit=0", 422),
        (stream.as_str(), 200),
    ] {
        let answer = service.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        let told = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
        let policy = "default-src 'none'; frame-ancestors 'none'";
        assert_eq!(told("content-security-policy"), policy, "{path}");
        assert_eq!(told("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(told("referrer-policy"), "no-referrer", "{path}");
        let kept = told("cache-control");
        assert!(
            ["no-store", "no-cache"].contains(&kept.as_str()),
            "{path}: {kept}"
        );
    }
    let refused = service.request(Method::GET, "/").header("origin", APP);
    let refused = Answer::of(refused).await;
    refused.sentence(403);
    assert_eq!(refused.headers["x-content-type-options"], "nosniff");
    // The dashboard has a policy of its own.
    let page = service.get("/").await;
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("script-src 'self'"), "{policy}");
    assert_eq!(page.headers["cache-control"], "no-cache");
}
