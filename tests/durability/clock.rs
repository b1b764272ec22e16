//! The clock is set: what waits for a length of time waits no longer and no shorter for it.

use serde_json::json;

use support::{Answer, DAY, Service, Setup, eventually};

/// Ten minutes: far more than a test waits.
const BACK: i64 = -600;

async fn submit_five(service: &Service) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(service.submit(&format!("task {n}")).await);
    }
    ids
}

async fn all_complete(service: &Service, ids: &[String]) {
    for id in ids {
        assert_eq!(service.finished(id).await["status"], "COMPLETED");
    }
}

fn warnings(log: &str) -> usize {
    let lines = log.lines().filter(|line| line.contains("WARN"));
    lines.filter(|line| line.contains("the clock ")).count()
}

/// The types of the reasons why a task waits.
async fn reasons(service: &Service, id: &str) -> Vec<String> {
    let path = format!("/api/v1/tasks/{id}/explain");
    let explained = service.get(&path).await.expect(200);
    let reasons = explained["reasons"].as_array().expect("reasons").iter();
    reasons
        .map(|it| it["type"].as_str().expect("a type").to_owned())
        .collect()
}

#[tokio::test]
async fn what_was_submitted_without_a_delay_starts_whatever_the_clock_says() {
    let service = Setup::new().own_clock().start().await;
    service.pause().await;
    let mut ids = submit_five(&service).await;
    let keyed = json!({"content": "keyed", "concurrency_key": "k", "priority": 3});
    ids.push(service.submit_json(&keyed).await);
    let upstream = json!({"content": "after", "after": [ids[0]]});
    ids.push(service.submit_json(&upstream).await);
    let delayed = json!({"content": "delayed", "delay": 1});
    ids.push(service.submit_json(&delayed).await);
    let tomorrow = json!({"content": "tomorrow", "delay": DAY});
    let tomorrow = service.submit_json(&tomorrow).await;
    let chosen = json!({"content": "chosen", "run_at": "2999-01-01T00:00:00Z"});
    let chosen = service.submit_json(&chosen).await;

    service.set_clock(BACK);
    service.resume().await;
    all_complete(&service, &ids).await;
    for (id, run_at) in [
        (&chosen, Some("2999-01-01T00:00:00.000000Z")),
        (&tomorrow, None),
    ] {
        let task = service.task(id).await;
        assert_eq!(task["status"], "PENDING");
        if let Some(run_at) = run_at {
            assert_eq!(task["run_at"], run_at);
        }
    }
    // The delay begins again, and is no longer than it was.
    let left = "SELECT (julianday(run_at) - julianday('now')) * 86400 FROM tasks
                 WHERE content = 'tomorrow'";
    let left: f64 = sqlx::Row::get(&service.database().await.rows(left).await[0], 0);
    assert!(left <= (DAY + BACK + 60) as f64, "{left}");
    assert_eq!(warnings(&service.setup().log()), 1);
    assert!(service.setup().log().contains("set back by 600 s"));
    service.ends_well().await;
}

#[tokio::test]
async fn a_clock_that_was_set_back_between_two_runs_stops_nothing() {
    let setup = Setup::new()
        .table("[processors.rated]\nkind = \"echo\"\nrate = \"1/s\"")
        .own_clock();
    let service = setup.start().await;
    let first = service.submit_to("rated", "first").await;
    service.finished(&first).await;
    service.pause().await;
    let mut ids = submit_five(&service).await;
    ids.push(service.submit_to("rated", "second").await);
    let stopped = service.kill9().await;
    stopped.set_clock(BACK);
    let service = stopped.start().await;
    service.resume().await;
    all_complete(&service, &ids).await;
    assert_eq!(warnings(&service.setup().log()), 1);
    service.ends_well().await;
}

#[tokio::test]
async fn a_retry_by_hand_keeps_no_time_that_nobody_has_chosen() {
    let service = Setup::new().own_clock().start().await;
    service.pause().await;
    let plain = service.submit("plain").await;
    let chosen = json!({"content": "chosen", "run_at": "2999-01-01T00:00:00Z"});
    let chosen = service.submit_json(&chosen).await;
    service.purge().await;
    service.set_clock(BACK);
    service.resume().await;
    let retry = |id: &str| format!("/api/v1/tasks/{id}/retry");
    let said = service.post(&retry(&plain)).await.expect(200);
    assert_eq!(said["success"], true);
    service.post(&retry(&chosen)).await.expect(200);
    all_complete(&service, &[plain]).await;
    let chosen = service.task(&chosen).await;
    assert_eq!(chosen["run_at"], "2999-01-01T00:00:00.000000Z");
    service.ends_well().await;
}

