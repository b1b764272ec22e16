//! What programs print for a terminal: bars that move, colours, and lines without end.

use serde_json::{Value, json};

use support::{Listener, Service, Setup, eventually};

/// A processor of this name that runs a shell script.
fn script(name: &str, settings: &str, script: &str) -> String {
    format!(
        "[processors.{name}]\nkind = \"command\"\nprogram = \"sh\"\n\
         args = [\"-c\", '''{script}''']\n{settings}\n"
    )
}

/// The lines that a processor has added to a task's log.
async fn lines(service: &Service, id: &str) -> Vec<Value> {
    let (mut lines, mut since) = (Vec::new(), json!(0));
    loop {
        let path = format!("/api/v1/tasks/{id}/logs?limit=1000&since={since}");
        let rows = service.get(&path).await.expect(200);
        let rows = rows.as_array().expect("a list");
        let Some(last) = rows.last() else {
            return lines;
        };
        since = last["id"].clone();
        let own = rows.iter().filter(|row| row["type"] == "TASK_LOG");
        lines.extend(own.cloned());
    }
}

fn texts(rows: &[Value]) -> Vec<&str> {
    rows.iter().filter_map(|row| row["line"].as_str()).collect()
}

/// The next event of this type that has this line.
async fn until_line(listener: &mut Listener, kind: &str, line: &str) -> Value {
    loop {
        let event = listener.next_event().await;
        if event["type"] == kind && event["data"]["line"] == line {
            return event;
        }
    }
}

/// Prints a bar, waits for a file beside it, and goes on.
const BAR: &str = r#"printf 'begun\n10%%\r20%%' >&2
until test -e "$GO"; do sleep 0.02; done
printf '\r100%%\ndone\n' >&2"#;

#[tokio::test]
async fn a_bar_moves_and_its_last_state_is_stored() {
    let setup = Setup::new();
    let go = setup.folder().join("go");
    let bar = script(
        "bar",
        &format!("env = {{ GO = \"{}\" }}", go.display()),
        BAR,
    );
    let service = setup.table(&bar).start().await;
    let mut listener = service.listen("").await;
    let id = service.submit_to("bar", "").await;
    let mut stream = service.follow(&id, None).await;
    let live = until_line(&mut listener, "TASK_LIVE_LINE", "20%").await;
    assert_eq!(live["data"]["task_id"], id.as_str());
    assert_eq!(texts(&lines(&service, &id).await), ["begun"]);

    std::fs::write(&go, "").expect("a file");
    let stored = until_line(&mut listener, "TASK_LOG", "100%").await;
    assert_eq!(stored["data"]["replaces"], true);
    assert!(
        stored["id"].as_i64() > live["id"].as_i64(),
        "{live} {stored}"
    );
    let next = until_line(&mut listener, "TASK_LOG", "done").await;
    assert_eq!(next["data"], json!({ "task_id": id, "line": "done" }));
    service.finished(&id).await;
    assert_eq!(
        texts(&lines(&service, &id).await),
        ["begun", "100%", "done"]
    );
    while let Some(event) = stream.next().await {
        if event.event == "task_live_line" {
            assert_eq!((&event.data["line"], event.id), (&json!("20%"), None));
        }
    }
    // It is in no journal: whoever comes later is told what is stored.
    let replayed = service.replay().await;
    assert!(
        replayed
            .iter()
            .all(|event| event["type"] != "TASK_LIVE_LINE")
    );
    service.ends_well().await;
}

#[tokio::test]
async fn the_stream_of_a_task_has_its_live_lines() {
    let setup = Setup::new();
    let go = setup.folder().join("go");
    let bar =
        "i=0; until test -e \"$GO\"; do printf '\\rstate %d' $i; i=$((i+1)); sleep 0.02; done";
    let bar = script(
        "bar",
        &format!("env = {{ GO = \"{}\" }}", go.display()),
        bar,
    );
    let service = setup.table(&bar).start().await;
    let id = service.submit_to("bar", "").await;
    let mut stream = service.follow(&id, None).await;
    let mut seen = 0;
    while seen < 2 {
        let event = stream.next().await.expect("live lines");
        if event.event == "task_live_line" {
            let line = event.data["line"].as_str().expect("a line");
            assert!(line.starts_with("state "), "{line}");
            assert_eq!((&event.data["task_id"], event.id), (&json!(id), None));
            seen += 1;
        }
    }
    std::fs::write(&go, "").expect("a file");
    let rest = stream.rest().await;
    assert_eq!(rest.last().expect("an end").event, "task_finished");
    service.ends_well().await;
}

