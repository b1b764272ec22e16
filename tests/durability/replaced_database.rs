//! The database's files go while the service runs: nothing more is accepted, because it would be lost, and what was
//! accepted before can be saved.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use support::{Answer, Service, Setup, eventually};

fn beside(service: &Service, ending: &str) -> PathBuf {
    let mut name = service.setup().database_path().into_os_string();
    name.push(ending);
    name.into()
}

/// A whole copy of the database as it is, under another name.
async fn copy(service: &Service) -> PathBuf {
    let copy = service.setup().folder().join("copy.db");
    let into = format!("VACUUM INTO '{}'", copy.display());
    service.database().await.run(&into).await.expect("a copy");
    copy
}

async fn submit(service: &Service) -> Answer {
    let body = serde_json::json!({ "content": "into the void" });
    service.post_json("/api/v1/tasks", &body).await
}

/// Everything that may be asked says that nothing is accepted, and why.
async fn check_refusals(service: &Service, file: &str, happened: &str) {
    let answer = submit(service).await;
    let sentence = answer.sentence(503);
    assert!(sentence.contains("replaced or removed"), "{sentence}");
    assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
    service.post("/api/v1/queue/pause").await.sentence(503);
    let ready = service.get("/readyz").await.sentence(503);
    assert!(ready.contains(file) && ready.contains(happened), "{ready}");
    let report = service.get("/api/v1/doctor").await.expect(200);
    assert_eq!(report["healthy"], false, "{report}");
    let checks = report["checks"].as_array().expect("checks").iter();
    let database: Vec<&Value> = checks.filter(|check| check["name"] == "database").collect();
    let [database] = &database[..] else {
        panic!("one check of the database: {report}");
    };
    assert_eq!(database["state"], "fail", "{report}");
    let message = database["message"].as_str().expect("a sentence");
    assert!(
        message.contains(file) && message.contains(happened),
        "{message}"
    );
}

fn errors(service: &Service) -> usize {
    let log = service.setup().log();
    log.lines().filter(|line| line.contains("ERROR")).count()
}

#[tokio::test]
async fn a_database_that_is_replaced_takes_no_task_and_the_new_file_stays_whole() {
    let service = Service::start().await;
    let kept = service.submit("in the copy").await;
    service.finished(&kept).await;
    let copy = copy(&service).await;
    let id = service.submit("not in the copy").await;
    service.finished(&id).await;
    fs::rename(&copy, service.setup().database_path()).expect("it can be replaced");
    check_refusals(&service, "venom.db", "replaced").await;
    check_refusals(&service, "venom.db", "replaced").await;
    assert_eq!(errors(&service), 1, "{}", service.setup().log());
    // What was accepted can be read and saved.
    let dump = service.get("/api/v1/export").await.expect(200);
    assert_eq!(dump["tasks"].as_array().map(Vec::len), Some(2), "{dump}");
    // The log at the path would be applied to the new file: it is emptied, also if nobody stops the service.
    eventually("the write-ahead log is copied back", || async {
        let log = fs::metadata(beside(&service, "-wal")).expect("it stays");
        (log.len() == 0).then_some(())
    })
    .await;
    service.terminate();
    let (status, stopped) = service.exited().await;
    assert_eq!(
        status.code(),
        Some(1),
        "what it had is no longer at its path"
    );
    let service = stopped.start().await;
    assert_eq!(service.task(&kept).await["status"], "COMPLETED");
    assert_eq!(
        service.get(&format!("/api/v1/tasks/{id}")).await.status,
        404
    );
    assert_eq!(submit(&service).await.status, 201);
    service.ends_well().await;
}

