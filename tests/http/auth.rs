//! Tokens: who is let in, to what, and for how long.

use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use support::{Answer, Service, Setup, eventually, in_time};

const REQUIRED: &str = "\"required\"";
const NOBODY: &str = "0190a6e2-7b5c-7d20-9a3c-5f2e8b1d4c6a";

/// A service that asks for tokens.
fn closed() -> Setup {
    Setup::new().setting("auth", REQUIRED)
}

async fn call(service: &Service, token: &str, method: Method, path: &str) -> Answer {
    Answer::of(service.request(method, path).bearer_auth(token)).await
}

async fn submit(service: &Service, token: &str, body: &Value) -> Answer {
    let request = service.request(Method::POST, "/api/v1/tasks");
    Answer::of(request.bearer_auth(token).json(body)).await
}

async fn socket_status(service: &Service, query: &str, token: Option<&str>) -> u16 {
    let url = format!("ws://{}/ws/events{query}", service.authority());
    let mut request = url.into_client_request().unwrap();
    if let Some(token) = token {
        let value = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("authorization", value);
    }
    match in_time("a socket answers", connect_async(request)).await {
        Ok((_, answer)) => answer.status().as_u16(),
        Err(Error::Http(answer)) => answer.status().as_u16(),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn without_a_token_only_health_is_told() {
    let setup = closed();
    let token = setup.create_token(&["reader", "--role", "read"]);
    let service = setup.start().await;
    for path in ["/healthz", "/readyz"] {
        service.get(path).await.expect(200);
    }
    let calls = [
        (Method::GET, "/api/v1/tasks"),
        (Method::GET, "/api/v1/queue/status"),
        (Method::GET, "/api/v1/export"),
        (Method::GET, "/nowhere"),
        (Method::GET, "/ws/events"),
        (Method::POST, "/api/v1/tasks"),
        (Method::POST, "/api/v1/queue/purge"),
        (Method::POST, "/api/v1/worker/claim"),
        (Method::DELETE, "/api/v1/tasks"),
    ];
    for (method, path) in calls {
        let answer = Answer::of(service.request(method, path)).await;
        assert!(answer.sentence(401).contains("Authorization: Bearer"));
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
    for wrong in [
        "",
        "venom_",
        "venom_AAAA",
        &token[..token.len() - 1],
        &token.to_uppercase(),
    ] {
        let answer = call(&service, wrong, Method::GET, "/api/v1/tasks").await;
        let sentence = answer.sentence(401);
        assert!(wrong.len() < 8 || !sentence.contains(wrong), "{sentence}");
    }
    assert_eq!(socket_status(&service, "", None).await, 401);
    call(&service, &token, Method::GET, "/api/v1/tasks")
        .await
        .expect(200);
    assert_eq!(socket_status(&service, "", Some(&token)).await, 101);
}

#[tokio::test]
async fn each_role_may_do_what_those_before_it_may_and_more() {
    let setup = closed();
    let roles = ["read", "submit", "operate", "admin"];
    let tokens = roles.map(|role| setup.create_token(&[role, "--role", role]));
    let service = setup.start().await;
    let task = format!("/api/v1/tasks/{NOBODY}");
    let retry = format!("{task}/retry");
    let abort = format!("/api/v1/queue/task/{NOBODY}/abort");
    let complete = format!("/api/v1/worker/{NOBODY}/complete");
    // The call, the weakest role that may, and what it gets to hear.
    let calls = [
        (Method::GET, "/api/v1/tasks", 0, 200),
        (Method::GET, task.as_str(), 0, 404),
        (Method::GET, "/api/v1/processors", 0, 200),
        (Method::GET, "/api/v1/schedules", 0, 200),
        (Method::GET, "/nowhere", 0, 404),
        (Method::POST, "/api/v1/tasks", 1, 422),
        (Method::POST, "/api/v1/tasks/batch", 1, 422),
        (Method::POST, "/api/v1/queue/pause", 2, 200),
        (Method::POST, "/api/v1/queue/resume", 2, 200),
        (Method::POST, "/api/v1/queue/purge", 2, 200),
        (Method::POST, "/api/v1/queue/emergency-stop", 2, 200),
        (Method::POST, abort.as_str(), 2, 404),
        (Method::POST, retry.as_str(), 2, 404),
        (Method::POST, "/api/v1/tasks/retry", 2, 422),
        (Method::POST, "/api/v1/tasks/abort", 2, 422),
        (Method::POST, "/api/v1/reload", 2, 200),
        (Method::POST, "/api/v1/worker/claim", 2, 422),
        (Method::POST, complete.as_str(), 2, 422),
        (Method::POST, "/api/v1/hive/broadcast", 2, 422),
        (Method::GET, "/api/v1/doctor", 2, 200),
        (Method::GET, "/api/v1/export", 3, 200),
        (Method::POST, "/api/v1/import", 3, 422),
        (Method::DELETE, "/api/v1/tasks", 3, 422),
        (Method::DELETE, task.as_str(), 3, 404),
        (Method::POST, "/nowhere", 0, 404),
    ];
    for (method, path, least, status) in calls {
        for (rank, token) in tokens.iter().enumerate() {
            let answer = call(&service, token, method.clone(), path).await;
            if rank >= least {
                assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
                continue;
            }
            let (needs, has) = (roles[least], roles[rank]);
            let sentence = answer.sentence(403);
            assert!(
                sentence.contains(needs) && sentence.contains(has),
                "{method} {path}"
            );
        }
    }
}

#[tokio::test]
async fn a_token_for_some_processors_sees_and_touches_no_others() {
    let setup = closed()
        .table("[processors.one]\nkind = \"worker\"")
        .table("[processors.two]\nkind = \"worker\"");
    let all = setup.create_token(&["all", "--role", "admin"]);
    let one = setup.create_token(&["one", "--role", "admin", "--processor", "one"]);
    let both = [
        "both",
        "--role",
        "read",
        "--processor",
        "one",
        "--processor",
        "two",
    ];
    let both = setup.create_token(&both);
    let service = setup.start().await;
    let mine = submit(&service, &one, &json!({"content": "m", "processor": "one"})).await;
    let mine = mine.expect(201)["task_id"].as_str().unwrap().to_owned();
    let theirs = submit(&service, &all, &json!({"content": "t", "processor": "two"})).await;
    let theirs = theirs.expect(201)["task_id"].as_str().unwrap().to_owned();

    let refused = submit(&service, &one, &json!({"content": "x", "processor": "two"})).await;
    let words = "The token one is restricted to these processors: one.";
    assert_eq!(refused.sentence(403), words);
    // The default processor is none of its own.
    assert_eq!(
        submit(&service, &one, &json!({"content": "x"}))
            .await
            .sentence(403),
        words
    );
    // Run after another's task, it would get that one's result.
    let after = json!({"content": "x", "processor": "one", "after": [theirs]});
    assert_eq!(
        submit(&service, &one, &after).await.problem()["loc"],
        json!(["body", "after"])
    );
    let batch = json!({"tasks": [{"content": "x", "processor": "one"}, {"content": "x"}]});
    let request = service
        .request(Method::POST, "/api/v1/tasks/batch")
        .bearer_auth(&one);
    let refused = Answer::of(request.json(&batch)).await.sentence(403);
    assert_eq!(refused, format!("Task 1: {words}"));

    for (method, path) in [
        (Method::GET, format!("/api/v1/tasks/{theirs}")),
        (Method::GET, format!("/api/v1/tasks/{theirs}/logs")),
        (Method::GET, format!("/api/v1/tasks/{theirs}/explain")),
        (Method::GET, format!("/api/v1/tasks/{theirs}/stream")),
        (Method::DELETE, format!("/api/v1/tasks/{theirs}")),
        (Method::POST, format!("/api/v1/tasks/{theirs}/retry")),
        (Method::POST, format!("/api/v1/queue/task/{theirs}/abort")),
        (Method::POST, format!("/api/v1/worker/{theirs}/complete")),
    ] {
        let answer = call(&service, &one, method, &path).await;
        assert_eq!(answer.sentence(404), "Task not found", "{path}");
    }
    let path = format!("/api/v1/tasks/{mine}");
    assert_eq!(
        call(&service, &one, Method::GET, &path).await.expect(200)["content"],
        "m"
    );

    // A list keeps to the one processor; of several, one has to be chosen.
    let listed = call(&service, &one, Method::GET, "/api/v1/tasks")
        .await
        .expect(200);
    let ids: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|task| &task["id"])
        .collect();
    assert_eq!(ids, [&json!(mine)]);
    let other = call(&service, &one, Method::GET, "/api/v1/tasks?processor=two").await;
    assert_eq!(other.sentence(403), words);
    let choose = call(&service, &both, Method::GET, "/api/v1/tasks")
        .await
        .sentence(403);
    assert!(choose.contains("one, two"), "{choose}");
    let chosen = call(&service, &both, Method::GET, "/api/v1/tasks?processor=two").await;
    assert_eq!(chosen.expect(200)[0]["id"], json!(theirs));
    let names = call(&service, &one, Method::GET, "/api/v1/processors")
        .await
        .expect(200);
    assert_eq!(names.as_array().unwrap().len(), 1, "{names}");

    let post = async |path: &str, body: Value| {
        let request = service.request(Method::POST, path).bearer_auth(&one);
        Answer::of(request.json(&body)).await
    };
    let claim = json!({"processors": ["one", "two"], "wait": 0});
    assert_eq!(
        post("/api/v1/worker/claim", claim).await.sentence(403),
        words
    );
    assert_eq!(
        post("/api/v1/queue/pause", json!({})).await.sentence(403),
        words
    );
    let pause = json!({"processor": "two"});
    assert_eq!(
        post("/api/v1/queue/pause", pause).await.sentence(403),
        words
    );
    post("/api/v1/queue/pause", json!({"processor": "one"}))
        .await
        .expect(200);
    for path in ["queue/purge", "queue/emergency-stop", "reload", "import"] {
        let refused = call(&service, &one, Method::POST, &format!("/api/v1/{path}")).await;
        assert_eq!(refused.sentence(403), words, "{path}");
    }
    assert_eq!(
        call(&service, &one, Method::GET, "/api/v1/export")
            .await
            .sentence(403),
        words
    );
    // Events: of one task of its own at a time.
    for (query, status) in [
        (String::new(), 403),
        (format!("?task_id={theirs}"), 404),
        (format!("?task_id={mine}"), 101),
    ] {
        assert_eq!(
            socket_status(&service, &query, Some(&one)).await,
            status,
            "{query}"
        );
    }
}

#[tokio::test]
async fn tokens_come_and_go_while_the_service_runs() {
    let setup = closed();
    let first = setup.create_token(&["first", "--role", "read"]);
    let service = setup.start().await;
    let second = service
        .setup()
        .create_token(&["second", "--role", "submit"]);
    eventually("the new token opens", async || {
        let answer = call(&service, &second, Method::GET, "/api/v1/tasks").await;
        (answer.status == 200).then_some(())
    })
    .await;
    let task = submit(&service, &second, &json!({"content": "x", "delay": 3600})).await;
    let task = task.expect(201)["task_id"].as_str().unwrap().to_owned();
    let mut stream = service
        .request(Method::GET, &format!("/api/v1/tasks/{task}/stream"))
        .bearer_auth(&first)
        .send()
        .await
        .unwrap();
    assert!(stream.chunk().await.unwrap().is_some());
    let mut request = format!("ws://{}/ws/events", service.authority())
        .into_client_request()
        .unwrap();
    let value = format!("Bearer {first}").parse().unwrap();
    request.headers_mut().insert("authorization", value);
    let (mut socket, _) = connect_async(request).await.unwrap();

    // When it was used is noted.
    let list = || {
        let listed = service.setup().token(&["list", "--json"]);
        serde_json::from_slice::<Value>(&listed.stdout).unwrap()
    };
    eventually("its use is noted", async || {
        list()[0]["last_used_at"].is_string().then_some(())
    })
    .await;

    // Revoked, it opens nothing, and what it had opened ends.
    assert!(service.setup().token(&["revoke", "first"]).status.success());
    eventually("the revoked token does not open", async || {
        let answer = call(&service, &first, Method::GET, "/api/v1/tasks").await;
        (answer.status == 401).then_some(())
    })
    .await;
    in_time("the stream ends", async {
        while stream.chunk().await.unwrap().is_some() {}
    })
    .await;
    in_time("the socket ends", async {
        while let Some(Ok(message)) = futures_util::StreamExt::next(&mut socket).await {
            assert!(!matches!(message, Message::Binary(_)));
        }
    })
    .await;
    let revoked = &list()[0];
    assert_eq!(revoked["name"], "first");
    assert!(revoked["revoked_at"].is_string(), "{revoked}");

    // Nothing of the tokens lies around.
    let log = service.setup().log();
    let database = std::fs::read(service.setup().database_path()).unwrap();
    let wal = std::fs::read(service.setup().database_path().with_extension("db-wal"));
    for token in [&first, &second] {
        assert!(!log.contains(token.as_str()));
        for bytes in [&database, wal.as_ref().unwrap_or(&database)] {
            let mut windows = bytes.windows(token.len());
            assert!(!windows.any(|window| window == token.as_bytes()));
        }
    }
}

#[tokio::test]
async fn a_service_that_nobody_could_use_does_not_start() {
    let setup = closed();
    let (status, log) = setup.start_and_fail().await;
    assert_eq!(status.code(), Some(1));
    assert!(log.contains("venom token create"), "{log}");
    // Another address than loopback asks for tokens by itself.
    for (host, insecure, starts) in [
        ("0.0.0.0", false, false),
        ("0.0.0.0", true, true),
        ("127.0.0.1", false, true),
    ] {
        let setup = Setup::new().host(host).insecure(insecure);
        if starts {
            let service = setup.start().await;
            assert_eq!(service.get("/api/v1/tasks").await.status, 200, "{host}");
        } else {
            let (status, log) = setup.start_and_fail().await;
            assert_eq!(status.code(), Some(1), "{log}");
            assert!(log.contains("0.0.0.0"), "{log}");
        }
    }
    // With a token it starts there, and asks for it.
    let setup = Setup::new().host("0.0.0.0");
    let token = setup.create_token(&["all", "--role", "admin"]);
    let service = setup.start().await;
    assert_eq!(service.get("/api/v1/tasks").await.status, 401);
    call(&service, &token, Method::GET, "/api/v1/tasks")
        .await
        .expect(200);
}

#[tokio::test]
async fn the_journal_says_who_did_it() {
    let setup = closed().gates();
    let alice = setup.create_token(&["alice", "--role", "admin"]);
    let service = setup.start().await;
    let made = async |body: Value| {
        let answer = submit(&service, &alice, &body).await.expect(201);
        answer["task_id"].as_str().unwrap().to_owned()
    };
    let post = async |path: &str| {
        call(&service, &alice, Method::POST, &format!("/api/v1/{path}"))
            .await
            .expect(200)
    };
    let running = made(json!({"content": "x", "processor": "gate"})).await;
    service.at_gate(&running).await;
    post(&format!("queue/task/{running}/abort")).await;
    let mut database = service.database().await;
    let aborted = "SELECT json_extract(data, '$.by') FROM logs WHERE type = 'TASK_ABORTED'";
    assert_eq!(database.text(aborted).await, "alice");
    post(&format!("tasks/{running}/retry")).await;
    let retried = "SELECT json_extract(data, '$.by') FROM logs WHERE type = 'TASK_RETRYING'";
    assert_eq!(database.text(retried).await, "alice");
    service.at_gate_again(&running, 2).await;
    post("queue/pause").await;
    let waits = made(json!({"content": "x"})).await;
    let path = format!("/api/v1/tasks/{waits}/explain");
    let why = call(&service, &alice, Method::GET, &path).await.expect(200);
    assert!(
        why["message"].as_str().unwrap().contains(" by alice."),
        "{why}"
    );
    post("queue/purge").await;
    post("queue/resume").await;
    post("queue/emergency-stop").await;
    // Nothing has changed, so nothing was done.
    post("reload").await;
    let settings = service.setup().folder().join("venom.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, text + "\n[processors.more]\nkind = \"worker\"\n").unwrap();
    post("reload").await;
    let path = format!("/api/v1/tasks/{waits}");
    assert_eq!(
        call(&service, &alice, Method::DELETE, &path).await.status,
        204
    );
    assert_eq!(
        call(
            &service,
            &alice,
            Method::DELETE,
            "/api/v1/tasks?status=FAILED"
        )
        .await
        .status,
        200
    );
    let request = service
        .request(Method::POST, "/api/v1/import")
        .bearer_auth(&alice);
    Answer::of(request.json(&json!({"tasks": [{"id": NOBODY, "content": "x"}]})))
        .await
        .expect(200);

    let told = "SELECT type || coalesce(' ' || json_extract(data, '$.done'), '') FROM logs
                 WHERE json_extract(data, '$.by') = 'alice' ORDER BY id";
    let expected = [
        "QUEUE_PAUSED",
        "QUEUE_PURGED",
        "QUEUE_RESUMED",
        "QUEUE_PAUSED",
        "EMERGENCY_STOP",
        "SYSTEM_LOG reload",
        "SYSTEM_LOG delete",
        "SYSTEM_LOG delete",
        "SYSTEM_LOG import",
    ];
    assert_eq!(database.texts(told).await, expected);
}

#[tokio::test]
async fn a_browser_logs_in_and_out() {
    let setup = closed();
    let alice = setup.create_token(&["alice", "--role", "admin"]);
    let service = setup.start().await;
    let login = async |token: &str| {
        service
            .post_json("/api/v1/login", &json!({ "token": token }))
            .await
    };
    assert_eq!(login("venom_x").await.status, 401);
    assert_eq!(
        service
            .post_json("/api/v1/login", &json!({}))
            .await
            .problem()["loc"][1],
        "token"
    );
    let answer = login(&alice).await;
    let session = answer.expect(200);
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    let (pair, rest) = cookie.split_once("; ").unwrap();
    assert_eq!(rest, "Path=/; HttpOnly; SameSite=Strict");
    let csrf = session["csrf_token"].as_str().unwrap();
    assert!(!session.to_string().contains(&alice));

    // Reading needs the cookie alone, a change the proof as well.
    let by_cookie = |method: Method, path: &str| {
        let cookies = format!("theme=dark; {pair}");
        service.request(method, path).header("cookie", cookies)
    };
    let seen = Answer::of(by_cookie(Method::GET, "/api/v1/session"))
        .await
        .expect(200);
    assert_eq!(seen, session);
    assert_eq!(
        (&seen["name"], &seen["role"]),
        (&json!("alice"), &json!("admin"))
    );
    let pause = || by_cookie(Method::POST, "/api/v1/queue/pause");
    for request in [
        pause(),
        pause().header("x-csrf-token", "x"),
        pause().header("x-csrf-token", ""),
    ] {
        assert!(
            Answer::of(request)
                .await
                .sentence(403)
                .contains("X-CSRF-Token")
        );
    }
    Answer::of(pause().header("x-csrf-token", csrf))
        .await
        .expect(200);
    // With the token in the header there is no cookie to misuse, and nothing to prove.
    let session = call(&service, &alice, Method::GET, "/api/v1/session")
        .await
        .expect(200);
    assert_eq!(session["csrf_token"], Value::Null);
    let foreign = [
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "cross-site"),
    ];
    for (name, value) in foreign {
        let request = pause().header("x-csrf-token", csrf).header(name, value);
        assert_eq!(Answer::of(request).await.status, 403, "{name}");
    }

    // A socket needs the own origin.
    let own = format!("http://{}", service.authority());
    for (origin, status) in [
        (None, 403),
        (Some("https://evil.example"), 403),
        (Some(own.as_str()), 101),
    ] {
        let url = format!("ws://{}/ws/events", service.authority());
        let mut request = url.into_client_request().unwrap();
        request
            .headers_mut()
            .insert("cookie", pair.parse().unwrap());
        if let Some(origin) = origin {
            request
                .headers_mut()
                .insert("origin", origin.parse().unwrap());
        }
        let found = match in_time("a socket answers", connect_async(request)).await {
            Ok((_, answer)) => answer.status().as_u16(),
            Err(Error::Http(answer)) => answer.status().as_u16(),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(found, status, "{origin:?}");
    }

    let out = service.post("/api/v1/logout").await;
    assert_eq!(out.status, 204);
    let gone = out.headers["set-cookie"].to_str().unwrap();
    assert!(
        gone.starts_with("venom_token=; ") && gone.ends_with("; Max-Age=0"),
        "{gone}"
    );
}

#[tokio::test]
async fn the_cookie_of_a_login_through_a_proxy_with_tls_stays_there() {
    for (proxies, said, is_secure) in [
        ("[\"127.0.0.1\"]", "https", true),
        ("[\"127.0.0.1\"]", "http", false),
        ("[\"192.0.2.1\"]", "https", false),
    ] {
        let setup = closed().setting("trusted_proxies", proxies);
        let token = setup.create_token(&["alice", "--role", "read"]);
        let service = setup.start().await;
        for path in ["/api/v1/login", "/api/v1/logout"] {
            let request = service.request(Method::POST, path);
            let request = request.header("x-forwarded-proto", said);
            let answer = Answer::of(request.json(&json!({ "token": token }))).await;
            let cookie = answer.headers["set-cookie"].to_str().unwrap();
            let found = cookie.split("; ").any(|part| part == "Secure");
            assert_eq!(found, is_secure, "{proxies} {said} {path}: {cookie}");
        }
    }
}

#[tokio::test]
async fn where_no_token_is_asked_for_nobody_logs_in() {
    let service = Service::start().await;
    let session = service.get("/api/v1/session").await.expect(200);
    assert_eq!(
        (&session["auth"], &session["name"]),
        (&json!(false), &Value::Null)
    );
    let answer = service
        .post_json("/api/v1/login", &json!({"token": "x"}))
        .await;
    assert_eq!(answer.expect(200), session);
    assert!(!answer.headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn a_row_that_cannot_be_read_lets_nobody_in_and_holds_up_no_revocation() {
    let setup = closed();
    let tokens =
        ["stays", "goes", "spoilt"].map(|name| setup.create_token(&[name, "--role", "read"]));
    let service = setup.start().await;
    let status = async |token: &str| {
        let path = "/api/v1/queue/status";
        call(&service, token, Method::GET, path).await.status
    };
    for token in &tokens {
        assert_eq!(status(token).await, 200);
    }
    let mut database = service.database().await;
    let spoil = "UPDATE tokens SET processors = '[1]' WHERE name = 'spoilt'";
    database.run(spoil).await.unwrap();
    assert!(service.setup().token(&["revoke", "goes"]).status.success());
    for token in &tokens[1..] {
        eventually("it does not open", async || {
            (status(token).await == 401).then_some(())
        })
        .await;
    }
    assert_eq!(status(&tokens[0]).await, 200);
    let another = service.setup().create_token(&["another", "--role", "read"]);
    eventually("a new token opens", async || {
        (status(&another).await == 200).then_some(())
    })
    .await;
    let log = service.setup().log();
    assert_eq!(
        log.matches("a row of the table tokens cannot be read")
            .count(),
        1,
        "{log}"
    );
    assert!(log.contains("spoilt"), "{log}");

    let listed = service.setup().token(&["list", "--json"]);
    let (out, err) = (listed.stdout, String::from_utf8(listed.stderr).unwrap());
    let rows: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 3);
    assert!(
        err.contains("warning: the token \"spoilt\": processors:"),
        "{err}"
    );
    // It can be revoked like any other.
    assert!(
        service
            .setup()
            .token(&["revoke", "spoilt"])
            .status
            .success()
    );
}
