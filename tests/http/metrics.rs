//! `GET /metrics`, and the dashboard and the alerts that are made of it.

use std::collections::HashSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use venom_core::{Failure, Timestamp};

use support::{Service, Setup, value_of};

fn docs(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(name)
}

/// promtool with these arguments, and `input` on its stdin.
fn promtool(arguments: &[&str], input: &str) -> Output {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/promtool/usr/bin/promtool");
    let program = match fetched.exists() {
        true => fetched,
        false => PathBuf::from("promtool"),
    };
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(docs(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool; scripts/test fetches it, or: apt-get install prometheus");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

#[track_caller]
fn assert_content(output: &Output) {
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (said(&output.stdout), said(&output.stderr));
    assert!(output.status.success(), "{stdout}{stderr}");
    assert_eq!(stderr, "", "{stdout}");
}

/// A service that has done a little of everything that is counted.
async fn busy() -> Service {
    let setup =
        Setup::new().gate_processor("again", "max_attempts = 2\nbackoff = { first = 0.01 }");
    let service = setup.gates().start().await;
    service.submit("done").await;
    let aborted = service.submit_to_gate("aborted").await;
    service.abort(&aborted).await.expect(200);
    service.finished(&aborted).await;
    let twice = service.submit_to("again", "fails twice").await;
    service.say(&twice, "fail").await;
    service.say_again(&twice, 2, "fail").await;
    service.finished(&twice).await;
    service.drained().await;
    service
}

#[tokio::test]
async fn what_happens_is_counted_by_processor() {
    let service = busy().await;
    let text = service.metrics().await;
    for (series, expected) in [
        ("venom_tasks_created_total{processor=\"echo\"}", 1.0),
        ("venom_tasks_created_total{processor=\"gate\"}", 1.0),
        ("venom_task_claims_total{processor=\"echo\"}", 1.0),
        ("venom_task_claims_total{processor=\"again\"}", 2.0),
        ("venom_tasks_completed_total{processor=\"echo\"}", 1.0),
        ("venom_tasks_completed_total{processor=\"gate\"}", 0.0),
        (
            "venom_tasks_failed_total{failure=\"aborted\",processor=\"gate\"}",
            1.0,
        ),
        (
            "venom_tasks_failed_total{failure=\"error\",processor=\"again\"}",
            1.0,
        ),
        ("venom_task_retries_total{processor=\"again\"}", 1.0),
        ("venom_task_wait_seconds_count{processor=\"again\"}", 2.0),
        ("venom_task_run_seconds_count{processor=\"again\"}", 2.0),
        ("venom_task_run_seconds_count{processor=\"other\"}", 0.0),
    ] {
        assert_eq!(value_of(&text, series), Some(expected), "{series}\n{text}");
    }
    for positive in [
        "venom_task_run_seconds_sum{processor=\"gate\"}",
        "venom_commit_seconds_count",
        "venom_commit_seconds_sum",
        "venom_database_size_bytes",
    ] {
        assert!(
            value_of(&text, positive).unwrap() > 0.0,
            "{positive}\n{text}"
        );
    }
    // As many messages as were submitted and reported, at least.
    assert!(
        value_of(&text, "venom_commit_messages_sum").unwrap() >= 6.0,
        "{text}"
    );
    service.ends_well().await;
}

#[tokio::test]
async fn what_waits_and_runs_is_shown() {
    let service = Service::with_gates().await;
    let running = service.submit_to_gate("runs").await;
    let after = json!({"content": "waits for it", "after": [running]});
    service.submit_json(&after).await;
    service.pause().await;
    service.submit("waits").await;
    let pause = json!({"processor": "echo"});
    service
        .post_json("/api/v1/queue/pause", &pause)
        .await
        .expect(200);
    let text = service.metrics().await;
    for (series, expected) in [
        ("venom_tasks{processor=\"gate\",status=\"PROCESSING\"}", 1.0),
        ("venom_tasks{processor=\"gate\",status=\"PENDING\"}", 0.0),
        ("venom_tasks{processor=\"echo\",status=\"PENDING\"}", 1.0),
        ("venom_tasks{processor=\"other\",status=\"PENDING\"}", 0.0),
        ("venom_tasks_blocked", 1.0),
        ("venom_queue_paused", 1.0),
        ("venom_queue_slots", 5.0),
        ("venom_processor_paused{processor=\"echo\"}", 1.0),
        ("venom_processor_paused{processor=\"gate\"}", 0.0),
    ] {
        assert_eq!(value_of(&text, series), Some(expected), "{series}\n{text}");
    }
    service.purge().await;
    let purged = "venom_tasks_failed_total{failure=\"purged\",processor=\"echo\"}";
    assert!(service.metric(purged).await.unwrap() >= 1.0);
    service.ends_well().await;
}

#[tokio::test]
async fn a_task_that_fails_for_its_upstream_is_counted() {
    let service = Service::with_gates().await;
    let first = service.submit_to_gate("fails").await;
    let after = json!({"content": "in vain", "after": [first]});
    let second = service.submit_json(&after).await;
    service.say(&first, "fail").await;
    service.finished(&second).await;
    let series = "venom_tasks_failed_total{failure=\"upstream\",processor=\"echo\"}";
    assert_eq!(service.metric(series).await, Some(1.0));
    service.ends_well().await;
}

#[tokio::test]
async fn names_that_are_not_configured_make_no_series() {
    let service = Service::start().await;
    let insert = "INSERT INTO tasks (content, processor)
                  VALUES ('a', 'unheard of'), ('b', 'nowhere')";
    service.database().await.run(insert).await.unwrap();
    support::eventually("both are counted", || async {
        let waiting = "venom_tasks{processor=\"other\",status=\"PENDING\"}";
        (service.metric(waiting).await == Some(2.0)).then_some(())
    })
    .await;
    let text = service.metrics().await;
    assert!(
        !text.contains("unheard of") && !text.contains("nowhere"),
        "{text}"
    );
    let created = "venom_tasks_created_total{processor=\"other\"}";
    assert_eq!(value_of(&text, created), Some(2.0));
    service.ends_well().await;
}

#[tokio::test]
async fn listeners_are_counted_while_they_listen() {
    let service = Service::start().await;
    assert_eq!(service.metric("venom_event_listeners").await, Some(0.0));
    assert_eq!(
        service.metric("venom_event_listener_lag_events").await,
        Some(0.0)
    );
    let (socket, _) = service.connect("").await;
    assert_eq!(service.metric("venom_event_listeners").await, Some(1.0));
    drop(socket);
    support::eventually("the listener has left", || async {
        let listeners = service.metric("venom_event_listeners").await;
        (listeners == Some(0.0)).then_some(())
    })
    .await;
    service.ends_well().await;
}

#[tokio::test]
async fn the_answer_is_prometheus_text() {
    let service = Service::start().await;
    let response = reqwest::get(service.url("/metrics")).await.unwrap();
    let kind = response.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    service.get("/metrics?name=venom").await.problem();
    service.ends_well().await;
}

#[tokio::test]
#[ignore = "needs promtool: scripts/test installs it"]
async fn promtool_finds_nothing_to_complain_of() {
    let service = busy().await;
    assert_content(&promtool(&["check", "metrics"], &service.metrics().await));
    service.ends_well().await;
}

#[test]
#[ignore = "needs promtool: scripts/test installs it"]
fn promtool_takes_the_alerts_and_they_fire_when_they_should() {
    assert_content(&promtool(
        &["check", "rules", "--lint-fatal", "alerts.yml"],
        "",
    ));
    let tested = promtool(&["test", "rules", "alerts.test.yml"], "");
    assert!(
        tested.status.success(),
        "{}",
        String::from_utf8_lossy(&tested.stdout)
    );
}

/// The names of metrics in a text.
fn names(text: &str) -> HashSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("venom_")).collect()
}

/// The names that exist only while the Hive is on.
fn is_of_hive(name: &str) -> bool {
    name.starts_with("venom_hive_")
}

#[tokio::test]
async fn dashboard_and_alerts_speak_of_metrics_that_are_there() {
    let service = busy().await;
    let text = service.metrics().await;
    let series: HashSet<_> = names(&text);
    for file in ["grafana.json", "alerts.yml"] {
        let written = std::fs::read_to_string(docs(file)).unwrap();
        let named = names(&written);
        assert!(named.len() > 5, "{file}");
        for name in named.into_iter().filter(|name| !is_of_hive(name)) {
            assert!(
                series.contains(name),
                "{name} of {file} is no metric:\n{text}"
            );
        }
    }
    let dashboard = std::fs::read_to_string(docs("grafana.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: HashSet<_> = panels.iter().map(|panel| &panel["id"]).collect();
    assert_eq!(ids.len(), panels.len());
    // Every metric is on a panel.
    let shown = dashboard.to_string();
    let all = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    for name in all {
        assert!(shown.contains(name), "{name} is on no panel");
    }
    service.ends_well().await;
}

fn time(task: &Value, name: &str) -> Timestamp {
    task[name].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn every_kind_of_failure_is_there_before_the_first() {
    let service = Service::start().await;
    let text = service.metrics().await;
    for processor in ["echo", "other"] {
        for failure in Failure::ALL {
            let series = format!(
                "venom_tasks_failed_total{{failure=\"{failure}\",processor=\"{processor}\"}}"
            );
            assert_eq!(value_of(&text, &series), Some(0.0), "{series}\n{text}");
        }
    }
    service.ends_well().await;
}

#[tokio::test]
async fn what_a_crash_has_interrupted_is_counted() {
    let mut service = Service::with_gates().await;
    let id = service.submit_to_gate("dies three times").await;
    let again = "venom_task_retries_total{processor=\"gate\"}";
    let lost = "venom_tasks_failed_total{failure=\"lost\",processor=\"gate\"}";
    for attempt in [2, 3] {
        service = service.kill9().await.start().await;
        assert_eq!(service.metric(again).await, Some(1.0));
        assert_eq!(service.metric(lost).await, Some(0.0));
        service.at_gate_again(&id, attempt).await;
    }
    service = service.kill9().await.start().await;
    assert_eq!(service.metric(again).await, Some(0.0));
    assert_eq!(service.metric(lost).await, Some(1.0));
    service.ends_well().await;
}

#[tokio::test]
async fn while_the_storage_hangs_the_rest_is_told() {
    let service = Service::start().await;
    let mut holder = service.database().await;
    holder.run("BEGIN IMMEDIATE").await.unwrap();
    let task = json!({"content": "waits for the storage"});
    let submit = async {
        loop {
            service.post_json("/api/v1/tasks", &task).await;
        }
    };
    let told = support::eventually("the Writer hangs", || async {
        let text = service.metrics().await;
        (!text.contains("venom_tasks{")).then_some(text)
    });
    let text = tokio::select! {
        () = submit => unreachable!("it goes on and on"),
        text = told => text,
    };
    for there in [
        "venom_tasks_created_total{processor=\"echo\"}",
        "venom_database_size_bytes",
    ] {
        assert!(value_of(&text, there).is_some(), "{there}\n{text}");
    }
    assert_eq!(value_of(&text, "venom_queue_paused"), None);
    holder.run("ROLLBACK").await.unwrap();
    service.drained().await;
    service.ends_well().await;
}

#[tokio::test]
async fn under_load_nobody_seems_to_wait_for_others() {
    let service = Service::start().await;
    let tasks = vec![json!({"content": "one of many"}); 1000];
    let batch = json!({ "tasks": tasks });
    let submit = async {
        for _ in 0..5 {
            let path = "/api/v1/tasks/batch";
            service.post_json(path, &batch).await.expect(201);
        }
    };
    let scrape = async {
        for _ in 0..100 {
            assert_eq!(service.metric("venom_tasks_blocked").await, Some(0.0));
        }
    };
    tokio::join!(submit, scrape);
    service.drained().await;
    service.ends_well().await;
}

#[tokio::test]
async fn a_processor_that_a_reload_removes_has_no_series_any_more() {
    let spare = "[processors.spare]\nkind = \"echo\"\n";
    let service = Setup::new().table(spare).start().await;
    assert!(service.metrics().await.contains("processor=\"spare\""));
    service.rewrite(|text| text.replace(spare, ""));
    service.reload_well().await;
    let text = service.metrics().await;
    assert!(!text.contains("processor=\"spare\""), "{text}");
    service.ends_well().await;
}

#[tokio::test]
async fn a_task_that_waited_for_another_was_due_when_that_ended() {
    let service = Service::with_gates().await;
    let first = service.submit_to_gate("first").await;
    let after = json!({"content": "second", "after": [first]});
    let second = service.submit_json(&after).await;
    let first = service.open_gate(&first).await;
    let second = service.finished(&second).await;
    let most = time(&second, "started_at").seconds_since(time(&first, "finished_at"));
    let waited = service.waited("echo").await;
    assert!((0.0..=most).contains(&waited), "{waited} of {most}");
    service.ends_well().await;
}

#[tokio::test]
async fn a_task_that_was_interrupted_is_due_from_the_start() {
    let service = Service::with_gates().await;
    let id = service.submit_to_gate("interrupted").await;
    let stopped = service.kill9().await;
    let before = Timestamp::now();
    let service = stopped.start().await;
    service.at_gate_again(&id, 2).await;
    let most = time(&service.task(&id).await, "started_at").seconds_since(before);
    let waited = service.waited("gate").await;
    assert!((0.0..=most).contains(&waited), "{waited} of {most}");
    service.say_again(&id, 2, "open").await;
    service.ends_well().await;
}

#[tokio::test]
async fn an_imported_task_is_due_from_the_import() {
    let service = Service::start().await;
    service.pause().await;
    service.submit("imported").await;
    let dump = service.get("/api/v1/export").await.expect(200).to_string();
    let today = Timestamp::now().to_string();
    let dump = dump.replace(&today[..10], "2020-01-01");
    let service = Service::start().await;
    let before = Timestamp::now();
    let answer = service.post_text("/api/v1/import", dump).await.expect(200);
    assert_eq!(answer["imported"], 1, "{answer}");
    service.resume().await;
    service.drained().await;
    let most = Timestamp::now().seconds_since(before);
    let waited = service.waited("echo").await;
    assert!((0.0..=most).contains(&waited), "{waited} of {most}");
    service.ends_well().await;
}

#[tokio::test]
async fn the_oldest_task_that_is_due_is_shown() {
    let service = Service::with_gates().await;
    service.pause().await;
    let later = json!({"content": "later", "delay": 3600, "processor": "gate"});
    service.submit_json(&later).await;
    let before = Timestamp::now();
    for (key, priority) in [(None, 0), (None, 5), (Some("a"), 0), (Some("b"), 7)] {
        let task = json!({"content": "due", "concurrency_key": key, "priority": priority});
        service.submit_json(&task).await;
    }
    let oldest = |name: &str| format!("venom_oldest_due_task_seconds{{processor=\"{name}\"}}");
    let echo = service.metric(&oldest("echo")).await.unwrap();
    let most = Timestamp::now().seconds_since(before);
    assert!(echo > 0.0 && echo <= most, "{echo} of {most}");
    assert_eq!(service.metric(&oldest("gate")).await, Some(0.0));
    service.resume().await;
    support::eventually("none is due", || async {
        (service.metric(&oldest("echo")).await == Some(0.0)).then_some(())
    })
    .await;
    service.ends_well().await;
}

#[tokio::test]
async fn the_dashboard_keeps_to_the_chosen_processors() {
    let service = busy().await;
    let text = service.metrics().await;
    let by_processor = |name: &str| {
        let mut series = text.lines().filter(|line| line.starts_with(name));
        series.any(|line| line.contains("processor=\""))
    };
    let dashboard = std::fs::read_to_string(docs("grafana.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    for query in targets.map(|target| target["expr"].as_str().unwrap()) {
        let chosen = query.matches("processor=~\"$processor\"").count();
        let all = query.matches("venom_").count();
        let is_by_processor = names(query).into_iter().any(by_processor);
        assert!(!is_by_processor || chosen == all, "{query}");
    }
    service.ends_well().await;
}
