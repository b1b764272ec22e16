//! submit: an id, a result, or a clear failure.

use rustix::process::Signal;
use serde_json::json;

use crate::harness::Folder;

#[test]
fn it_prints_the_id_and_nothing_else() {
    let folder = Folder::new();
    let _service = folder.serve();
    let submitted = folder.run(&["submit", "hello", "world"]);
    assert_eq!((submitted.code, submitted.err.as_str()), (0, ""));
    let id = submitted.out.trim_end();
    assert!(id.parse::<uuid::Uuid>().is_ok(), "{id}");

    let answer = folder.json(&["submit", "--json", "hello"]);
    assert_eq!(answer["status"], "PENDING");
}

#[test]
fn it_waits_for_the_result() {
    let folder = Folder::new();
    let _service = folder.serve();
    let result = folder.succeed(&["submit", "--wait", "hello", "world"]);
    assert_eq!(result, "Processed: hello world");

    let from_stdin = folder.feed(&["submit", "--wait", "-"], "one\ntwo\n");
    assert_eq!(from_stdin.out, "Processed: one\ntwo\n");
}

#[test]
fn every_flag_reaches_the_task() {
    let folder = Folder::new();
    let _service = folder.serve();
    let flags = [
        "--priority",
        "-7",
        "--tag",
        "red",
        "--tag",
        "blue",
        "--session",
        "s1",
    ];
    let more = ["--processor", "echo", "--wait", "--json", "--", "--dashed"];
    let task = folder.json(&[&["submit"][..], &flags, &more].concat());
    assert_eq!(task["status"], "COMPLETED");
    assert_eq!(task["content"], "--dashed");
    assert_eq!(task["priority"], -7);
    assert_eq!(task["tags"], json!(["red", "blue"]));
    assert_eq!(task["session_id"], "s1");
    assert_eq!(task["processor"], "echo");
}

#[test]
fn a_refusal_says_which_field_and_why() {
    let folder = Folder::new();
    let _service = folder.serve();
    let refused = folder.run(&["submit", "--processor", "nope", "hello"]);
    assert_eq!((refused.code, refused.out.as_str()), (1, ""));
    assert!(
        refused.err.starts_with("error: --processor: "),
        "{refused:?}"
    );
    assert!(refused.err.contains("echo"), "{refused:?}");
}

#[test]
fn a_task_that_fails_makes_the_wait_fail() {
    for json in [false, true] {
        let folder = Folder::new();
        let _service = folder.serve();
        folder.succeed(&["pause"]);
        let flags: &[&str] = if json { &["--json"] } else { &[] };
        let waiting = folder.start(&[&["submit", "--wait", "hello"][..], flags].concat());
        waiting.err.until("accepted");
        folder.succeed(&["purge", "--yes"]);

        let failed = waiting.err.next();
        assert!(failed.contains("failed (purged)"), "{failed}");
        let printed = waiting.out.rest();
        assert_eq!(waiting.code(), 1);
        assert_eq!(printed.len(), usize::from(json), "{printed:?}");
    }
}

#[test]
fn a_wait_outlives_the_service() {
    let folder = Folder::new();
    let service = folder.serve();
    folder.succeed(&["pause"]);
    let waiting = folder.start(&["submit", "--wait", "hello"]);
    waiting.err.until("accepted");
    service.signal(Signal::KILL);
    waiting.err.until("reconnecting");
    drop(service);

    let _service = folder.serve();
    folder.succeed(&["resume"]);
    assert_eq!(waiting.out.next(), "Processed: hello");
    assert_eq!(waiting.code(), 0);
}

