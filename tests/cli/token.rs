//! `venom token`, and commands that send one.

use serde_json::{Value, json};

use crate::harness::Folder;

const REQUIRED: &str = "auth = \"required\"\n[processors.outside]\nkind = \"worker\"\n";

/// A folder of a service that asks for tokens, and a token for everything.
fn closed() -> (Folder, String) {
    let folder = Folder::new();
    folder.write("venom.toml", REQUIRED);
    let token = folder.succeed(&["token", "create", "alice", "--role", "admin"]);
    (folder, token)
}

#[test]
fn commands_send_the_token_of_a_flag_a_variable_or_a_file() {
    let (folder, token) = closed();
    let _service = folder.serve();
    let done = folder.run(&["status"]);
    assert_eq!((done.code, done.out.as_str()), (1, ""));
    assert!(done.err.contains("requires authentication"), "{done:?}");

    // Which is asked for by health checks.
    assert_eq!(folder.succeed(&["status", "--ready"]), "ready");

    folder.write("token", &format!("{token}\n"));
    assert_eq!(folder.run(&["status", "--token", &token]).code, 0);
    assert_eq!(folder.run(&["status", "--token-file", "token"]).code, 0);
    assert_eq!(folder.run_with("VENOM_TOKEN", &token, &["status"]).code, 0);
    assert_eq!(
        folder
            .run_with("VENOM_TOKEN_FILE", "token", &["status"])
            .code,
        0
    );
    folder.write(".env", &format!("VENOM_TOKEN={token}\n"));
    // Whatever a command does with the service: ask, follow, watch, export.
    assert_eq!(
        folder.succeed(&["submit", "--wait", "hello"]),
        "Processed: hello"
    );
    let watch = folder.start(&["watch", "--since", "0"]);
    watch.out.until("TASK_COMPLETED");
    drop(watch);
    assert!(folder.succeed(&["export"]).contains("hello"));
}

#[test]
fn no_message_repeats_a_token() {
    let (folder, token) = closed();
    let _service = folder.serve();
    let half = &token[..20];
    for (words, code) in [(format!("{token} x"), 2), (half.to_owned(), 1)] {
        for done in [
            folder.run(&["status", "--token", &words]),
            folder.run_with("VENOM_TOKEN", &words, &["status"]),
        ] {
            assert_eq!(done.code, code, "{done:?}");
            assert!(
                !done.err.contains(half) && done.err.contains("token"),
                "{done:?}"
            );
        }
    }
    let done = folder.run(&["status", "--token-file", "missing"]);
    assert!(done.code == 1 && done.err.contains("missing"), "{done:?}");
}

#[test]
fn tokens_are_made_listed_and_revoked() {
    let (folder, alice) = closed();
    assert!(alice.starts_with("venom_") && alice.len() == 49, "{alice}");
    let made = [
        "token",
        "create",
        "w",
        "--role",
        "operate",
        "--processor",
        "outside",
    ];
    assert_ne!(folder.succeed(&made), alice);
    let listed = folder.json(&["token", "list", "--json"]);
    let of = |index: usize, field: &str| listed[index][field].clone();
    assert_eq!(
        (of(0, "name"), of(0, "role")),
        (json!("alice"), json!("admin"))
    );
    assert_eq!(of(0, "processors"), Value::Null);
    assert_eq!(
        (of(1, "name"), of(1, "processors")),
        (json!("w"), json!(["outside"]))
    );
    assert!(!listed.to_string().contains("hash"));
    let table = folder.succeed(&["token", "list"]);
    assert!(
        table
            .lines()
            .nth(2)
            .unwrap()
            .starts_with("w      operate  outside"),
        "{table}"
    );

    folder.succeed(&["token", "revoke", "alice"]);
    for (words, code, what) in [
        (
            &["token", "revoke", "alice"][..],
            1,
            "no valid token is named alice",
        ),
        (
            &["token", "create", "alice", "--role", "read"],
            1,
            "names cannot be reused",
        ),
        (&["token", "create", "bob"], 2, "--role"),
        (
            &["token", "create", "b b", "--role", "read"],
            2,
            "letters, digits",
        ),
        (
            &["token", "create", "bob", "--role", "king"],
            2,
            "read, submit, operate, admin",
        ),
        (
            &[
                "token",
                "create",
                "bob",
                "--role",
                "read",
                "--processor",
                "outsied",
            ],
            2,
            "--processor: expected a processor of the settings (echo, outside)",
        ),
    ] {
        let done = folder.run(words);
        assert_eq!((done.code, done.out.as_str()), (code, ""), "{done:?}");
        assert!(done.err.contains(what), "{done:?}");
    }
    // With nothing but revoked tokens nobody could come in by name of alice.
    let done = folder.run(&["token", "revoke", "w"]);
    assert_eq!(done.code, 0);
    let done = folder.run(&["serve", "--port", "0"]);
    assert!(
        done.code == 1 && done.err.contains("venom token create"),
        "{done:?}"
    );
}

/// Only root can give files away; what anybody else makes is theirs in any case.
#[test]
fn a_database_that_a_token_is_made_in_belongs_to_the_owner_of_its_folder() {
    use std::os::unix::fs::{MetadataExt, chown};
    let folder = Folder::new();
    std::fs::create_dir(folder.path("home")).unwrap();
    let _ = chown(folder.path("home"), Some(1234), Some(1234));
    // The owner of a folder can reach it.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path("."), mode).unwrap();
    let owner = folder.path("home").metadata().unwrap().uid();
    folder.succeed(&[
        "token",
        "create",
        "a",
        "--role",
        "admin",
        "--database",
        "home/venom.db",
    ]);
    for name in ["home/venom.db", "home/venom.db.lock"] {
        assert_eq!(folder.path(name).metadata().unwrap().uid(), owner, "{name}");
    }
}

#[test]
fn a_token_that_nobody_got_is_none() {
    let folder = Folder::new();
    let words = ["token", "create", "z", "--role", "read"];
    let mut command = folder.command(&words);
    let full = std::fs::File::options().write(true).open("/dev/full");
    let done = command.stdout(full.unwrap()).output().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(said.contains("no token was created"), "{said}");
    assert!(folder.succeed(&words).starts_with("venom_"));
}
