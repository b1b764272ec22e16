//! Settings that change while the service runs: what is taken over, what is not, and what goes on.

use rustix::process::Signal;
use serde_json::{Value, json};

use support::{Service, Setup, eventually};

#[tokio::test]
async fn a_processor_gets_more_slots_and_running_tasks_go_on() {
    let setup = Setup::new().gate_processor("narrow", "concurrency = 1");
    let service = setup.start().await;
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(service.submit_to("narrow", &n.to_string()).await);
    }
    service.at_gate(&ids[0]).await;
    assert_eq!(service.queue_status().await["processing"], 1);

    service.rewrite(|text| text.replace("concurrency = 1", "concurrency = 2"));
    assert_eq!(service.reload_well().await, json!(["processors.narrow"]));
    service.at_gate(&ids[1]).await;
    assert_eq!(service.queue_status().await["processing"], 2);

    // Fewer slots: the two running tasks go on, and the third waits for both.
    service.rewrite(|text| text.replace("concurrency = 2", "concurrency = 1"));
    service.reload_well().await;
    assert_eq!(service.open_gate(&ids[0]).await["status"], "COMPLETED");
    assert_eq!(service.task(&ids[2]).await["status"], "PENDING");
    service.open_gate(&ids[1]).await;
    service.at_gate(&ids[2]).await;
    service.ends_well().await;
}

#[tokio::test]
async fn tasks_of_a_processor_that_is_gone_wait_until_it_is_back() {
    let service = Setup::new().gate_processor("slow", "").start().await;
    service.pause().await;
    let id = service.submit_to("slow", "").await;
    service.rewrite(|text| text.replace("processors.slow", "processors.slwo"));
    let applied = service.reload_well().await;
    assert_eq!(applied, json!(["processors.slow", "processors.slwo"]));
    service.resume().await;
    // What comes later runs, and by then this one would have.
    let later = service.submit("later").await;
    service.finished(&later).await;
    let explained = service.get(&format!("/api/v1/tasks/{id}/explain")).await;
    let reasons = explained.expect(200)["reasons"].clone();
    assert_eq!(reasons.as_array().unwrap().len(), 1, "{reasons}");
    assert_eq!(reasons[0]["type"], "no_processor");

    let service = service.kill9().await.start().await;
    service.rewrite(|text| text.replace("processors.slwo", "processors.slow"));
    service.reload_well().await;
    let task = service.open_gate(&id).await;
    assert_eq!(
        (&task["status"], &task["attempt"]),
        (&json!("COMPLETED"), &json!(1))
    );
    service.ends_well().await;
}

#[tokio::test]
async fn the_queue_and_its_keys_get_other_limits() {
    let setup = Setup::new().gates().setting("max_concurrent_tasks", 1);
    let service = setup.start().await;
    let first = service.submit_to_gate("first").await;
    let request = json!({"content": "x", "processor": "gate", "concurrency_key": "gpu"});
    let keyed = [
        service.submit_json(&request).await,
        service.submit_json(&request).await,
    ];
    let of_the_key = "max_concurrent_tasks = 3";
    service.rewrite(|text| text.replace("max_concurrent_tasks = 1", of_the_key));
    assert_eq!(service.reload_well().await, json!(["max_concurrent_tasks"]));
    assert_eq!(service.queue_status().await["limit"], 3);
    service.at_gate(&keyed[0]).await;
    assert_eq!(service.task(&keyed[1]).await["status"], "PENDING");

    service.rewrite(|text| text + "[concurrency_keys.gpu]\nconcurrency = 2\n");
    assert_eq!(service.reload_well().await, json!(["concurrency_keys.gpu"]));
    service.at_gate(&keyed[1]).await;

    service.rewrite(|text| format!("enable_queue_limits = false\n{text}"));
    assert_eq!(service.reload_well().await, json!(["enable_queue_limits"]));
    assert_eq!(service.queue_status().await["limit"], Value::Null);
    service.open_gate(&first).await;
    service.ends_well().await;
}

#[tokio::test]
async fn a_rate_that_is_added_knows_what_has_started() {
    let service = Service::with_gates().await;
    let first = service.submit_to_gate("started before").await;
    service.rewrite(|text| {
        text.replace(
            "[processors.gate.env]",
            "rate = \"2/d\"\n[processors.gate.env]",
        )
    });
    service.reload_well().await;
    let second = service.submit_to("gate", "the second of the day").await;
    let third = service.submit_to("gate", "one too many").await;
    service.at_gate(&second).await;
    assert_eq!(service.task(&third).await["status"], "PENDING");

    service.rewrite(|text| text.replace("2/d", "3/d"));
    service.reload_well().await;
    service.at_gate(&third).await;
    service.open_gate(&first).await;
    service.ends_well().await;
}

#[tokio::test]
async fn a_processor_that_is_added_accepts_tasks() {
    let service = Service::start().await;
    let request = json!({"content": "hello", "processor": "shout"});
    assert_eq!(
        service.post_json("/api/v1/tasks", &request).await.status,
        422
    );
    service.rewrite(|text| {
        format!(
            "default_processor = \"shout\"\n{text}[processors.shout]\nkind = \"command\"\n\
             program = \"tr\"\nargs = [\"a-z\", \"A-Z\"]\nmax_attempts = 4\n"
        )
    });
    let applied = json!(["default_processor", "processors.shout"]);
    assert_eq!(service.reload_well().await, applied);
    let id = service.submit_json(&request).await;
    assert_eq!(service.finished(&id).await["result"], "HELLO");

    // Also for rows that say nothing of it.
    let mut database = service.database().await;
    let insert = "INSERT INTO tasks(content) VALUES ('inserted')";
    database.run(insert).await.unwrap();
    let id = database
        .text("SELECT id FROM tasks WHERE content = 'inserted'")
        .await;
    let task = service.finished(&id).await;
    assert_eq!(task["result"], "INSERTED");
    assert_eq!(task["max_attempts"], 4);
    service.ends_well().await;
}

