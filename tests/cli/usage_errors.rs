//! Wrong usage is exit code 2, with words that help; help itself is 0.

use crate::harness::Folder;

#[test]
fn wrong_usage_is_exit_code_2() {
    let folder = Folder::new();
    for (line, words) in [
        (&["frobnicate"][..], "unrecognized subcommand 'frobnicate'"),
        (&["--port", "1", "status"], "cannot be used with"),
        (
            &["serve", "--port", "x"],
            "(--port): found \"x\", expected a whole number",
        ),
        (
            &["--host", "venom.lan"],
            "(--host): found \"venom.lan\", expected an IP address",
        ),
        (&["serve", "--log-format", "xml"], "(--log-format)"),
        (&["serve", "--max-concurrent", "0"], "(--max-concurrent)"),
        (&["submit"], "<TEXT>"),
        (&["submit", "--batch", "f", "x"], "cannot be used with"),
        (&["submit", "--batch", "f", "--wait"], "cannot be used with"),
        (
            &["submit", "--batch", "f", "--tag", "t"],
            "leave out the flags of a task",
        ),
        (
            &["submit", "--delay", "5min", "x"],
            "expected a duration such as 90, 90s, 5m",
        ),
        (&["submit", "--at", "noon", "x"], "expected a time such as"),
        (
            &[
                "submit",
                "--delay",
                "1",
                "--at",
                "2099-01-01T00:00:00Z",
                "x",
            ],
            "cannot be used with",
        ),
        (
            &["submit", "--retry", "1", "--max-attempts", "2", "x"],
            "cannot be used with",
        ),
        (&["submit", "--idempotency-key", "é", "x"], "visible ASCII"),
        (&["pause", "--for", "x"], "expected a duration such as 90"),
        (
            &["pause", "--for", "1", "--until", "2099-01-01T00:00:00Z"],
            "cannot be used with",
        ),
        (&["show"], "<ID>"),
        (&["logs", "x"], "invalid value 'x' for '<ID>'"),
        (&["explain", "--frob"], "unexpected argument '--frob'"),
        (&["schedules", "x"], "unexpected argument 'x'"),
        (&["reload", "x"], "unexpected argument 'x'"),
        (
            &["submit", "--priority", "101", "x"],
            "101 is not in -100..=100",
        ),
        (&["abort", "x"], "invalid value 'x' for '[ID]...'"),
        (
            &["watch", "--types", "TASK_LOGS"],
            "expected one of TASK_CREATED, ",
        ),
        (&["watch", "--since", "-1"], "-1 is not in 0.."),
        (
            &["status", "--url", "ftp://venom.lan"],
            "expected an address such as",
        ),
        (&["import"], "<FILE>"),
    ] {
        let done = folder.run(line);
        assert_eq!(
            (done.code, done.out.as_str()),
            (2, ""),
            "{line:?}: {done:?}"
        );
        assert!(done.err.contains(words), "{line:?}: {done:?}");
    }
    let done = folder.run_with("VENOM_URL", "nonsense", &["status"]);
    assert_eq!(done.code, 2);
    assert!(
        done.err.contains("`VENOM_URL` in the environment"),
        "{done:?}"
    );
}

#[test]
fn a_mistake_in_the_settings_is_exit_code_1() {
    let folder = Folder::new();
    folder.write("venom.toml", "prot = 1\n");
    for line in [&["serve"][..], &["status"]] {
        let done = folder.run(line);
        assert_eq!((done.code, done.out.as_str()), (1, ""));
        assert!(done.err.contains("did you mean `port`?"), "{done:?}");
    }
}

#[test]
fn every_command_has_help_with_examples() {
    let folder = Folder::new();
    let help = folder.succeed(&["--help"]);
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let commands = commands.lines().map_while(|line| line.strip_prefix("  "));
    let names: Vec<_> = commands.filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names.len(), 31, "{names:?}");
    for name in names.into_iter().filter(|name| *name != "help") {
        let help = folder.succeed(&[name, "--help"]);
        assert!(help.contains(&format!("  venom {name}")), "{help}");
    }
    let version = folder.succeed(&["--version"]);
    assert_eq!(version, format!("venom {}", env!("CARGO_PKG_VERSION")));
}
