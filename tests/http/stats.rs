//! What the charts are drawn from: counts by steps of time, that outlive a restart and a crash.

use serde_json::{Value, json};

use support::{Service, Setup, eventually};

const WINDOWS: [(&str, u64, usize); 3] = [("5m", 5, 60), ("1h", 60, 60), ("1d", 900, 96)];

fn points(stats: &Value) -> &[Value] {
    stats["points"].as_array().expect("a list of points")
}

fn counts(stats: &Value) -> [u64; 5] {
    ["created", "started", "completed", "failed", "retried"].map(|name| {
        let counts = points(stats).iter().map(|point| point[name].as_u64());
        counts.sum::<Option<u64>>().expect("a number")
    })
}

/// Counts of the last hour: created, started, completed, failed, retried.
async fn counted(service: &Service) -> [u64; 5] {
    counts(&service.stats("1h").await)
}

/// The summaries of this name, of the steps that have one.
fn summaries<'a>(stats: &'a Value, name: &str) -> Vec<&'a Value> {
    let all = points(stats).iter().map(|point| &point[name]);
    all.filter(|summary| !summary.is_null()).collect()
}

fn seconds(time: &Value) -> i64 {
    let time: venom_core::Timestamp = time.as_str().unwrap().parse().unwrap();
    time.utc().timestamp()
}

#[tokio::test]
async fn a_window_is_an_even_row_of_steps_up_to_now() {
    let service = Service::start().await;
    for (window, step, steps) in WINDOWS {
        let stats = service.stats(window).await;
        assert_eq!(stats["window"], window);
        assert_eq!(stats["step_seconds"], step);
        assert_eq!(points(&stats).len(), steps, "{window}");
        let times: Vec<_> = points(&stats).iter().map(|p| seconds(&p["at"])).collect();
        let (first, last) = (times[0], times[steps - 1]);
        assert!(
            times
                .windows(2)
                .all(|pair| pair[1] - pair[0] == step as i64)
        );
        assert_eq!((first, first % step as i64), (seconds(&stats["from"]), 0));
        assert!((last..=last + step as i64).contains(&seconds(&stats["to"])));
        assert_eq!(points(&stats)[0]["wait_seconds"], Value::Null);
        assert_eq!(points(&stats)[0]["run_seconds"], Value::Null);
    }
    assert_eq!(
        service.get("/api/v1/stats").await.expect(200)["window"],
        "5m"
    );
    service.ends_well().await;
}

#[tokio::test]
async fn another_window_is_refused() {
    let service = Service::start().await;
    let answer = service.get("/api/v1/stats?window=1w").await;
    let problem = answer.problem();
    assert_eq!(problem["loc"], json!(["query", "window"]));
    assert!(
        problem["msg"].as_str().unwrap().contains("5m, 1h, 1d"),
        "{problem}"
    );
    service.get("/api/v1/stats?step=1").await.problem();
    service.ends_well().await;
}

#[tokio::test]
async fn every_window_counts_what_happens() {
    let setup =
        Setup::new().gate_processor("again", "max_attempts = 2\nbackoff = { first = 0.01 }");
    let service = setup.gates().start().await;
    service.submit_many(3).await;
    let aborted = service.submit_to_gate("aborted").await;
    service.abort(&aborted).await.expect(200);
    service.finished(&aborted).await;
    service.pause().await;
    service.submit("purged").await;
    service.purge().await;
    service.resume().await;
    let twice = service.submit_to("again", "fails twice").await;
    service.at_gate(&twice).await;
    service.say(&twice, "fail").await;
    service.at_gate_again(&twice, 2).await;
    service.say_again(&twice, 2, "fail").await;
    service.finished(&twice).await;
    for (window, ..) in WINDOWS {
        let stats = service.stats(window).await;
        assert_eq!(counts(&stats), [6, 6, 3, 3, 1], "{window}");
    }
    service.ends_well().await;
}

