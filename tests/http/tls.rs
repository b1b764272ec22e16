//! TLS from files, and who may read what the service leaves on disk.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use reqwest::Certificate;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};

use support::{Pem, Service, Setup, certified_pem, in_time, self_signed_pem};

/// A service that speaks TLS, in whose folder `ca.pem` vouches for it.
fn secure() -> Setup {
    secured_by(&certified_pem())
}

fn secured_by(pem: &Pem) -> Setup {
    let setup = Setup::new()
        .setting("tls_cert_file", "\"cert.pem\"")
        .setting("tls_key_file", "\"key.pem\"");
    for (name, text) in [
        ("cert.pem", &pem.certificate),
        ("key.pem", &pem.key),
        ("ca.pem", &pem.authority),
    ] {
        std::fs::write(setup.folder().join(name), text).unwrap();
    }
    setup
}

#[tokio::test]
async fn with_a_certificate_it_speaks_tls_alone() {
    let service = secure().start().await;
    let url = service.url("/healthz");
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    let authority = std::fs::read(service.setup().folder().join("ca.pem")).unwrap();
    let trusting = reqwest::Client::builder()
        .tls_certs_only([Certificate::from_pem(&authority).unwrap()])
        .build()
        .unwrap();
    let answer = trusting.get(&url).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap()["status"], "ok");
    // Plain HTTP gets no answer, and a stranger's certificate is none.
    let plain = url.replace("https", "http");
    assert!(trusting.get(&plain).send().await.is_err());
    let wary = reqwest::Client::builder()
        .tls_certs_only([])
        .build()
        .unwrap();
    assert!(wary.get(&url).send().await.unwrap_err().is_connect());
    assert!(trusting.get(&url).send().await.is_ok());
    service.stop().await;
}

#[tokio::test]
async fn commands_trust_the_authority_they_are_given() {
    let service = secure().start().await;
    let setup = service.setup();
    let refused = setup.venom(&["status"]);
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(words.contains("certificate"), "{words}");
    let submit = ["submit", "--wait", "--ca-file", "ca.pem", "hello"];
    let done = setup.venom(&submit);
    assert_eq!(
        String::from_utf8_lossy(&done.stdout),
        "Processed: hello\n",
        "{done:?}"
    );
    // Events come over a WebSocket.
    let mut watch = tokio::process::Command::new(support::venom())
        .args([
            "watch",
            "--since",
            "0",
            "--ca-file",
            "ca.pem",
            "--url",
            &service.url(""),
        ])
        .current_dir(setup.folder())
        .env_clear()
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    in_time("the task's end is told", async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("TASK_COMPLETED") {
                return;
            }
        }
        panic!("the watch has ended");
    })
    .await;
    drop(watch);
    let done = setup.venom(&["status", "--ca-file", "key.pem"]);
    let words = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(words.contains("key.pem"), "{words}");
}

#[tokio::test]
async fn commands_trust_a_certificate_that_signed_itself() {
    let service = secured_by(&self_signed_pem()).start().await;
    let setup = service.setup();
    let done = setup.venom(&["submit", "--wait", "--ca-file", "cert.pem", "hello"]);
    let out = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(out, "Processed: hello\n", "{done:?}");
    // Who does not, hears why, and not that nobody is there.
    let other = setup.folder().join("other.pem");
    std::fs::write(&other, self_signed_pem().certificate).unwrap();
    let url = service.url("").replace("127.0.0.1", "localhost");
    for (args, words) in [
        (&["--ca-file", "other.pem"][..], "with --ca-file"),
        (&["--ca-file", "cert.pem", "--url", &url], "subjectAltName"),
    ] {
        for command in ["status", "watch"] {
            let args = [&[command], args].concat();
            let refused = setup.venom(&args);
            let said = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert!(said.contains(words), "{args:?}: {said}");
            assert!(!said.contains("venom serve"), "{args:?}: {said}");
        }
    }
    service.stop().await;
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_stops_the_start() {
    let pem = certified_pem();
    let other = certified_pem();
    for (certificate, key, words) in [
        (
            Some(""),
            Some(pem.key.as_str()),
            "cert.pem: expected certificates in PEM",
        ),
        (
            Some(pem.certificate.as_str()),
            Some("x"),
            "key.pem: expected a private key in PEM",
        ),
        (
            Some(&pem.certificate),
            Some(&other.key),
            "do not make a certificate and its key",
        ),
        (Some(&pem.certificate), None, "cannot read key.pem"),
    ] {
        let setup = Setup::new()
            .setting("tls_cert_file", "\"cert.pem\"")
            .setting("tls_key_file", "\"key.pem\"");
        for (name, text) in [("cert.pem", certificate), ("key.pem", key)] {
            if let Some(text) = text {
                std::fs::write(setup.folder().join(name), text).unwrap();
            }
        }
        let (status, log) = setup.start_and_fail().await;
        assert!(status.code() == Some(1) && log.contains(words), "{log}");
        assert!(!log.contains("PRIVATE KEY"));
    }
    let half = Setup::new().setting("tls_key_file", "\"key.pem\"");
    let (_, log) = half.start_and_fail().await;
    assert!(log.contains("`tls_cert_file` beside it"), "{log}");
}

#[tokio::test]
async fn only_the_owner_can_read_what_is_on_disk() {
    let service = Service::start().await;
    let id = service.submit("secret").await;
    service.finished(&id).await;
    let database = service.setup().database_path();
    let mode = |path: &Path| {
        let found = std::fs::metadata(path).unwrap_or_else(|_| panic!("{}", path.display()));
        found.permissions().mode() & 0o777
    };
    for ending in ["", "-wal", "-shm", ".lock"] {
        let path = format!("{}{ending}", database.display());
        assert_eq!(mode(Path::new(&path)), 0o600, "{path}");
    }
    let stopped = service.stop().await;
    assert_eq!(mode(&stopped.setup().state_file()), 0o600);
}

#[tokio::test]
async fn the_cookie_of_a_login_over_tls_stays_there() {
    let setup = secure().setting("auth", "\"required\"");
    let token = setup.create_token(&["alice", "--role", "read"]);
    let authority = std::fs::read(setup.folder().join("ca.pem")).unwrap();
    let service = setup.start().await;
    let client = reqwest::Client::builder()
        .tls_certs_only([Certificate::from_pem(&authority).unwrap()])
        .build()
        .unwrap();
    let login = client.post(service.url("/api/v1/login"));
    let answer = login
        .json(&serde_json::json!({ "token": token }))
        .send()
        .await
        .unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(
        cookie.ends_with("; HttpOnly; SameSite=Strict; Secure"),
        "{cookie}"
    );
    service.stop().await;
}
