//! What the API tells and the command line shows: counts, sizes, charts, metrics, who waits, who asks.

use crate::harness::Folder;

#[test]
fn status_counts_tasks_and_tells_sizes_and_the_pause() {
    let folder = Folder::new();
    let _service = folder.serve();
    folder.succeed(&["submit", "--wait", "one"]);
    folder.succeed(&["pause", "--reason", "lunch"]);
    folder.succeed(&["submit", "two"]);
    let status = folder.succeed(&["status"]);
    for line in ["pending    1", "completed  1", "failed     0"] {
        assert!(status.lines().any(|it| it == line), "{line}: {status}");
    }
    assert!(status.contains("paused since 2"), "{status}");
    assert!(status.contains(": lunch\n"), "{status}");
    assert!(status.contains(" MiB of it free"), "{status}");
    let status = folder.json(&["status", "--json"]);
    assert_eq!(status["tasks"]["COMPLETED"], 1);
    assert_eq!(status["pause"]["reason"], "lunch");
    assert!(status["storage"]["database_bytes"].as_u64() > Some(0));
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_token_for_one_processor_sees_the_queue_alone() {
    let folder = Folder::new();
    folder.write(
        "venom.toml",
        "auth = \"required\"\n[processors.outside]\nkind = \"worker\"\n",
    );
    let create = [
        "token",
        "create",
        "ci",
        "--role",
        "read",
        "--processor",
        "outside",
    ];
    let token = folder.succeed(&create);
    let _service = folder.serve();
    let status = folder.run_with("VENOM_TOKEN", &token, &["status"]);
    assert_eq!(status.code, 0, "{status:?}");
    assert!(status.out.contains("pending  0"), "{status:?}");
    assert!(!status.out.contains("completed"), "{status:?}");
    let who = folder.run_with("VENOM_TOKEN", &token, &["token", "whoami"]);
    assert_eq!(
        who.out,
        "Token ci has role read, restricted to the processors outside.\n"
    );
    let who = folder.run_with("VENOM_TOKEN", &token, &["token", "whoami", "--json"]);
    assert!(who.out.contains("\"role\":\"read\""), "{who:?}");
    let nobody = folder.run(&["token", "whoami"]);
    assert_eq!(nobody.code, 1, "{nobody:?}");
}

#[test]
fn where_no_token_is_asked_for_nobody_is_somebody() {
    let folder = Folder::new();
    let _service = folder.serve();
    let who = folder.succeed(&["token", "whoami"]);
    assert!(who.contains("everybody may do everything"), "{who}");
}

#[test]
fn stats_sum_up_what_has_happened() {
    let folder = Folder::new();
    let _service = folder.serve();
    for text in ["one", "two"] {
        folder.succeed(&["submit", "--wait", text]);
    }
    for window in ["5m", "1h", "1d"] {
        let stats = folder.succeed(&["stats", "--window", window]);
        let lines: Vec<_> = stats.lines().collect();
        assert!(lines[0].starts_with("FROM"), "{stats}");
        let words: Vec<_> = lines.last().unwrap().split_whitespace().collect();
        assert_eq!(words, ["all", "2", "2", "2", "0", "0"], "{stats}");
    }
    let json = folder.json(&["stats", "--json", "--window", "1h"]);
    assert_eq!(json["window"], "1h");
    let metrics = folder.succeed(&["stats", "--prometheus"]);
    assert!(metrics.contains("# TYPE venom_"), "{metrics}");
    let done = folder.run(&["stats", "--window", "2h"]);
    assert_eq!(done.code, 2);
    assert!(done.err.contains("5m, 1h, 1d"), "{done:?}");
}

#[test]
fn show_lists_the_tasks_that_wait_for_one() {
    let folder = Folder::new();
    let _service = folder.serve();
    folder.succeed(&["pause"]);
    let first = folder.succeed(&["submit", "first"]);
    let none = folder.run(&["show", "--downstream", &first]);
    assert_eq!((none.code, none.out.as_str()), (0, ""));
    assert_eq!(none.err, "No task depends on it.\n");
    let then = folder.succeed(&["submit", "--after", &first, "then"]);
    let shown = folder.succeed(&["show", "--downstream", &first]);
    let last = shown.lines().last().unwrap();
    let words: Vec<_> = last.split_whitespace().collect();
    assert_eq!(words, [then.as_str(), "PENDING", "echo"], "{shown}");
    let json = folder.json(&["show", "--downstream", "--json", &first]);
    assert_eq!(json[0]["id"], then);
}