#[tokio::test]
async fn waiting_and_running_are_timed() {
    let service = Service::with_gates().await;
    service.pause().await;
    let id = service.submit_to("gate", "waits, then runs").await;
    service.resume().await;
    service.at_gate(&id).await;
    let task = service.open_gate(&id).await;
    let between = |from: &str, to: &str| {
        let time =
            |name: &str| -> venom_core::Timestamp { task[name].as_str().unwrap().parse().unwrap() };
        time(to).seconds_since(time(from))
    };
    let stats = service.stats("1d").await;
    for (name, seconds) in [
        ("wait_seconds", between("run_at", "started_at")),
        ("run_seconds", between("started_at", "finished_at")),
    ] {
        let [summary] = summaries(&stats, name)[..] else {
            panic!("one step has {name}: {stats}");
        };
        for value in ["mean", "p50", "p95", "max"] {
            let found = summary[value].as_f64().unwrap();
            assert!(
                (found / seconds - 1.0).abs() < 0.06,
                "{value} of {summary}: {seconds}"
            );
        }
    }
    service.ends_well().await;
}

#[tokio::test]
async fn a_restart_keeps_the_counts() {
    let service = Service::start().await;
    service.submit_many(20).await;
    let before = service.stats("1d").await;
    let service = service.stop().await.start().await;
    let after = service.stats("1d").await;
    assert_eq!(counts(&after), [20, 20, 20, 0, 0]);
    assert_eq!(
        summaries(&after, "wait_seconds"),
        summaries(&before, "wait_seconds")
    );
    assert_eq!(
        summaries(&after, "run_seconds"),
        summaries(&before, "run_seconds")
    );
    service.submit("one more").await;
    service.drained().await;
    assert_eq!(counted(&service).await, [21, 21, 21, 0, 0]);
    service.ends_well().await;
}

#[tokio::test]
async fn after_a_crash_the_journal_tells_what_was_not_stored() {
    let service = Service::start().await;
    service.submit_many(20).await;
    let stopped = service.kill9().await;
    let stored = "SELECT count(*) FROM stats";
    assert_eq!(stopped.database().await.number(stored).await, 0);
    let service = stopped.start().await;
    let stats = service.stats("1d").await;
    assert_eq!(counts(&stats), [20, 20, 20, 0, 0]);
    assert!(!summaries(&stats, "wait_seconds").is_empty());
    assert!(!summaries(&stats, "run_seconds").is_empty());
    service.ends_well().await;
}

#[tokio::test]
async fn counts_are_stored_while_the_service_runs_and_counted_once_after_a_crash() {
    let service = Service::start().await;
    service.submit_many(20).await;
    eventually("the counts are stored", || async {
        let stored = "SELECT count(*) FROM stats";
        (service.database().await.number(stored).await >= 3).then_some(())
    })
    .await;
    service.submit("after that").await;
    service.drained().await;
    let service = service.kill9().await.start().await;
    assert_eq!(counted(&service).await, [21, 21, 21, 0, 0]);
    service.ends_well().await;
}

#[tokio::test]
async fn what_other_programs_submit_is_counted() {
    let service = Service::start().await;
    let insert = "INSERT INTO tasks (content) VALUES ('by SQL'), ('by SQL too')";
    service.database().await.run(insert).await.unwrap();
    eventually("both are done", || async {
        (counted(&service).await == [2, 2, 2, 0, 0]).then_some(())
    })
    .await;
    service.ends_well().await;
}

#[tokio::test]
async fn what_is_too_old_or_spoilt_is_not_shown() {
    let service = Service::start().await;
    service.submit("a task").await;
    service.drained().await;
    let stopped = service.stop().await;
    let spoil = "INSERT INTO stats VALUES (60, 0, '{\"created\": 5}'),
                                          (60, unixepoch() / 60 * 60 - 60, 'no JSON'),
                                          (7, unixepoch(), '{\"created\": 5}')";
    stopped.database().await.run(spoil).await.unwrap();
    let service = stopped.start().await;
    assert_eq!(counted(&service).await, [1, 1, 1, 0, 0]);
    service.ends_well().await;
}

#[tokio::test]
async fn imported_tasks_are_not_counted_by_the_next_start_either() {
    let service = Service::start().await;
    service.pause().await;
    service.submit("imported").await;
    let dump = service.get("/api/v1/export").await.expect(200).to_string();
    for crashes in [false, true] {
        let service = Service::start().await;
        service.pause().await;
        let answer = service.post_text("/api/v1/import", dump.clone()).await;
        assert_eq!(answer.expect(200)["imported"], 1);
        let stopped = match crashes {
            true => service.kill9().await,
            false => service.stop().await,
        };
        let service = stopped.start().await;
        assert_eq!(counted(&service).await, [0, 0, 0, 0, 0], "{crashes}");
        service.ends_well().await;
    }
}
