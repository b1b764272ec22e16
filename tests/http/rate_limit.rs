//! How much one client may ask: requests by token or address, and wrong tokens.

use reqwest::Method;
use serde_json::{Value, json};

use support::{Answer, Service, Setup};

/// So slow that no token of a bucket comes back while a test runs.
const THREE_A_DAY: &str = "\"3/d\"";
const REQUIRED: &str = "\"required\"";
const STATUS: &str = "/api/v1/queue/status";

async fn ask(service: &Service, headers: &[(&str, &str)]) -> Answer {
    let mut request = service.request(Method::GET, STATUS);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request).await
}

async fn with_token(service: &Service, token: &str) -> Answer {
    Answer::of(service.request(Method::GET, STATUS).bearer_auth(token)).await
}

/// Seconds after which a refused client may come again.
#[track_caller]
fn retry_after(answer: &Answer) -> u64 {
    let sentence = answer.sentence(429);
    let seconds = answer.headers["retry-after"].to_str().unwrap();
    assert!(
        sentence.ends_with(&format!("Try again in {seconds} s.")),
        "{sentence}"
    );
    seconds.parse().unwrap()
}

#[tokio::test]
async fn an_address_has_its_number_of_requests_and_health_is_free() {
    let service = Setup::new()
        .setting("rate_limit", THREE_A_DAY)
        .start()
        .await;
    for _ in 0..3 {
        ask(&service, &[]).await.expect(200);
    }
    let refused = ask(&service, &[]).await;
    assert!((28_000..=28_800).contains(&retry_after(&refused)));
    assert!(refused.sentence(429).starts_with("More than 3/d requests."));
    // Whoever writes headers of a proxy is believed nothing, and whatever is asked counts.
    assert_eq!(
        ask(&service, &[("x-forwarded-for", "192.0.2.1")])
            .await
            .status,
        429
    );
    let task = json!({"content": "hello"});
    for path in ["/", "/metrics", "/nowhere"] {
        assert_eq!(service.get(path).await.status, 429, "{path}");
    }
    assert_eq!(service.post_json("/api/v1/tasks", &task).await.status, 429);
    for path in ["/healthz", "/readyz"] {
        service.get(path).await.expect(200);
    }
}

#[tokio::test]
async fn a_proxy_tells_its_clients_apart() {
    let service = Setup::new()
        .setting("rate_limit", THREE_A_DAY)
        .setting("trusted_proxies", "[\"127.0.0.1\", \"10.0.0.0/8\"]")
        .start()
        .await;
    let from = async |hops: &str| ask(&service, &[("x-forwarded-for", hops)]).await.status;
    for n in 0..3 {
        // What the client has invented stands first, and makes no other client of it.
        assert_eq!(
            from(&format!("192.0.2.{n}, 198.51.100.1, 10.0.0.7")).await,
            200
        );
    }
    assert_eq!(from("192.0.2.9, 198.51.100.1").await, 429);
    assert_eq!(from("198.51.100.2").await, 200);
    for n in 0..3 {
        assert_eq!(from(&format!("2001:db8:0:1::{n}")).await, 200);
    }
    assert_eq!(from("2001:db8:0:1:ffff::1").await, 429);
    assert_eq!(from("2001:db8:0:2::1").await, 200);
}

#[tokio::test]
async fn each_token_has_its_own_number() {
    let setup = Setup::new()
        .setting("auth", REQUIRED)
        .setting("rate_limit", THREE_A_DAY);
    let tokens = ["one", "two"].map(|name| setup.create_token(&[name, "--role", "read"]));
    let service = setup.start().await;
    for token in &tokens {
        for _ in 0..3 {
            with_token(&service, token).await.expect(200);
        }
        retry_after(&with_token(&service, token).await);
    }
    // Who has none is counted by address.
    for _ in 0..3 {
        ask(&service, &[]).await.sentence(401);
    }
    retry_after(&ask(&service, &[]).await);
}

#[tokio::test]
async fn a_socket_and_a_stream_are_one_request_each() {
    let service = Setup::new()
        .setting("rate_limit", THREE_A_DAY)
        .start()
        .await;
    let id = service.submit("hello").await;
    let mut listener = service.listen("?since=0").await;
    listener.until("TASK_COMPLETED", &id).await;
    let stream = service.follow(&id, None).await;
    assert!(!stream.rest().await.is_empty());
    retry_after(&ask(&service, &[]).await);
    let socket = service.get("/ws/events").await;
    retry_after(&socket);
}

