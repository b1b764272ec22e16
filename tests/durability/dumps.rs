//! Export and import over HTTP, the import at the first start, and the dump at a clean stop.

use std::path::Path;

use serde_json::{Value, json};

use support::{Answer, Service, Setup, eventually};

fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/dumps")
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(fixtures().join(name)).expect("a fixture")
}

/// The names of the fixtures that are (or are not) damaged.
fn names(damaged: bool) -> Vec<String> {
    let files = std::fs::read_dir(fixtures()).expect("fixtures");
    let mut names: Vec<_> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".json") && name.starts_with("damaged") == damaged)
        .collect();
    names.sort();
    assert!(names.len() >= 5, "{names:?}");
    names
}

async fn paused() -> Service {
    let service = Service::start().await;
    service.pause().await;
    service
}

async fn import(service: &Service, query: &str, dump: impl Into<Vec<u8>>) -> Answer {
    let path = format!("/api/v1/import{query}");
    service.post_text(&path, dump.into()).await
}

async fn export(service: &Service) -> Value {
    service.get("/api/v1/export").await.expect(200)
}

fn report(imported: u64, unchanged: u64, replaced: u64, conflicts: &[&str]) -> Value {
    json!({
        "imported": imported, "unchanged": unchanged, "replaced": replaced,
        "conflict_count": conflicts.len(), "conflicts": conflicts,
        "replaced_characters": 0,
    })
}

#[tokio::test]
async fn every_dump_comes_in_once_and_goes_out_as_it_was() {
    for name in names(false) {
        let (one, two) = (paused().await, paused().await);
        let first = import(&one, "", fixture(&name)).await.expect(200);
        let count = first["imported"].as_u64().unwrap();
        assert!(count > 0, "{name}");
        assert_eq!(first, report(count, 0, 0, &[]), "{name}");
        let again = import(&one, "", fixture(&name)).await.expect(200);
        assert_eq!(again, report(0, count, 0, &[]), "{name}");

        // What was exported is imported and exported again without a change.
        let dump = one.get("/api/v1/export").await;
        assert_eq!(
            dump.expect(200)["tasks"].as_array().unwrap().len() as u64,
            count
        );
        import(&two, "", dump.body.clone()).await.expect(200);
        assert_eq!(export(&two).await, dump.json(), "{name}");
        one.ends_well().await;
        two.ends_well().await;
    }
}

#[tokio::test]
async fn our_own_dump_survives_to_the_letter() {
    let service = paused().await;
    import(&service, "", fixture("venom_core_1.json"))
        .await
        .expect(200);
    let original: Value = serde_json::from_slice(&fixture("venom_core_1.json")).unwrap();
    assert_eq!(export(&service).await, original);
    service.ends_well().await;
}

#[tokio::test]
async fn unknown_fields_of_file_and_task_survive() {
    let service = paused().await;
    import(&service, "", fixture("unknown_fields.json"))
        .await
        .expect(200);
    let original: Value = serde_json::from_slice(&fixture("unknown_fields.json")).unwrap();
    let dump = export(&service).await;
    for (name, value) in original.as_object().unwrap() {
        if name != "tasks" {
            assert_eq!(dump[name], *value, "{name}");
        }
    }
    let (task, before) = (&dump["tasks"][0], &original["tasks"][0]);
    for (name, value) in before.as_object().unwrap() {
        if name != "created_at" {
            assert_eq!(task[name], *value, "{name}");
        }
    }
    assert_eq!(task["created_at"], "2026-02-02T10:00:00.000000Z");
    service.ends_well().await;
}

#[tokio::test]
async fn old_dumps_are_read_as_the_contract_says() {
    let service = paused().await;
    import(&service, "", fixture("v1_naive_local_times.json"))
        .await
        .expect(200);
    import(&service, "", fixture("processing.json"))
        .await
        .expect(200);
    let task = service.task("3f0c8d0e-5b1a-4c57-9a3e-0d6a5f1f7b01").await;
    assert_eq!(task["created_at"], "2025-12-06T14:22:52.927944Z");
    assert_eq!(task["context_history"], json!({}));
    assert_eq!(task["logs"].as_array().unwrap().len(), 3);
    assert_eq!(task["processor"], "echo");
    let interrupted = service.task("7f1b9e52-3c4d-4e5f-8a9b-0c1d2e3f4a21").await;
    assert_eq!(interrupted["status"], "PENDING");
    let foreign = "018f3f6e-0000-7000-8000-000000000022";
    let waiting = "9b2f4d7a-1c3e-4f60-8a7b-5e4d3c2b1a02";
    service.resume().await;
    assert_eq!(service.finished(waiting).await["status"], "COMPLETED");
    // Of a processor that this service does not have.
    eventually("all others have ended", || async {
        (service.queue_status().await["pending"] == 1).then_some(())
    })
    .await;
    assert_eq!(service.task(foreign).await["status"], "PENDING");
    service.ends_well().await;
}

