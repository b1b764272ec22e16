//! The command processor from outside: its lines live, its result, its limits, and the end of
//! everything it started, whatever ends it.

use serde_json::{Value, json};

use support::processes_of_task as of_task;
use support::{Service, Setup, eventually};

/// A processor of this name that runs a shell script.
fn script(name: &str, settings: &str, script: &str) -> String {
    format!(
        "[processors.{name}]\nkind = \"command\"\nprogram = \"sh\"\n\
         args = [\"-c\", '''{script}''']\n{settings}\n"
    )
}

async fn gone(id: &str) {
    eventually("no process of the task is left", || async {
        of_task(id).is_empty().then_some(())
    })
    .await;
}

/// A child that ignores SIGTERM, and one of its own that does too, in the background.
const STUBBORN: &str =
    "trap '' TERM; (sleep 1000; sleep 1000) & echo ready; sleep 1000; sleep 1000";
/// One child in another session, which leaves the group, and one that stays.
const FORKING: &str = "setsid sleep 1000 & sleep 1000 & echo ready; wait";

#[tokio::test]
async fn an_abort_ends_the_whole_group_also_what_ignores_it() {
    let setup = Setup::new()
        .table(&script("stubborn", "", STUBBORN))
        .table(&script("forking", "", FORKING));
    let service = setup.start().await;
    let mut listener = service.listen("").await;
    for processor in ["stubborn", "forking"] {
        let id = service.submit_to(processor, "").await;
        listener.until("TASK_LOG", &id).await;
        eventually("its children run", || async {
            (of_task(&id).len() >= 3).then_some(())
        })
        .await;
        service.abort(&id).await.expect(200);
        // When the abort is answered, the task has ended and so has everything it started.
        assert_eq!(of_task(&id), [""; 0], "{processor}");
        let task = service.task(&id).await;
        assert_eq!(
            (&task["status"], &task["failure"]),
            (&json!("FAILED"), &json!("aborted"))
        );
        listener.until("TASK_ABORTED", &id).await;
    }
    service.ends_well().await;
}

#[tokio::test]
async fn a_timeout_ends_it_and_says_so() {
    let slow = script("slow", "timeout = 0.2", FORKING);
    let service = Setup::new().table(&slow).start().await;
    let id = service.submit_to("slow", "").await;
    let task = service.finished(&id).await;
    assert_eq!(
        (&task["status"], &task["failure"]),
        (&json!("FAILED"), &json!("timeout"))
    );
    assert_eq!(task["error"], "timed out after 0.2 s");
    assert_eq!(of_task(&id), [""; 0]);
    service.ends_well().await;
}

/// The second attempt counts what it finds of the first.
const COUNTING: &str = r#"
if [ "$VENOM_ATTEMPT" = 1 ]; then
    trap '' TERM
    setsid sleep 1000 &
    (trap '' TERM; sleep 1000; sleep 1000) &
    echo ready
    wait
    sleep 1000
fi
left=0
for file in /proc/[0-9]*/environ; do
    [ "$file" = "/proc/$$/environ" ] && continue
    if tr '\0' '\n' < "$file" 2>/dev/null | grep -qx "VENOM_ATTEMPT=1"; then
        tr '\0' '\n' < "$file" 2>/dev/null | grep -qx "VENOM_TASK_ID=$VENOM_TASK_ID" && left=$((left + 1))
    fi
done
echo "$left left of the first attempt"
"#;

#[tokio::test]
async fn after_a_crash_nothing_of_the_first_attempt_meets_the_second() {
    let service = Setup::new()
        .table(&script("counting", "", COUNTING))
        .start()
        .await;
    let mut listener = service.listen("").await;
    let id = service.submit_to("counting", "").await;
    listener.until("TASK_LOG", &id).await;
    eventually("its children run", || async {
        (of_task(&id).len() >= 3).then_some(())
    })
    .await;
    let killed = service.kill9().await;
    // The one that left the group is still there: the restart has something to do.
    let left = of_task(&id);
    assert!(
        left.iter().any(|process| process.contains("sleep 1000")),
        "{left:?}"
    );
    let service = killed.start().await;
    let task = service.finished(&id).await;
    assert_eq!(task["result"], "0 left of the first attempt", "{task}");
    assert_eq!(task["attempt"], 2);
    gone(&id).await;
    service.ends_well().await;
}