#[tokio::test]
async fn tasks_start_in_the_order_of_their_arrival_also_after_a_long_repair() {
    let service = Setup::new().own_clock().start().await;
    service.pause().await;
    // More than the Writer looks through in two chunks.
    let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 11000),
                     ahead(at) AS (SELECT strftime('%Y-%m-%dT%H:%M:%S.000000Z', 'now', '+500 seconds'))
                INSERT INTO tasks (content, created_at, run_at) SELECT 'x', at, at FROM n, ahead";
    service.database().await.run(many).await.expect("tasks");
    service.set_clock(BACK);
    let waits = "SELECT count(*) FROM tasks
                  WHERE run_at > strftime('%Y-%m-%dT%H:%M:%S.000000Z', 'now', '-300 seconds')";
    eventually("the repair has ended", || async {
        (service.database().await.number(waits).await == 0).then_some(())
    })
    .await;
    let times = "SELECT count(DISTINCT run_at) FROM tasks";
    assert_eq!(service.database().await.number(times).await, 1);
    service.stop().await;
}

#[tokio::test]
async fn a_wrong_clock_that_was_put_right_is_no_news_at_the_next_start() {
    let setup = Setup::new().own_clock();
    setup.set_clock(400 * DAY);
    let service = setup.start().await;
    let ahead = service.submit("ahead").await;
    service.finished(&ahead).await;
    service.set_clock(0);
    let id = service.submit("in time").await;
    service.finished(&id).await;
    let stopped = service.stop().await;
    let before = warnings(&stopped.setup().log());
    assert_eq!(before, 1);
    let service = stopped.start().await;
    let id = service.submit("again").await;
    service.finished(&id).await;
    let log = service.setup().log();
    assert!(warnings(&log) <= before, "{log}");
    let after_start = log
        .rsplit("set back by")
        .next()
        .expect("the end of the log");
    assert!(!after_start.contains("newest event"), "{log}");
    service.ends_well().await;
}

#[tokio::test]
async fn a_rate_waits_for_its_window_and_for_nothing_else() {
    let processor =
        |name: &str, rate: &str| format!("[processors.{name}]\nkind = \"echo\"\nrate = \"{rate}\"");
    let setup = Setup::new()
        .table(&processor("quick", "1/s"))
        .table(&processor("slow", "1/h"))
        .own_clock();
    let service = setup.start().await;
    for processor in ["quick", "slow"] {
        let first = service.submit_to(processor, "first").await;
        service.finished(&first).await;
    }
    service.set_clock(BACK);
    let second = service.submit_to("quick", "second").await;
    service.finished(&second).await;
    // An hour by the clock is none in truth.
    service.set_clock(2 * 3600);
    let held = service.submit_to("slow", "second").await;
    let after = service.submit_to("quick", "third").await;
    service.finished(&after).await;
    assert_eq!(reasons(&service, &held).await, ["processor_rate"]);
    service.ends_well().await;
}

#[tokio::test]
async fn a_retry_waits_no_longer_than_its_pause() {
    let settings = "max_attempts = 2\nbackoff = { first = 3, max = 3, jitter = 0 }";
    let setup = Setup::new().gate_processor("gate", settings).own_clock();
    let service = setup.start().await;
    let mut listener = service.listen("").await;
    let id = service.submit_to("gate", "stubborn").await;
    service.say(&id, "fail once").await;
    listener.until("TASK_RETRYING", &id).await;
    service.set_clock(BACK);
    service.say_again(&id, 2, "open").await;
    assert_eq!(service.finished(&id).await["status"], "COMPLETED");
    service.ends_well().await;
}

