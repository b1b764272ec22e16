//! Control characters in texts of others are shown, so that nobody's text steers the terminal.

use crate::harness::{Done, Folder};
use crate::stub_service::Canned;

const NOBODY: &str = "0190a6e2-7b5c-7d20-9a3c-5f2e8b1d4c6a";

#[track_caller]
fn is_tame(done: &Done) {
    for text in [&done.out, &done.err] {
        let mut letters = text.chars().filter(|it| it.is_control());
        assert!(letters.all(|it| it == '\n'), "{done:?}");
    }
}

#[test]
fn the_reason_of_a_pause_is_one_line() {
    let folder = Folder::new();
    let _service = folder.serve();
    let pause = folder.run(&["pause", "--reason", "red \u{1b}[31m\nIt runs."]);
    assert_eq!(pause.code, 0);
    is_tame(&pause);
    let id = folder.succeed(&["submit", "hello"]);
    let explained = folder.run(&["explain", &id]);
    is_tame(&explained);
    assert!(
        explained.out.contains("(red \\u{1b}[31m\\nIt runs.)"),
        "{explained:?}"
    );
    assert_eq!(explained.out.lines().count(), 1, "{explained:?}");
}

#[test]
fn the_error_of_a_failed_task_is_tame() {
    let folder = Folder::new();
    folder.write(
        "venom.toml",
        "[processors.bad]\nkind = \"command\"\nprogram = \"sh\"\n\
         args = [\"-c\", 'printf \"\\033]0;title\\007 done\" >&2; exit 1']\n",
    );
    let _service = folder.serve();
    let failed = folder.run(&["submit", "--processor", "bad", "--wait", "x"]);
    assert_eq!((failed.code, failed.out.as_str()), (1, ""));
    is_tame(&failed);
    // What would set the title is taken out of the error before it is stored.
    assert!(
        failed.err.ends_with("failed (error):  done\n"),
        "{failed:?}"
    );
}

#[test]
fn refusals_and_answers_are_tame() {
    let folder = Folder::new();
    for (answer, code, words) in [
        (
            ("409 Conflict", r#"{"detail": "No\u001b[2J.\nReally."}"#),
            1,
            "error: No\\u{1b}[2J.\nReally.\n",
        ),
        (
            (
                "422 Unprocessable",
                r#"{"detail": [{"loc": ["body", "\u009b"], "msg": "\u0008wrong"}]}"#,
            ),
            1,
            "error: \\u{9b}: \\u{8}wrong\n",
        ),
        (
            ("200 OK", r#"{"message": "Done\r\u001b[A."}"#),
            0,
            "Done\\r\\u{1b}[A.\n",
        ),
    ] {
        let service = Canned::new([answer]);
        let done = folder.run(&["retry", "--url", &service.url, NOBODY]);
        assert_eq!(done.code, code, "{done:?}");
        assert_eq!(done.err, words);
        is_tame(&done);
    }
}