#[tokio::test]
async fn a_mistake_changes_nothing_and_is_named() {
    let setup = Setup::new().gates().setting("max_concurrent_tasks", 1);
    let service = setup.start().await;
    let first = service.submit_to_gate("first").await;
    let second = service.submit_to("gate", "second").await;
    service.rewrite(|text| {
        let text = text.replace("max_concurrent_tasks = 1", "max_concurrent_tasks = 2");
        text + "[processors.broken]\nkind = \"comand\"\n"
    });
    let problem = service.reload().await.problem();
    assert_eq!(
        problem["loc"],
        json!(["settings", "processors.broken.kind"])
    );
    assert!(
        problem["msg"]
            .as_str()
            .unwrap()
            .contains("venom.toml, line")
    );
    assert_eq!(service.queue_status().await["limit"], 1);
    assert_eq!(service.task(&second).await["status"], "PENDING");

    service.rewrite(|_| "no settings at all".to_owned());
    let problem = service.reload().await.problem();
    assert_eq!(problem["loc"], json!(["settings"]));
    service.signal(Signal::HUP);
    eventually("the mistake is logged", || async {
        let log = service.setup().log();
        log.contains("reload failed").then_some(())
    })
    .await;
    assert_eq!(service.queue_status().await["limit"], 1);
    service.open_gate(&first).await;
    service.at_gate(&second).await;
    service.ends_well().await;
}

#[tokio::test]
async fn a_hang_up_is_a_reload() {
    let setup = Setup::new().gates().setting("max_concurrent_tasks", 1);
    let service = setup.start().await;
    service.submit_to_gate("first").await;
    let second = service.submit_to("gate", "second").await;
    service.rewrite(|text| text.replace("max_concurrent_tasks = 1", "max_concurrent_tasks = 2"));
    service.signal(Signal::HUP);
    service.at_gate(&second).await;
    service.ends_well().await;
}

#[tokio::test]
async fn what_needs_a_restart_is_said_and_the_command_line_still_holds() {
    let service = Service::start().await;
    // The port stands on the command line, which is stronger.
    service.rewrite(|text| {
        format!("port = 9\npoll_interval = 0.5\nretention_failed = \"1d\"\n{text}")
    });
    let answer = service.reload().await.expect(200);
    assert_eq!(answer["applied"], json!(["retention_failed"]));
    assert_eq!(answer["needs_restart"], json!(["poll_interval"]));
    // It stays so until the restart.
    let answer = service.reload().await.expect(200);
    assert_eq!(answer["applied"], json!([]));
    assert_eq!(answer["needs_restart"], json!(["poll_interval"]));
    service.ends_well().await;
}

#[tokio::test]
async fn schedules_come_and_go() {
    let service = Service::start().await;
    assert_eq!(
        service.get("/api/v1/schedules").await.expect(200),
        json!([])
    );
    service.rewrite(|text| text + "[schedules.tick]\ncontent = \"x\"\nevery = 1\n");
    assert_eq!(service.reload_well().await, json!(["schedules.tick"]));
    let due = || async { (!service.due_times().await.is_empty()).then_some(()) };
    eventually("the schedule is due", due).await;

    service.rewrite(|text| text.replace("every = 1", "every = \"1d\""));
    service.reload_well().await;
    let count = service.due_times().await.len();
    // Times that were due by the seconds are not missed days.
    assert!(service.schedule("tick").await["next_run"].is_string());
    assert_eq!(service.due_times().await.len(), count);
    service.rewrite(|text| text.split("[schedules").next().unwrap().to_owned());
    service.reload_well().await;
    assert_eq!(
        service.get("/api/v1/schedules").await.expect(200),
        json!([])
    );
    service.ends_well().await;
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named_at_the_start_at_a_reload_and_by_the_doctor() {
    let missing = "processor later: its program ";
    let tool = |setup: &Setup| setup.folder().join("tool").display().to_string();
    let setup = Setup::new();
    let program = tool(&setup);
    let setup = setup.table(&format!(
        "[processors.later]\nkind = \"command\"\nprogram = {program:?}"
    ));
    let service = setup.start().await;
    let log = service.setup().log();
    let warned = |line: &&str| line.contains("WARN") && line.contains(missing);
    assert_eq!(log.lines().filter(warned).count(), 1, "{log}");
    let answer = service.reload().await.expect(200);
    let warnings = answer["warnings"].as_array().expect("a list");
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].as_str().unwrap().starts_with(missing),
        "{answer}"
    );
    let settings = |report: Value| {
        let checks = report["checks"].as_array().expect("checks").clone();
        let found = checks.into_iter().find(|check| check["name"] == "settings");
        found.expect("a check")
    };
    let found = settings(service.get("/api/v1/doctor").await.expect(200));
    assert_eq!(found["state"], "warn");
    assert!(
        found["message"].as_str().unwrap().starts_with(missing),
        "{found}"
    );

    // It may be installed later.
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::File::options();
    let file = file.create(true).write(true).mode(0o755).open(&program);
    std::io::Write::write_all(&mut file.expect("a file"), b"#!/bin/sh\ncat\n").expect("a script");
    assert_eq!(service.reload().await.expect(200)["warnings"], json!([]));
    let found = settings(service.get("/api/v1/doctor").await.expect(200));
    assert_eq!(found["state"], "ok");
    let id = service.submit_to("later", "works").await;
    assert_eq!(service.finished(&id).await["result"], "works");
    service.ends_well().await;
}