#[tokio::test]
async fn a_clock_that_is_behind_for_a_while_after_a_start_shortens_no_wait() {
    let settings = "max_attempts = 2\nbackoff = { first = 3600, max = 3600, jitter = 0 }";
    let setup = Setup::new().gate_processor("gate", settings).own_clock();
    let service = setup.start().await;
    let mut listener = service.listen("").await;
    let retried = service.submit_to("gate", "stubborn").await;
    service.say(&retried, "fail once").await;
    listener.until("TASK_RETRYING", &retried).await;
    let delayed = json!({"content": "delayed", "delay": 3600});
    let delayed = service.submit_json(&delayed).await;
    let until = "SELECT strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '+1 hour')";
    let until = service.database().await.text(until).await;
    let pause = json!({"processor": "echo", "until": until});
    service
        .post_json("/api/v1/queue/pause", &pause)
        .await
        .expect(200);
    let held = service.submit("held").await;
    // To the second: a delay counts from the creation, which is told to the microsecond by another reading.
    let run_at = |task: &serde_json::Value| {
        let time = task["run_at"].as_str().expect("a time");
        let time = chrono::DateTime::parse_from_rfc3339(time).expect("RFC 3339");
        time.timestamp()
    };
    let before = [&retried, &delayed];
    let before = [
        run_at(&service.task(before[0]).await),
        run_at(&service.task(before[1]).await),
    ];
    drop(listener);
    let stopped = service.stop().await;

    stopped.set_clock(-2 * 3600);
    let service = stopped.start().await;
    let ahead = "SELECT count(*) FROM tasks
                  WHERE run_at > strftime('%Y-%m-%dT%H:%M:%S.000000Z', 'now')";
    eventually(
        "the waits begin again by the clock that is behind",
        || async { (service.database().await.number(ahead).await == 0).then_some(()) },
    )
    .await;
    for is_first in [true, false] {
        service.set_clock(0);
        eventually("the waits are as they were", || async {
            let times = [
                run_at(&service.task(&retried).await),
                run_at(&service.task(&delayed).await),
            ];
            let is_near = |(time, before): (&i64, &i64)| (time - before).abs() <= 1;
            times.iter().zip(&before).all(is_near).then_some(())
        })
        .await;
        if is_first {
            // It goes on, and again behind while the service runs.
            service.set_clock(-2 * 3600);
            eventually("the waits begin again", || async {
                (service.database().await.number(ahead).await == 0).then_some(())
            })
            .await;
        }
    }
    for id in [&retried, &delayed, &held] {
        assert_eq!(service.task(id).await["status"], "PENDING");
    }
    assert_eq!(service.task(&delayed).await["attempt"], 0);
    assert_eq!(reasons(&service, &held).await, ["processor_paused"]);
    let flag = "SELECT count(*) FROM meta WHERE key = 'brought_forward'";
    eventually("nothing is left to put back", || async {
        (service.database().await.number(flag).await == 0).then_some(())
    })
    .await;
    service.stop().await;
}

#[tokio::test]
async fn starts_before_a_clock_that_is_behind_at_a_start_are_as_long_ago_as_they_were() {
    let setup = Setup::new()
        .table("[processors.slow]\nkind = \"echo\"\nrate = \"1/h\"")
        .own_clock();
    let service = setup.start().await;
    let first = service.submit_to("slow", "first").await;
    service.finished(&first).await;
    service.set_clock(3000);
    let other = service.submit("other").await;
    service.finished(&other).await;
    let stopped = service.kill9().await;
    stopped.set_clock(0);
    let service = stopped.start().await;
    let held = service.submit_to("slow", "second").await;
    assert_eq!(reasons(&service, &held).await, ["processor_rate"]);
    let path = format!("/api/v1/tasks/{held}/explain");
    let explained = service.get(&path).await.expect(200);
    let frees_at = explained["reasons"][0]["frees_at"]
        .as_str()
        .expect("a time");
    // 50 minutes of the hour had passed.
    let soon = "SELECT strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '+20 minutes')";
    let soon = service.database().await.text(soon).await;
    assert!(*frees_at < *soon, "{frees_at}, {soon}");
    service.stop().await;
}

/// Tasks that schedules have made.
async fn made(service: &Service) -> usize {
    service.due_times().await.len()
}