#[tokio::test]
async fn a_database_that_is_removed_with_everything_beside_it_takes_no_task() {
    let service = Setup::new().gates().start().await;
    let id = service.submit_to_gate("it runs").await;
    for ending in ["", "-wal", "-shm", ".lock"] {
        fs::remove_file(beside(&service, ending)).expect("it is there");
    }
    check_refusals(&service, "venom.db", "removed").await;
    // The outcome cannot be stored either, and is not lost from sight.
    service.say(&id, "open").await;
    service.left_gate(&id).await;
    assert_eq!(service.task(&id).await["status"], "PROCESSING");
    let lock = beside(&service, ".lock");
    eventually("the lock file is there again", || async {
        let text = fs::read_to_string(&lock).unwrap_or_default();
        text.starts_with("http://").then_some(())
    })
    .await;
    service.terminate();
    let (status, stopped) = service.exited().await;
    assert_eq!(status.code(), Some(1));
    // The last dump has the tasks, and an empty database takes it.
    let service = stopped.start().await;
    assert_eq!(service.task(&id).await["content"], "it runs");
    service.say_again(&id, 2, "open").await;
    assert_eq!(service.finished(&id).await["status"], "COMPLETED");
    service.ends_well().await;
}

#[tokio::test]
async fn a_database_that_comes_back_takes_tasks_again() {
    let service = Setup::new().gates().start().await;
    let running = service.submit_to_gate("it runs").await;
    let (path, aside) = (
        service.setup().database_path(),
        service.setup().folder().join("aside.db"),
    );
    fs::rename(&path, &aside).expect("it can be moved");
    check_refusals(&service, "venom.db", "removed").await;
    service.say(&running, "open").await;
    service.left_gate(&running).await;
    fs::rename(&aside, &path).expect("it can be moved back");
    assert_eq!(service.finished(&running).await["status"], "COMPLETED");
    let answer = submit(&service).await.expect(201);
    let id = answer["task_id"].as_str().expect("an id");
    service.finished(id).await;
    assert_eq!(service.get("/readyz").await.status, 200);
    service.ends_well().await;
}

#[tokio::test]
async fn a_write_ahead_log_that_is_removed_takes_nothing_with_it() {
    for ending in ["-wal", "-shm"] {
        let service = Service::start().await;
        let id = service.submit("accepted before").await;
        service.finished(&id).await;
        fs::remove_file(beside(&service, ending)).expect("it is there");
        check_refusals(&service, &format!("venom.db{ending}"), "removed").await;
        service.terminate();
        let (status, stopped) = service.exited().await;
        assert_eq!(status.code(), Some(1));
        let service = stopped.start().await;
        assert_eq!(service.task(&id).await["status"], "COMPLETED");
        service.ends_well().await;
    }
}

#[tokio::test]
async fn a_second_service_stays_out_without_the_lock_file_and_by_another_name() {
    let service = Setup::new().gates().start().await;
    let running = service.submit_to_gate("it runs").await;
    let lock = beside(&service, ".lock");
    let before = fs::read_to_string(&lock).expect("a lock file");
    fs::remove_file(&lock).expect("it is there");
    let second = Setup::new().data_in(service.setup().folder());
    let (status, log) = second.start_and_fail().await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("in use"), "{log}");

    let elsewhere = Setup::new();
    fs::hard_link(service.setup().database_path(), elsewhere.database_path()).expect("a link");
    let (status, log) = elsewhere.start_and_fail().await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("hard link"), "{log}");

    eventually("the lock file says again where the service is", || async {
        let text = fs::read_to_string(&lock).unwrap_or_default();
        (text == before).then_some(())
    })
    .await;
    let log = service.setup().log();
    assert!(log.contains("recreated"), "{log}");
    // Another program still reads and writes as before.
    let insert = "INSERT INTO tasks(content, processor) VALUES ('by SQL', 'echo')";
    let mut database = service.database().await;
    database.run(insert).await.expect("it is written");
    drop(database);
    // The task that runs has not been touched.
    service.say(&running, "open").await;
    let task = service.finished(&running).await;
    assert_eq!(
        (&task["status"], &task["attempt"]),
        (&"COMPLETED".into(), &1.into())
    );
    service.drained().await;
    service.ends_well().await;
}
