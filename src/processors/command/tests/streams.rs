//! What goes into a child and comes out of it.

use super::{Attempt, Seen};

#[tokio::test]
async fn lines_are_logged_in_order_and_stdout_is_the_result() {
    let attempt = Attempt::script("echo one; echo two; printf three");
    assert_eq!(attempt.run().await.unwrap(), "one\ntwo\nthree");
    assert_eq!(attempt.host.logs(), ["one", "two", "three"]);
}

#[tokio::test]
async fn stderr_is_logged_and_no_part_of_the_result() {
    let attempt = Attempt::script("echo out; echo err >&2");
    assert_eq!(attempt.run().await.unwrap(), "out");
    let mut logs = attempt.host.logs();
    logs.sort();
    assert_eq!(logs, ["err", "out"]);
}

#[tokio::test]
async fn a_line_is_logged_while_the_program_runs() {
    let folder = tempfile::tempdir().unwrap();
    let attempt = Attempt {
        content: folder.path().join("gate").display().to_string(),
        ..Attempt::script("read gate; mkfifo $gate; echo ready; cat $gate")
    };
    let open_gate = async {
        attempt.host.line("ready").await;
        tokio::fs::write(&attempt.content, "opened").await.unwrap();
    };
    let result = attempt.run_beside(open_gate).await;
    assert_eq!(result.unwrap(), "ready\nopened");
}

#[tokio::test]
async fn the_program_has_its_arguments_environment_and_directory() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    let script = r#"echo "$1 $GREETING $VENOM_TASK_ID $VENOM_ATTEMPT"; pwd -P; cat"#;
    let mut attempt = Attempt::script(script);
    let settings = &mut attempt.settings;
    settings
        .args
        .extend(["sh", "$HOME; no shell"].map(String::from));
    settings.env.insert("GREETING".into(), "hello".into());
    settings.env.insert("VENOM_TASK_ID".into(), "forged".into());
    settings.working_directory = Some(folder.clone());
    attempt.number = 7;
    attempt.content = "zażółć".into();

    let (id, folder) = (attempt.task_id, folder.display());
    let expected = format!("$HOME; no shell hello {id} 7\n{folder}\nzażółć");
    assert_eq!(attempt.run().await.unwrap(), expected);
}

#[tokio::test]
async fn more_than_the_pipes_hold_goes_through_both_ways() {
    let line = format!("{}\n", "x".repeat(9_999));
    let attempt = Attempt {
        content: line.repeat(500),
        ..Attempt::script("cat")
    };
    let result = attempt.run().await.unwrap();
    let whole = &attempt.content[..1024 * 1024];
    assert!(result == format!("{whole}\n[result cut at 1048576 bytes]"));
    assert_eq!(attempt.host.logs().len(), 500);
}

#[tokio::test]
async fn content_need_not_be_read() {
    for script in [
        "echo done",
        "exec <&-; echo done",
        "head -c 1 > /dev/null; exec <&-; echo done",
    ] {
        let attempt = Attempt {
            content: "x".repeat(5_000_000),
            ..Attempt::script(script)
        };
        assert_eq!(attempt.run().await.unwrap(), "done", "{script}");
    }
}

#[tokio::test]
async fn progress_lines_set_the_progress_and_nothing_else() {
    let attempt = Attempt::script(
        "echo ::progress 0.25; echo work; echo ::progress 0.5 >&2; echo ::progress lots",
    );
    assert_eq!(attempt.run().await.unwrap(), "work\n::progress lots");
    let seen = attempt.host.seen.borrow().clone();
    let progress = |seen: &Seen| matches!(seen, Seen::Progress(_));
    let reported: Vec<_> = seen.into_iter().filter(progress).collect();
    assert_eq!(reported.len(), 2);
    assert!(reported.contains(&Seen::Progress(0.25)));
    assert!(reported.contains(&Seen::Progress(0.5)));
    assert_eq!(attempt.host.logs(), ["work", "::progress lots"]);
}

#[tokio::test]
async fn an_endless_line_is_cut_in_the_log_and_in_the_result() {
    let attempt = Attempt::script("head -c 10000000 /dev/zero | tr '\\0' x");
    let result = attempt.run().await.unwrap();
    let whole = "x".repeat(1024 * 1024);
    assert!(result == format!("{whole}\n[result cut at 1048576 bytes]"));
    let logged = format!("{} [line cut at 65536 bytes]", &whole[..65536]);
    assert!(attempt.host.logs() == [logged]);
}

#[tokio::test]
async fn output_that_is_not_utf_8_is_made_so() {
    let attempt = Attempt::script(r"printf 'caf\351\n'");
    assert_eq!(attempt.run().await.unwrap(), "caf\u{FFFD}");
    assert_eq!(attempt.host.logs(), ["caf\u{FFFD}"]);
}

#[tokio::test]
async fn signals_are_at_their_defaults() {
    // Ignored, as it is in every Rust program, SIGPIPE would let `yes` complain.
    let attempt = Attempt::script("yes | head -n 1; kill -PIPE $$; echo still here");
    let error = attempt.run().await.unwrap_err();
    assert_eq!(error, "killed by signal 13 (SIGPIPE)");
    assert_eq!(attempt.host.logs(), ["y"]);
}