#[test]
fn limits_and_times_reach_the_task() {
    let folder = Folder::new();
    let _service = folder.serve();
    let first = folder.succeed(&["submit", "first"]);
    let flags = ["--delay", "2h", "--retry", "3", "--timeout", "1.5m"];
    let keys = ["--key", "k", "--unique", "u", "--after", &first];
    let id = folder.succeed(&[&["submit", "x"][..], &flags, &keys].concat());
    let task = folder.json(&["show", "--json", &id]);
    assert_eq!(task["status"], "PENDING");
    assert_eq!(task["max_attempts"], 4);
    assert_eq!(task["timeout"].as_f64(), Some(90.0));
    assert_eq!(task["concurrency_key"], "k");
    assert_eq!(task["unique_key"], "u");
    assert_eq!(task["after"], json!([first]));
    let moment = |name: &str| chrono::DateTime::parse_from_rfc3339(task[name].as_str().unwrap());
    let delay = moment("run_at").unwrap() - moment("created_at").unwrap();
    assert!((7190..=7200).contains(&delay.num_seconds()), "{delay}");

    let at = ["--at", "2099-01-01T01:00:00+01:00", "--max-attempts", "2"];
    let id = folder.succeed(&[&["submit", "x"][..], &at].concat());
    let task = folder.json(&["show", "--json", &id]);
    assert_eq!(task["run_at"], "2099-01-01T00:00:00.000000Z");
    assert_eq!(task["max_attempts"], 2);
}

#[test]
fn a_second_of_a_unique_name_is_refused_and_the_first_is_named() {
    let folder = Folder::new();
    let _service = folder.serve();
    folder.succeed(&["pause"]);
    let first = folder.succeed(&["submit", "--unique", "nightly", "x"]);
    let second = folder.run(&["submit", "--unique", "nightly", "y"]);
    assert_eq!((second.code, second.out.as_str()), (1, ""));
    assert_eq!(second.err.matches(&first).count(), 1, "{second:?}");
    assert_eq!(second.err.lines().count(), 1, "{second:?}");
}

#[test]
fn a_repeat_with_the_same_idempotency_key_is_the_same_task() {
    let folder = Folder::new();
    let _service = folder.serve();
    let submit = ["submit", "--idempotency-key", "k1", "hello"];
    assert_eq!(folder.succeed(&submit), folder.succeed(&submit));
    let other = folder.run(&["submit", "--idempotency-key", "k1", "another"]);
    assert_eq!((other.code, other.out.as_str()), (1, ""));
    assert!(other.err.contains("Idempotency-Key"), "{other:?}");
    let list = folder.json(&["list", "--json"]);
    assert_eq!(list.as_array().unwrap().len(), 1);
}

#[test]
fn a_batch_is_submitted_whole_or_not_at_all() {
    let folder = Folder::new();
    let _service = folder.serve();
    let tasks = "{\"content\": \"one\"}\n\n{\"content\": \"two\", \"priority\": 5}\n";
    folder.write("tasks.ndjson", tasks);
    let ids = folder.succeed(&["submit", "--batch", "tasks.ndjson"]);
    let ids: Vec<_> = ids.lines().collect();
    assert_eq!(ids.len(), 2, "{ids:?}");
    let second = folder.json(&["show", "--json", ids[1]]);
    assert_eq!(
        (&second["content"], &second["priority"]),
        (&json!("two"), &json!(5))
    );

    let from_stdin = folder.feed(&["submit", "--batch", "-", "--json"], tasks);
    let answer: serde_json::Value = serde_json::from_str(&from_stdin.out).unwrap();
    assert_eq!(answer["task_ids"].as_array().unwrap().len(), 2);

    let wrong = folder.feed(&["submit", "--batch", "-"], "{\"content\": \"x\"}\n{}\n");
    assert_eq!((wrong.code, wrong.out.as_str()), (1, ""));
    assert_eq!(wrong.err, "error: task 2, content: Field required\n");
    let list = folder.json(&["list", "--json"]);
    assert_eq!(list.as_array().unwrap().len(), 4);

    let missing = folder.run(&["submit", "--batch", "nowhere"]);
    assert_eq!(missing.code, 1);
    assert!(missing.err.starts_with("error: cannot read nowhere: "));
}