#[tokio::test]
async fn its_lines_and_its_progress_arrive_while_it_runs() {
    let service = Service::with_gates().await;
    let mut listener = service.listen("").await;
    let id = service.submit_to_gate("live").await;
    listener.until("TASK_STARTED", &id).await;
    for (word, progress) in [("first line", 0.25), ("second line", 0.5)] {
        // The script stands at its gate; what it has said is there all the same.
        service.say(&id, word).await;
        let events = listener.until("TASK_LOG", &id).await;
        let line = events.last().expect("one event");
        assert_eq!(line["data"]["line"], word);
        service.say(&id, &format!("::progress {progress}")).await;
        let events = listener.until("TASK_PROGRESS", &id).await;
        assert_eq!(
            events.last().expect("one event")["data"]["progress"],
            progress
        );
        assert_eq!(service.task(&id).await["progress"], progress);
    }
    let task = service.open_gate(&id).await;
    assert_eq!(task["result"], "first line\nsecond line\nlet through: live");
    let lines: Vec<_> = task["logs"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(
        lines.contains(&"first line") && lines.contains(&"second line"),
        "{lines:?}"
    );
    assert!(
        !lines.iter().any(|line| line.contains("::progress")),
        "{lines:?}"
    );
    service.ends_well().await;
}

#[tokio::test]
async fn progress_said_with_the_last_breath_is_told() {
    const TASKS: usize = 40;
    let setup = Setup::new().table(&script("breath", "", "echo '::progress 0.5'"));
    let service = setup.start().await;
    let mut ids = Vec::new();
    for _ in 0..TASKS {
        ids.push(service.submit_to("breath", "").await);
    }
    for id in &ids {
        assert_eq!(service.finished(id).await["progress"], 0.5);
    }
    // Progress and outcome often arrive in one commit; the journal has both all the same.
    let mut database = service.database().await;
    let told = "SELECT count(DISTINCT task_id) FROM logs WHERE type = 'TASK_PROGRESS'";
    assert_eq!(database.number(told).await, TASKS as i64);
    drop(database);
    service.ends_well().await;
}

#[tokio::test]
async fn what_it_gets_and_how_it_may_fail() {
    let setup = Setup::new()
        .table(&script(
            "given",
            "",
            r#"cat; echo " $VENOM_TASK_ID $VENOM_ATTEMPT""#,
        ))
        .table(&script(
            "failing",
            "",
            "echo out; echo first >&2; echo last >&2; echo; exit 3",
        ))
        .table("[processors.missing]\nkind = \"command\"\nprogram = \"no-such-program\"\n");
    let service = setup.start().await;
    let id = service
        .submit_to("given", "content; $(with) 'quotes'")
        .await;
    let task = service.finished(&id).await;
    assert_eq!(task["result"], format!("content; $(with) 'quotes' {id} 1"));
    let id = service.submit_to("failing", "").await;
    let task = service.finished(&id).await;
    assert_eq!(
        (&task["failure"], &task["error"]),
        (&json!("error"), &json!("last"))
    );
    assert_eq!(task["result"], Value::Null);
    let id = service.submit_to("missing", "").await;
    let task = service.finished(&id).await;
    let error = task["error"].as_str().expect("an error");
    assert!(error.contains("no-such-program"), "{error}");
    service.ends_well().await;
}

#[tokio::test]
async fn a_result_beyond_the_limit_is_cut_and_says_so() {
    let long = script(
        "long",
        "",
        "head -c 3000000 /dev/zero | tr '\\0' 'x' | fold -w 1000",
    );
    let service = Setup::new().table(&long).start().await;
    let id = service.submit_to("long", "").await;
    let task = service.finished(&id).await;
    assert_eq!(task["status"], "COMPLETED", "{}", task["error"]);
    let result = task["result"].as_str().expect("a result");
    let size = result.len();
    assert!((1 << 20..(1 << 20) + 1000).contains(&size), "{size} bytes");
    let end = result.trim_start_matches(['x', '\n']);
    assert!(end.contains("cut"), "how it ends: {end:?}");
    service.ends_well().await;
}

#[tokio::test]
async fn a_script_gets_none_of_the_services_secrets() {
    let secret = [
        ("Redis_Password", "secret"),
        ("VENOM_REDIS_PASSWORD", "secret"),
        ("VENOM_TOKEN", "secret"),
        ("VENOM_OTLP_HEADERS", "api-key=secret"),
        ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "api-key=secret"),
        ("NOTIFY_SOCKET", "/nowhere"),
        ("WATCHDOG_PID", "60000000"),
        ("WATCHDOG_USEC", "60000000"),
        ("HOOK_SECRET", "c2VjcmV0"),
        ("MODEL_KEY", "secret"),
    ];
    let setup = Setup::new()
        .table("[processors.all]\nkind = \"command\"\nprogram = \"env\"")
        .table(
            "[processors.own]\nkind = \"command\"\nprogram = \"env\"\n\
             [processors.own.env]\nHOOK_SECRET = \"its own\"",
        )
        .table(
            "[processors.hook]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:9/\"\n\
             secret_env = \"HOOK_SECRET\"",
        )
        .table(
            "[processors.model]\nkind = \"llm\"\nbase_url = \"http://127.0.0.1:9/\"\n\
             model = \"m\"\napi_key_env = \"MODEL_KEY\"",
        )
        .variable("PLAIN", "stays");
    let setup = secret
        .iter()
        .fold(setup, |setup, (name, value)| setup.variable(name, value));
    let service = setup.start().await;
    let environment = async |processor: &str| {
        let id = service.submit_to(processor, "").await;
        let task = service.finished(&id).await;
        task["result"].as_str().unwrap().to_owned()
    };
    let all = environment("all").await;
    assert!(all.contains("PLAIN=stays"), "{all}");
    for (name, _) in secret {
        assert!(
            !all.lines()
                .any(|line| line.starts_with(&format!("{name}="))),
            "{all}"
        );
    }
    assert!(environment("own").await.contains("HOOK_SECRET=its own"));
    // Nor when the settings speak of it no more.
    service.rewrite(|text| text.replace("secret_env = \"HOOK_SECRET\"", ""));
    service.reload_well().await;
    let all = environment("all").await;
    assert!(!all.contains("HOOK_SECRET="), "{all}");
}