#[tokio::test]
async fn a_task_in_the_way_is_reported_and_replaced_only_if_asked() {
    let service = paused().await;
    let id = "0e6f2a34-2f54-4a8e-8d4b-b7d1a1c0de11";
    let other = json!({"tasks": [{"id": id, "content": "mine", "status": "PENDING",
                                  "created_at": "2026-01-01T00:00:00Z"}]});
    import(&service, "", other.to_string()).await.expect(200);
    let name = "v2_utc_times_context.json";
    let answer = import(&service, "", fixture(name)).await.expect(200);
    assert_eq!(answer, report(2, 0, 0, &[id]));
    assert_eq!(service.task(id).await["content"], "mine");
    let answer = import(&service, "?replace=false", fixture(name))
        .await
        .expect(200);
    assert_eq!(answer, report(0, 2, 0, &[id]));

    let answer = import(&service, "?replace=true", fixture(name))
        .await
        .expect(200);
    assert_eq!(answer["conflict_count"], 0);
    let task = service.task(id).await;
    assert_eq!(task["content"], "Which lessons did we learn last week?");
    assert_eq!(task["status"], "COMPLETED");
    assert_eq!(task["logs"].as_array().unwrap().len(), 4);
    assert_eq!(service.queue_status().await["pending"], 0);
    service.ends_well().await;
}

#[tokio::test]
async fn a_running_task_is_never_replaced() {
    let service = Service::with_gates().await;
    let id = service.submit_to_gate("runs").await;
    let other = json!({"tasks": [{"id": id, "content": "other", "status": "COMPLETED",
                                  "result": "no", "created_at": "2026-01-01T00:00:00Z"}]});
    let answer = import(&service, "?replace=true", other.to_string())
        .await
        .expect(200);
    assert_eq!(answer, report(0, 0, 0, &[&id]));
    assert_eq!(service.open_gate(&id).await["content"], "runs");
    service.ends_well().await;
}

#[tokio::test]
async fn a_damaged_dump_is_422_and_nothing_of_it_is_stored() {
    let service = paused().await;
    let before = export(&service).await;
    for name in names(true) {
        for query in ["", "?replace=true"] {
            let answer = import(&service, query, fixture(&name)).await;
            assert_eq!(answer.status, 422, "{name}: {}", answer.text());
            let problem = answer.problem();
            assert_eq!(problem["loc"], json!(["body"]), "{name}");
            assert!(!problem["msg"].as_str().unwrap().is_empty(), "{name}");
        }
        assert_eq!(export(&service).await, before, "{name}");
    }
    let problem = import(&service, "?replace=perhaps", "{\"tasks\": []}")
        .await
        .problem();
    assert_eq!(problem["loc"], json!(["query", "replace"]));
    service.ends_well().await;
}

#[tokio::test]
async fn an_import_may_be_larger_than_other_requests() {
    let service = Setup::new().setting("body_limit_bytes", 2000).start().await;
    service.pause().await;
    let tasks = (0..600).map(|n| {
        json!({"id": format!("00000000-0000-4000-8000-{n:012}"), "content": "x".repeat(1000),
               "status": "PENDING", "created_at": "2026-01-01T00:00:00Z"})
    });
    let dump = json!({"tasks": tasks.collect::<Vec<_>>()});
    let answer = import(&service, "", dump.to_string()).await.expect(200);
    assert_eq!(answer, report(600, 0, 0, &[]));
    assert_eq!(service.queue_status().await["pending"], 600);
    let exported = export(&service).await;
    let exported = exported["tasks"].as_array().unwrap();
    let order = dump["tasks"].as_array().unwrap();
    let ids = |tasks: &[Value]| {
        tasks
            .iter()
            .map(|task| task["id"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(exported), ids(order));
    service.resume().await;
    service.drained().await;
    service.ends_well().await;
}

#[tokio::test]
async fn the_state_file_is_imported_at_the_first_start_and_written_at_the_stop() {
    let setup = Setup::new();
    std::fs::write(setup.state_file(), fixture("v2_utc_times_context.json")).unwrap();
    let service = setup.start().await;
    let task = service.task("0e6f2a34-2f54-4a8e-8d4b-b7d1a1c0de11").await;
    assert_eq!(
        task["context_used"]["lessons"],
        json!(["lesson-7", "lesson-12"])
    );
    let id = service.submit("since then").await;
    service.finished(&id).await;
    let exported = export(&service).await;
    assert_eq!(exported["paid_mode_enabled"], true);
    assert_eq!(exported["autonomy_level"], 20);
    let stopped = service.ends_well().await;

    let written = std::fs::read(stopped.setup().state_file()).unwrap();
    let written: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(written, exported);
    // The next start has tasks of its own: what the file says by then does not matter.
    std::fs::write(
        stopped.setup().state_file(),
        fixture("v1_naive_local_times.json"),
    )
    .unwrap();
    let service = stopped.start().await;
    assert_eq!(export(&service).await, exported);
    service.ends_well().await;
}

#[tokio::test]
async fn a_damaged_state_file_is_put_aside_and_the_service_starts() {
    let damaged = fixture("damaged_truncated.json");
    let setup = Setup::new();
    std::fs::write(setup.state_file(), &damaged).unwrap();
    let service = setup.start().await;
    assert_eq!(service.get("/api/v1/tasks").await.expect(200), json!([]));
    let id = service.submit("hello").await;
    service.finished(&id).await;
    let stopped = service.ends_well().await;
    let log = stopped.setup().log();
    assert!(
        log.contains("ERROR") && log.contains("state_dump.json"),
        "{log}"
    );

    let files = std::fs::read_dir(stopped.setup().folder()).unwrap();
    let kept = files.filter(|file| {
        let path = file.as_ref().unwrap().path();
        path.is_file() && std::fs::read(path).unwrap() == damaged
    });
    assert_eq!(kept.count(), 1);
    let written = std::fs::read(stopped.setup().state_file()).unwrap();
    let written: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(written["tasks"][0]["id"], id);
}

#[tokio::test]
async fn a_dump_can_be_turned_off() {
    let service = Setup::new()
        .variable("VENOM_STATE_DUMP", "off")
        .start()
        .await;
    let id = service.submit("hello").await;
    service.finished(&id).await;
    let stopped = service.ends_well().await;
    assert!(!stopped.setup().state_file().exists());
}

#[tokio::test]
async fn the_state_file_follows_changes_while_the_service_runs() {
    let service = Setup::new()
        .variable("STATE_DUMP_INTERVAL", "0.1")
        .start()
        .await;
    let id = service.submit("hello").await;
    support::eventually("the task is in the state file", || async {
        let text = std::fs::read(service.setup().state_file()).unwrap_or_default();
        // Written atomically: it is whole whenever it is there.
        let dump: Value = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&text).unwrap()
        };
        let task = &dump["tasks"][0];
        (task["id"] == *id && task["status"] == "COMPLETED").then_some(())
    })
    .await;
    service.ends_well().await;
}

