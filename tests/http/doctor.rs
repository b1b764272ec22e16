//! What a running service says of itself, its machine and its settings.

use std::fs::File;
use std::io::Write;

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open};
use serde_json::{Value, json};

use support::{Answer, Service, Setup, eventually};

fn checks<'a>(report: &'a Value, name: &str) -> Vec<&'a Value> {
    let checks = report["checks"].as_array().expect("checks");
    let found: Vec<_> = checks
        .iter()
        .filter(|check| check["name"] == name)
        .collect();
    assert!(!found.is_empty(), "{name}: {report}");
    found
}

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    checks(report, name)[0]
}

fn setting<'a>(report: &'a Value, key: &str) -> &'a Value {
    let settings = report["settings"].as_array().expect("settings");
    let found = settings.iter().find(|setting| setting["key"] == key);
    found.unwrap_or_else(|| panic!("{key}: {report}"))
}

async fn doctor(service: &Service) -> Value {
    service.get("/api/v1/doctor").await.expect(200)
}

#[tokio::test]
async fn a_healthy_service_says_so_check_by_check() {
    let service = Service::start().await;
    let id = service.submit("one").await;
    service.finished(&id).await;
    let report = doctor(&service).await;
    assert_eq!(report["healthy"], true, "{report}");
    assert!(report["checked_at"].is_string());
    for name in [
        "settings",
        "service",
        "sqlite",
        "open files",
        "disk",
        "database",
    ] {
        assert_ne!(check(&report, name)["state"], "fail", "{report}");
    }
    let database = check(&report, "database")["message"].as_str().unwrap();
    assert!(
        database.ends_with("1 tasks; integrity not checked"),
        "{database}"
    );
    let full = service.get("/api/v1/doctor?full=true").await.expect(200);
    let database = check(&full, "database")["message"].as_str().unwrap();
    assert!(
        database.ends_with("1 tasks; full integrity check passed"),
        "{database}"
    );
    assert_eq!(check(&full, "invariants")["state"], "ok");
    service.ends_well().await;
}

#[tokio::test]
async fn rows_that_break_a_rule_and_a_pause_are_told_of() {
    let service = Service::start().await;
    let id = service.submit("one").await;
    service.finished(&id).await;
    let pause = json!({"reason": "lunch"});
    service
        .post_json("/api/v1/queue/pause", &pause)
        .await
        .expect(200);
    let mut database = service.database().await;
    database
        .run("DELETE FROM logs WHERE type = 'TASK_CREATED'")
        .await
        .unwrap();
    let report = doctor(&service).await;
    assert_eq!(report["healthy"], true, "nothing is read through: {report}");
    let queue = check(&report, "queue");
    assert_eq!(queue["state"], "warn");
    assert!(
        queue["message"].as_str().unwrap().ends_with(": lunch"),
        "{queue}"
    );
    assert!(queue["advice"].is_string(), "{queue}");
    let report = service.get("/api/v1/doctor?full=true").await.expect(200);
    assert_eq!(report["healthy"], false);
    let broken = check(&report, "invariants");
    assert_eq!(broken["state"], "fail");
    let message = broken["message"].as_str().unwrap();
    assert!(message.ends_with(&format!("such as {id}")), "{message}");
    service.resume().await;
}

#[tokio::test]
async fn settings_are_told_with_their_sources_and_without_secrets() {
    let setup = Setup::new()
        .setting("max_concurrent_tasks", 7)
        .setting("redis_password", "\"hunter2\"")
        .variable("VENOM_POLL_INTERVAL", "0.5");
    std::fs::write(setup.folder().join(".env"), "REDIS_HOST=elsewhere\n").unwrap();
    let service = setup.start().await;
    let report = doctor(&service).await;
    let told = |key: &str| {
        let setting = setting(&report, key);
        (setting["value"].clone(), setting["source"].clone())
    };
    assert_eq!(
        told("max_concurrent_tasks"),
        (json!("7"), json!("venom.toml"))
    );
    assert_eq!(told("redis_host"), (json!("elsewhere"), json!(".env")));
    assert_eq!(
        told("poll_interval"),
        (json!("0.5 s"), json!("environment"))
    );
    assert_eq!(told("host"), (json!("127.0.0.1"), json!("command line")));
    assert_eq!(told("durability"), (json!("full"), json!("default")));
    assert_eq!(told("redis_password").0, json!("(not shown)"));
    let place = setting(&report, "port")["place"].as_str().unwrap();
    assert_eq!(place, "on the command line (--port)");
    assert!(!report.to_string().contains("hunter2"));
    service.ends_well().await;
}

#[tokio::test]
async fn what_is_written_and_not_taken_over_is_told_and_so_is_a_mistake() {
    let service = Setup::new()
        .setting("max_concurrent_tasks", 7)
        .start()
        .await;
    let file = service.setup().folder().join("venom.toml");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write("idle_timeout = 10\nmax_concurrent_tasks = 3\n");
    let report = doctor(&service).await;
    let words: Vec<_> = checks(&report, "settings")
        .iter()
        .map(|check| check["message"].as_str().unwrap().to_owned())
        .collect();
    assert!(words[1].contains("idle_timeout"), "{words:?}");
    assert!(words[2].ends_with(": max_concurrent_tasks"), "{words:?}");

    service.post("/api/v1/reload").await.expect(200);
    let report = doctor(&service).await;
    let told = |key| setting(&report, key).clone();
    assert_eq!(told("max_concurrent_tasks")["value"], "3");
    let place = told("max_concurrent_tasks")["place"].clone();
    assert!(place.as_str().unwrap().ends_with("line 2"), "{place}");
    // It needs a restart, and so does where it comes from.
    assert_eq!(told("idle_timeout")["source"], "default");
    assert_eq!(told("shutdown_grace")["source"], "venom.toml");

    write("prot = 1\n");
    let report = doctor(&service).await;
    assert_eq!(report["healthy"], false);
    let message = check(&report, "settings")["message"].as_str().unwrap();
    assert!(message.contains("`prot`"), "{message}");
    service.terminate();
}

#[tokio::test]
async fn the_database_is_read_through_for_one_at_a_time() {
    let service = Service::start().await;
    let env = service.setup().folder().join(".env");
    // Who reads the settings waits here until somebody writes.
    mknodat(CWD, &env, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let path = "/api/v1/doctor?full=true";
    let request = service.request(reqwest::Method::GET, path);
    let first = tokio::spawn(Answer::of(request));
    let gate = eventually("the first reads the settings", || {
        let opened = open(&env, OFlags::WRONLY | OFlags::NONBLOCK, Mode::empty());
        async { opened.ok() }
    })
    .await;
    let refused = service.get(path).await.sentence(409);
    assert!(refused.contains("running"), "{refused}");
    File::from(gate).write_all(b"\n").unwrap();
    std::fs::remove_file(&env).unwrap();
    first.await.unwrap().expect(200);
    // Whoever goes away leaves the way free.
    service.get(path).await.expect(200);
    service.ends_well().await;
}

#[tokio::test]
async fn what_it_does_not_know_is_refused() {
    let service = Service::start().await;
    let problem = service.get("/api/v1/doctor?full=perhaps").await.problem();
    assert_eq!(problem["loc"], json!(["query", "full"]));
    assert_eq!(problem["type"], "bool_parsing", "{problem}");
    let problem = service.get("/api/v1/doctor?quick=true").await.problem();
    assert_eq!(problem["loc"], json!(["query", "quick"]));
    service.ends_well().await;
}
