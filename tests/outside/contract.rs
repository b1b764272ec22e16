//! schemathesis, a program for testing APIs by their documents, finds nothing that the document does not
//! say, whatever it sends.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::process::Command;

use support::{Service, Setup};

/// All of its checks but two. `positive_data_acceptance`: what is right by its form may still name a processor
/// that is not configured. `ignored_auth`: it sends so many wrong tokens that the service answers 429 to them,
/// where it wants 401; `document` tries the roles.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,negative_data_rejection,\
    missing_required_header,unsupported_method,allow_header_conformance";

/// Far more than it takes.
const PATIENCE: Duration = Duration::from_secs(600);

/// Ids of a task that is finished, one that has failed, one that runs and one that waits.
async fn tasks(service: &Service, token: &str) -> Vec<String> {
    let mut ids = Vec::new();
    for body in [
        json!({ "content": "done" }),
        json!({ "content": "no", "processor": "fails" }),
        json!({ "content": "on", "processor": "outside" }),
        json!({ "content": "later", "delay": 86_400 }),
    ] {
        let url = service.url("/api/v1/tasks?wait=1");
        let request = reqwest::Client::new().post(url).bearer_auth(token);
        let answer = request.json(&body).send().await.expect("an answer");
        let task = answer.text().await.expect("a task");
        let task: serde_json::Value = serde_json::from_str(&task).expect("JSON");
        ids.push(task["id"].as_str().expect("an id").to_owned());
    }
    ids
}

#[tokio::test]
#[ignore = "needs schemathesis: scripts/test installs it"]
async fn api_documents_hold_against_schemathesis() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let fails = "[processors.fails]\nkind = \"command\"\nprogram = \"false\"\n";
    let setup = Setup::new().worker_processor("").table(fails);
    let setup = setup.setting("auth", "\"required\"");
    let token = setup.create_token(&["schemathesis", "--role", "admin"]);
    let service = setup.start().await;
    let tried = Command::new(root.join("target/schemathesis-venv/bin/schemathesis"))
        .arg("--config-file")
        .arg(root.join("tests/schemathesis/schemathesis.toml"))
        .arg("run")
        .arg(service.url("/openapi.json"))
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing"])
        .args(["--max-examples", "10", "--seed", "1", "--no-shrink"])
        .args(["--request-timeout", "20", "--warnings", "off"])
        // It leaves notes behind.
        .current_dir(service.setup().folder())
        .env(
            "SCHEMATHESIS_HOOKS",
            root.join("tests/schemathesis/hooks.py"),
        )
        .env("TASKS", tasks(&service, &token).await.join(","))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let tried = tokio::time::timeout(PATIENCE, tried).await;
    let tried = tried
        .expect("it ends")
        .expect("scripts/test has made target/schemathesis-venv");
    let words = String::from_utf8_lossy(&tried.stdout);
    assert!(tried.status.success(), "{words}");
    service.stop().await;
}