#[tokio::test]
async fn a_limit_changes_while_the_service_runs() {
    let service = Setup::new()
        .setting("rate_limit", THREE_A_DAY)
        .start()
        .await;
    // One is left for the reload.
    for _ in 0..2 {
        ask(&service, &[]).await.expect(200);
    }
    service.rewrite(|text| text.replace("\"3/d\"", "\"off\""));
    assert_eq!(service.reload_well().await, json!(["rate_limit"]));
    for _ in 0..5 {
        ask(&service, &[]).await.expect(200);
    }
    service.rewrite(|text| text.replace("\"off\"", "\"1/d\""));
    assert_eq!(service.reload_well().await, json!(["rate_limit"]));
    assert_eq!(ask(&service, &[]).await.status, 429);
}

/// Sends wrong tokens until they are not looked at any more.
async fn guess(service: &Service, from: &str) -> Answer {
    for _ in 0..200 {
        let request = service
            .request(Method::GET, STATUS)
            .bearer_auth("venom_wrong");
        let answer = Answer::of(request.header("x-forwarded-for", from)).await;
        if answer.status != 401 {
            return answer;
        }
    }
    panic!("wrong tokens are looked at for ever");
}

#[tokio::test]
async fn who_guesses_tokens_is_not_told_when_one_is_right() {
    let setup = Setup::new()
        .setting("auth", REQUIRED)
        .setting("trusted_proxies", "[\"127.0.0.1\"]");
    let known = setup.create_token(&["known", "--role", "read"]);
    let fresh: Vec<_> = (0..20)
        .map(|n| setup.create_token(&[&format!("fresh-{n}"), "--role", "read"]))
        .collect();
    let service = setup.start().await;
    let try_from = async |token: &str, from: &str| {
        let request = service.request(Method::GET, STATUS).bearer_auth(token);
        Answer::of(request.header("x-forwarded-for", from)).await
    };
    try_from(&known, "192.0.2.1").await.expect(200);
    let refused = guess(&service, "192.0.2.1").await;
    assert!((1..=3).contains(&retry_after(&refused)));
    assert!(
        refused
            .sentence(429)
            .starts_with("More than 20/m wrong tokens.")
    );

    // A right one looks like a wrong one, unless it was let in from there before. On a slow machine a token
    // of the bucket may have come back just then.
    let mut statuses = Vec::new();
    for token in &fresh {
        guess(&service, "192.0.2.1").await;
        statuses.push(try_from(token, "192.0.2.1").await.status);
    }
    assert!(statuses.contains(&429), "{statuses:?}");
    try_from(&known, "192.0.2.1").await.expect(200);
    // So does a login.
    let mut statuses = Vec::new();
    for token in &fresh {
        guess(&service, "192.0.2.1").await;
        let body = json!({ "token": token });
        let request = service.request(Method::POST, "/api/v1/login").json(&body);
        let answer = Answer::of(request.header("x-forwarded-for", "192.0.2.1")).await;
        statuses.push(answer.status);
    }
    assert!(statuses.contains(&429), "{statuses:?}");
    // Elsewhere nothing has happened.
    for from in ["192.0.2.2", "2001:db8::1"] {
        try_from(&fresh[0], from).await.expect(200);
    }
    let log = service.setup().log();
    let warnings = log.matches("too many wrong tokens").count();
    assert!((1..=5).contains(&warnings), "{log}");
    assert!(
        log.contains("192.0.2.1") && !log.contains("venom_wrong"),
        "{log}"
    );
}

#[tokio::test]
async fn wrong_logins_count_too() {
    let setup = Setup::new().setting("auth", REQUIRED);
    setup.create_token(&["known", "--role", "read"]);
    let service = setup.start().await;
    let mut answers: Vec<u16> = Vec::new();
    while answers.last() != Some(&429) {
        assert!(answers.len() < 200, "{answers:?}");
        let wrong: Value = json!({ "token": "venom_x" });
        let answer = service.post_json("/api/v1/login", &wrong).await;
        answers.push(answer.status);
    }
    assert!(answers.len() > 20, "{answers:?}");
    assert!(
        answers[..answers.len() - 1]
            .iter()
            .all(|status| *status == 401)
    );
}