#[tokio::test]
async fn a_bar_that_moves_all_the_time_costs_few_events() {
    let fast = "i=0; while [ $i -lt 30000 ]; do printf '\\rstate %d' $i; i=$((i+1)); done";
    let service = Setup::new().table(&script("fast", "", fast)).start().await;
    let types = "?types=TASK_LIVE_LINE,TASK_LOG,TASK_COMPLETED";
    let mut listener = service.listen(types).await;
    let started = std::time::Instant::now();
    let id = service.submit_to("fast", "").await;
    let events = listener.until("TASK_COMPLETED", &id).await;
    let most = started.elapsed().as_millis() / 250 + 2;
    let live = events
        .iter()
        .filter(|event| event["type"] == "TASK_LIVE_LINE");
    assert!(live.count() as u128 <= most, "{events:?}");
    assert_eq!(texts(&lines(&service, &id).await), ["state 29999"]);
    service.ends_well().await;
}

const COLORS: &str = r#"printf '\033[31mred\033[0m and \033]0;title\007plain\n'
printf '\033[2J\033[5mquiet\033[m\n'
printf '\033[1;31mfailed\033[0m: \033[4mwhy\033[0m\n' >&2
exit "$(cat)""#;

#[tokio::test]
async fn colours_are_kept_apart_from_texts() {
    let setup = Setup::new().table(&script("colors", "", COLORS));
    let service = setup.start().await;
    let mut listener = service.listen("").await;
    let id = service.submit_to("colors", "0").await;
    let event = until_line(&mut listener, "TASK_LOG", "red and plain").await;
    let ansi = "\u{1b}[0;31mred\u{1b}[0m and plain";
    assert_eq!(event["data"]["ansi"], ansi);
    let task = service.finished(&id).await;
    assert_eq!(task["result"], "red and plain\nquiet");
    let rows = lines(&service, &id).await;
    let row = |line: &str| {
        rows.iter()
            .find(|row| row["line"] == line)
            .expect("the line")
    };
    assert_eq!(row("red and plain")["ansi"], ansi);
    assert_eq!(
        row("failed: why")["ansi"],
        "\u{1b}[0;1;31mfailed\u{1b}[0m: \u{1b}[0;4mwhy\u{1b}[0m"
    );
    assert_eq!(row("quiet").get("ansi"), None);

    let id = service.submit_to("colors", "1").await;
    let task = service.finished(&id).await;
    assert_eq!(task["error"], "failed: why");
    let export = service.get("/api/v1/export").await;
    for text in [task.to_string(), export.text().to_owned()] {
        assert!(
            !text.contains("\\u001b") && !text.contains('\u{1b}'),
            "{text}"
        );
    }
    service.ends_well().await;
}

#[tokio::test]
async fn a_workers_lines_are_read_as_a_terminal_shows_them() {
    let service = Service::with_worker("").await;
    let id = service.submit_to("outside", "").await;
    let task = service.claim(json!({ "wait": 60 })).await.remove(0);
    let printed = json!({ "lines": ["10%\r\u{1b}[32m20%\u{1b}[0m", "\u{1b}[2Kbell\u{7}"] });
    service.tell(&task, "log", printed).await.expect(200);
    let error = json!({ "error": "\u{1b}[31mTraceback\u{1b}[0m\n  line", "retry": false });
    service.tell(&task, "fail", error).await.expect(200);
    let task = service.finished(&id).await;
    assert_eq!(task["error"], "Traceback\n  line");
    let rows = lines(&service, &id).await;
    assert_eq!(texts(&rows)[1..], ["20%", "bell"]);
    assert_eq!(rows[1]["ansi"], "\u{1b}[0;32m20%\u{1b}[0m");
    service.ends_well().await;
}

