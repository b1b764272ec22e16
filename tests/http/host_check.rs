//! Pages of strangers and foreign names are refused; programs and the own page are not.

use reqwest::Method;
use serde_json::json;

use support::{Answer, Service, Setup};

async fn submit_with(service: &Service, headers: &[(&str, &str)]) -> Answer {
    let mut request = service.request(Method::POST, "/api/v1/tasks");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request.json(&json!({"content": "hello"}))).await
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused() {
    let service = Service::start().await;
    let foreign: [&[(&str, &str)]; 6] = [
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://127.0.0.1:1")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("host", "evil.example")],
    ];
    for headers in foreign {
        let answer = submit_with(&service, headers).await;
        assert!(!answer.sentence(403).is_empty(), "{headers:?}");
    }
    assert_eq!(service.get("/api/v1/tasks").await.expect(200), json!([]));
    service.ends_well().await;
}

#[tokio::test]
async fn a_foreign_page_can_neither_read_nor_listen() {
    let service = Service::start().await;
    for path in ["/api/v1/tasks", "/ws/events", "/api/v1/export", "/healthz"] {
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("host", "evil.example:80"),
        ] {
            let request = service.request(Method::GET, path).header(name, value);
            Answer::of(request).await.sentence(403);
        }
    }
    service.ends_well().await;
}

async fn read_with(service: &Service, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = service.request(Method::GET, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request).await
}

/// No script, picture or frame of another site gets as far as a long poll, a search or a socket.
#[tokio::test]
async fn a_foreign_page_cannot_even_have_something_fetched() {
    let service = Service::start().await;
    for path in [
        "/api/v1/export",
        "/api/v1/tasks?q=hello",
        "/ws/events",
        "/metrics",
        "/healthz",
        "/",
    ] {
        for site in ["cross-site", "same-site", "unheard-of", ""] {
            let fetched: [&[(&str, &str)]; 4] = [
                &[("sec-fetch-site", site)],
                &[
                    ("sec-fetch-site", site),
                    ("sec-fetch-mode", "no-cors"),
                    ("sec-fetch-dest", "image"),
                ],
                &[
                    ("sec-fetch-site", site),
                    ("sec-fetch-mode", "navigate"),
                    ("sec-fetch-dest", "iframe"),
                ],
                &[
                    ("sec-fetch-site", site),
                    ("sec-fetch-mode", "websocket"),
                    ("sec-fetch-dest", "websocket"),
                ],
            ];
            for headers in fetched {
                let answer = read_with(&service, path, headers).await;
                assert_eq!(answer.status, 403, "{path} {headers:?}");
            }
        }
    }
    let answer = submit_with(&service, &[("sec-fetch-site", "unheard-of")]).await;
    answer.sentence(403);
    service.ends_well().await;
}

#[tokio::test]
async fn a_link_on_a_foreign_page_leads_to_what_is_open() {
    let service = Service::start().await;
    let link = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    ];
    for path in ["/", "/docs", "/openapi.json", "/healthz"] {
        let answer = read_with(&service, path, &link).await;
        assert_eq!(answer.status, 200, "{path}");
    }
    for path in ["/api/v1/export", "/api/v1/tasks", "/metrics"] {
        read_with(&service, path, &link).await.sentence(403);
        for site in ["same-origin", "none"] {
            let own = [("sec-fetch-site", site)];
            assert_eq!(read_with(&service, path, &own).await.status, 200, "{path}");
        }
    }
    submit_with(&service, &link).await.sentence(403);
    service.ends_well().await;
}

/// Where no token is asked for, an attacker's name that points here must not make its pages our own.
#[tokio::test]
async fn without_tokens_only_own_names_are_answered() {
    let system = rustix::system::uname();
    let machine = system.nodename().to_str().unwrap().to_owned();
    let setup = Setup::new().host("0.0.0.0").insecure(true);
    let service = setup.setting("hosts", "[\"build.lan\"]").start().await;
    for (host, status) in [
        ("evil.example", 403),
        ("build.lan.evil.example:8000", 403),
        ("127.0.0.1.evil.example", 403),
        ("127.0.0.1:8000", 200),
        ("192.0.2.7", 200),
        ("[2001:db8::1]:8000", 200),
        ("localhost:8000", 200),
        ("build.lan:8000", 200),
        ("Build.LAN.", 200),
        (machine.as_str(), 200),
    ] {
        let answer = read_with(&service, "/api/v1/tasks", &[("host", host)]).await;
        assert_eq!(answer.status, status, "{host}");
        if status == 403 {
            assert!(answer.sentence(403).contains("the setting `hosts`"));
        }
    }
    service.ends_well().await;
}

#[tokio::test]
async fn with_tokens_any_name_is_answered_and_loopback_takes_a_listed_one() {
    let setup = Setup::new().host("0.0.0.0");
    let token = setup.create_token(&["all", "--role", "admin"]);
    let service = setup.start().await;
    let request = service.request(Method::GET, "/api/v1/tasks");
    let request = request.header("host", "any.example").bearer_auth(&token);
    Answer::of(request).await.expect(200);

    let service = Setup::new()
        .setting("hosts", "[\"build.lan\"]")
        .start()
        .await;
    for (host, status) in [
        ("build.lan", 200),
        ("192.0.2.7", 403),
        ("evil.example", 403),
    ] {
        let answer = read_with(&service, "/api/v1/tasks", &[("host", host)]).await;
        assert_eq!(answer.status, status, "{host}");
    }
}

#[tokio::test]
async fn programs_and_the_own_page_are_not_refused() {
    let service = Service::start().await;
    let own = service.url("");
    let port = own.rsplit(':').next().unwrap();
    let localhost = format!("localhost:{port}");
    let origin = format!("http://{localhost}");
    let fine: [&[(&str, &str)]; 5] = [
        &[],
        &[("host", &localhost)],
        &[("origin", &own), ("sec-fetch-site", "same-origin")],
        &[("host", &localhost), ("origin", &origin)],
        &[("sec-fetch-site", "none")],
    ];
    for headers in fine {
        assert_eq!(
            submit_with(&service, headers).await.status,
            201,
            "{headers:?}"
        );
    }
    service.drained().await;
    service.ends_well().await;
}