#[tokio::test]
async fn the_first_change_is_in_the_state_file_soon_and_a_large_one_is_warned_of() {
    let setup = Setup::new().variable("STATE_DUMP_INTERVAL", "3600");
    let setup = setup.setting("body_limit_bytes", 12 << 20);
    // Left by `touch`: it is empty, not damaged.
    std::fs::write(setup.state_file(), "").unwrap();
    let service = setup.start().await;
    let large = "x".repeat((10 << 20) - 100);
    let id = service.submit(&large).await;
    support::eventually("the task is in the state file", || async {
        let text = std::fs::read(service.setup().state_file()).unwrap_or_default();
        let dump: Value = serde_json::from_slice(&text).unwrap_or_default();
        (dump["tasks"][0]["id"] == *id).then_some(())
    })
    .await;
    let report = service.get("/api/v1/doctor").await.expect(200);
    let checks = report["checks"].as_array().unwrap();
    let found = checks.iter().find(|check| check["name"] == "state file");
    let found = found.unwrap();
    assert_eq!(found["state"], "warn");
    let stopped = service.ends_well().await;
    let log = stopped.setup().log();
    let warnings = log
        .lines()
        .filter(|line| line.contains("the original reads"));
    assert_eq!(warnings.count(), 1, "once");
    assert!(!log.contains("damaged"), "{log}");
    let files = std::fs::read_dir(stopped.setup().folder()).unwrap();
    let names = files.map(|file| file.unwrap().file_name());
    let kept = names.filter(|name| name.to_string_lossy().starts_with("state_dump.json"));
    assert_eq!(kept.count(), 1, "nothing was put aside");
}

#[tokio::test]
async fn of_tasks_with_one_unique_key_only_one_comes_in() {
    let service = paused().await;
    let task = json!({"content": "here", "unique_key": "taken"});
    service.submit_json(&task).await;
    let ids: Vec<_> = (0..4)
        .map(|n| format!("{n}0000000-0000-4000-8000-000000000000"))
        .collect();
    let task = |n: usize, key: &str, status: &str| {
        json!({"id": ids[n], "content": "imported", "status": status, "unique_key": key,
               "created_at": "2026-01-31T12:00:00Z"})
    };
    let dump = json!({"tasks": [
        task(0, "taken", "PENDING"), task(1, "free", "PENDING"), task(2, "free", "PENDING"),
        task(3, "taken", "COMPLETED"),
    ]});
    let left_out = [ids[0].as_str(), &ids[2]];
    let answer = import(&service, "", dump.to_string()).await.expect(200);
    assert_eq!(answer, report(2, 0, 0, &left_out));
    let again = import(&service, "", dump.to_string()).await.expect(200);
    assert_eq!(again, report(0, 2, 0, &left_out));
    let replaced = import(&service, "?replace=true", dump.to_string()).await;
    assert_eq!(replaced.expect(200), report(0, 0, 2, &left_out));
    service.stop().await;
}