#[tokio::test]
async fn a_log_has_a_limit_and_keeps_the_last_lines() {
    let settings = "max_attempts = 2\nbackoff = { first = 0 }";
    let many = script("many", settings, "seq 20000; test \"$VENOM_ATTEMPT\" = 2");
    let setup = Setup::new().setting("task_log_limit_lines", 100);
    let service = setup.table(&many).start().await;
    let id = service.submit_to("many", "").await;
    let task = service.finished(&id).await;
    assert_eq!(task["status"], "COMPLETED", "{}", task["error"]);
    // What is left out of the log is in the result.
    let result = task["result"].as_str().expect("a result");
    assert!(result.starts_with("1\n2\n") && result.ends_with("19999\n20000"));
    let rows = lines(&service, &id).await;
    let texts = texts(&rows);
    let first: Vec<_> = (1..=100).map(|number| number.to_string()).collect();
    assert_eq!(texts[..100], first);
    let words = "100 lines (task_log_limit_lines)";
    assert!(texts[100].contains(words), "{}", texts[100]);
    assert_eq!(texts[101], "… 18900 lines left out");
    assert_eq!((texts[102], texts[1101]), ("19001", "20000"));
    // The second attempt finds the log full, and keeps its last lines all the same.
    assert!(texts[1102].contains(words), "{}", texts[1102]);
    assert_eq!(texts[1103], "… 19000 lines left out");
    assert_eq!((texts[1104], texts.len()), ("19001", 2104));
    service.ends_well().await;
}

#[tokio::test]
async fn a_worker_that_talks_on_has_the_same_limit() {
    let setup = Setup::new().setting("task_log_limit_bytes", 2048);
    let service = setup.worker_processor("").start().await;
    let id = service.submit_to("outside", "").await;
    let task = service.claim(json!({ "wait": 60 })).await.remove(0);
    let line = "x".repeat(1000);
    for _ in 0..3 {
        let line = json!({ "line": line });
        service.tell(&task, "log", line).await.expect(200);
    }
    let words = "2048 bytes (task_log_limit_bytes)";
    eventually("the limit is said", || async {
        let rows = lines(&service, &id).await;
        texts(&rows).last()?.contains(words).then_some(())
    })
    .await;
    service.complete(&task, "").await;
    let rows = lines(&service, &id).await;
    // Taken by a worker, two lines, the words, and the one that was held.
    let is_long: Vec<_> = texts(&rows).iter().map(|line| line.len() == 1000).collect();
    assert_eq!(is_long, [false, true, true, false, true], "{rows:?}");
    service.ends_well().await;
}

#[tokio::test]
async fn progress_without_end_costs_few_rows() {
    let busy = "i=0; while [ $i -lt 20000 ]; do echo \"::progress 0.$((i % 10))\"; i=$((i+1)); done
        echo '::progress 1'";
    let service = Setup::new().table(&script("busy", "", busy)).start().await;
    let id = service.submit_to("busy", "").await;
    assert_eq!(service.finished(&id).await["progress"], 1.0);
    let mut database = service.database().await;
    let rows = "SELECT count(*) FROM logs WHERE type = 'TASK_PROGRESS'";
    let rows = database.number(rows).await;
    assert!((2..2200).contains(&rows), "{rows} rows");
    drop(database);
    service.ends_well().await;
}

#[tokio::test]
async fn a_missing_interpreter_is_named() {
    let setup = Setup::new();
    let path = setup.folder().join("tool");
    std::fs::write(&path, "#!/usr/bin/nope\n").expect("a file");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&path, mode).expect("a mode");
    let shown = path.display().to_string();
    let table = format!("[processors.tool]\nkind = \"command\"\nprogram = \"{shown}\"\n");
    let service = setup.table(&table).start().await;
    let id = service.submit_to("tool", "").await;
    let task = service.finished(&id).await;
    assert_eq!(
        task["error"],
        format!(
            "cannot start `{shown}`: the program `{shown}` exists, but its interpreter \
             `/usr/bin/nope` does not"
        )
    );
    service.ends_well().await;
}