/// Waits until schedules have made two more tasks.
async fn goes_on(service: &Service) {
    let before = made(service).await;
    eventually("the schedule goes on", || async {
        (made(service).await >= before + 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_schedule_goes_on_after_the_clock_was_set_back_and_after_it_was_far_ahead() {
    let every = "[schedules.often]\ncontent = \"often\"\nevery = \"1s\"\n\
                 [schedules.daily]\ncontent = \"daily\"\ncron = \"0 3 * * *\"";
    let service = Setup::new().table(every).own_clock().start().await;
    goes_on(&service).await;
    service.set_clock(BACK);
    goes_on(&service).await;
    service.set_clock(400 * DAY);
    goes_on(&service).await;
    service.set_clock(0);
    goes_on(&service).await;
    // Whatever mark is left in the future by a clock that was wrong.
    let mut stopped = service.stop().await;
    let ahead = "UPDATE schedules SET last_due = '2999-01-01T00:00:00.000000Z'";
    stopped.database().await.run(ahead).await.expect("marks");
    for _ in 0..2 {
        let service = stopped.start().await;
        let daily = service.schedule("daily").await;
        let next: String = daily["next_run"].as_str().expect("a time").to_owned();
        let sooner = "SELECT ?1 < strftime('%Y-%m-%dT%H:%M:%S', 'now', '+25 hours')";
        let sooner = sooner.replace("?1", &format!("'{next}'"));
        assert_eq!(service.database().await.number(&sooner).await, 1, "{next}");
        goes_on(&service).await;
        stopped = service.stop().await;
    }
}

/// What a finding of the doctor about the clock says, if there is one.
async fn clock_findings(service: &Service) -> Vec<String> {
    let report = service.get("/api/v1/doctor?full=true").await.expect(200);
    let checks = report["checks"].as_array().expect("checks").iter();
    let of_clock = checks.filter(|it| it["name"] == "clock" && it["state"] == "warn");
    let messages = of_clock.map(|it| it["message"].as_str().expect("a sentence").to_owned());
    // That no daemon keeps this machine in time is not the matter here.
    messages
        .filter(|message| !message.contains("not synchronised"))
        .collect()
}

#[tokio::test]
async fn a_clock_that_was_far_ahead_for_a_while_deletes_and_holds_nothing() {
    let setup = Setup::new()
        .setting("retention_completed", "\"1d\"")
        .setting("state_dump", false)
        .own_clock();
    let service = setup.start().await;
    let key = "SELECT count(*) FROM idempotency WHERE key = 'once'";
    let repeat = |service: &Service| {
        let request = service.request(reqwest::Method::POST, "/api/v1/tasks");
        let request = request.header("Idempotency-Key", "once");
        request.json(&json!({"content": "kept"}))
    };
    let kept = Answer::of(repeat(&service)).await.expect(201);
    let kept = kept["task_id"].as_str().expect("an id").to_owned();
    service.finished(&kept).await;
    let stopped = service.stop().await;

    stopped.set_clock(400 * DAY);
    let service = stopped.start().await;
    eventually("the sweep has looked", || async {
        let log = service.setup().log();
        log.contains("retention waits").then_some(())
    })
    .await;
    assert_eq!(service.task(&kept).await["status"], "COMPLETED");
    assert_eq!(service.database().await.number(key).await, 1);

    let ahead = service.submit("ahead").await;
    service.finished(&ahead).await;
    let until = "SELECT strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '+400 days', '+3 seconds')";
    let until = service.database().await.text(until).await;
    let pause = json!({"processor": "echo", "until": until});
    service
        .post_json("/api/v1/queue/pause", &pause)
        .await
        .expect(200);
    let waiting = service.submit("waits for three seconds").await;
    service.set_clock(0);
    all_complete(&service, &[waiting]).await;
    let found = clock_findings(&service).await;
    let names = |what: &str| found.iter().any(|message| message.contains(what));
    assert!(names("tasks that finished in the future"), "{found:?}");
    service.ends_well().await;
}

#[tokio::test]
async fn the_doctor_names_what_stands_in_the_future() {
    let setup = Setup::new().table("[schedules.late]\ncontent = \"late\"\nevery = \"1h\"");
    let service = setup.start().await;
    eventually("the schedule is known", || async {
        let known = "SELECT count(*) FROM schedules";
        (service.database().await.number(known).await == 1).then_some(())
    })
    .await;
    assert_eq!(clock_findings(&service).await, Vec::<String>::new());
    let ahead = "UPDATE schedules SET last_due = '2999-01-01T00:00:00.000000Z'";
    service.database().await.run(ahead).await.expect("a mark");
    let task = "INSERT INTO tasks (content, created_at, run_at)
                VALUES ('x', '2999-01-01T00:00:00.000000Z', '2999-01-01T00:00:00.000000Z')";
    service.database().await.run(task).await.expect("a task");
    let found = clock_findings(&service).await;
    for what in [
        "1 pending tasks without a delay",
        "1 schedules whose last run is in the future, such as late",
    ] {
        let is_said = found.iter().any(|message| message.starts_with(what));
        assert!(is_said, "{what}: {found:?}");
    }
    let stopped = service.stop().await;
    // At a start it is put right.
    let service = stopped.start().await;
    service.drained().await;
    service.ends_well().await;
}