#[tokio::test]
async fn what_left_the_group_ends_with_a_finished_attempt() {
    // It closes its output, so nothing tells of it but its environment. The other one is to live on.
    let leaving = script(
        "leaving",
        "",
        "setsid sleep 1000 < /dev/null > /dev/null 2>&1 &
         env -u VENOM_TASK_ID setsid sleep 1000 < /dev/null > /dev/null 2>&1 & echo $!; sleep 0.1",
    );
    let service = Setup::new().table(&leaving).start().await;
    let id = service.submit_to("leaving", "").await;
    let task = service.finished(&id).await;
    gone(&id).await;
    let kept = task["result"]
        .as_str()
        .and_then(|id| id.trim().parse().ok());
    let kept = rustix::process::Pid::from_raw(kept.expect("a process id")).expect("not 0");
    rustix::process::kill_process(kept, rustix::process::Signal::KILL).expect("it lives on");
    service.ends_well().await;
}

#[tokio::test]
async fn sequences_that_never_end_cost_no_time_and_pages_stay_apart() {
    let titles = script(
        "titles",
        "",
        r"yes | head -n 500000 | tr -d '\n' | sed 's/y/\x1b]/g'; printf 'page\fpage'",
    );
    let service = Setup::new().table(&titles).start().await;
    let id = service.submit_to("titles", "").await;
    let task = service.finished(&id).await;
    assert_eq!(task["result"], "page\u{c}page");
    service.ends_well().await;
}

#[tokio::test]
async fn what_left_the_group_ends_with_the_service() {
    let leaving = script(
        "leaving",
        "",
        "setsid sleep 1000 < /dev/null > /dev/null 2>&1 & sleep 0.1",
    );
    let service = Setup::new().table(&leaving).start().await;
    let id = service.submit_to("leaving", "").await;
    service.finished(&id).await;
    service.ends_well().await;
    assert_eq!(of_task(&id), [""; 0]);
}

#[tokio::test]
async fn a_script_has_the_limit_of_files_that_the_service_was_started_with() {
    let limits = script("limits", "", "ulimit -S -n; ulimit -H -n");
    let launcher = ["sh", "-c", "ulimit -S -n 1000; exec \"$@\"", "sh"].map(str::to_owned);
    let setup = Setup::new().table(&limits).launched_by(launcher.to_vec());
    let service = setup.start().await;
    let id = service.submit_to("limits", "").await;
    let task = service.finished(&id).await;
    let result = task["result"].as_str().expect("a result");
    let (soft, hard) = result.split_once('\n').expect("two lines");
    assert_eq!(soft, "1000");
    assert_ne!(hard, "1000");
    service.ends_well().await;
}
