//! doctor: what it finds, what it says to do, and how it exits.

use serde_json::Value;

use crate::harness::Folder;

fn finding<'a>(report: &'a Value, check: &str) -> &'a Value {
    let findings = report["checks"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["name"] == check);
    found.unwrap_or_else(|| panic!("{check}: {report}"))
}

fn sql(folder: &Folder, statements: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let path = folder.path("data/venom.db");
    runtime.block_on(async {
        use sqlx::{ConnectOptions, Connection};
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let mut conn = options.connect().await.unwrap();
        let run = sqlx::raw_sql(sqlx::AssertSqlSafe(statements));
        run.execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    });
}

#[test]
fn a_healthy_service_is_found_healthy_and_so_is_its_database_alone() {
    let folder = Folder::new();
    let report = folder.json(&["doctor", "--json"]);
    let message = finding(&report, "database")["message"].as_str().unwrap();
    assert!(message.contains("not there yet"), "{message}");
    assert!(!folder.path("data").exists(), "it makes nothing");

    let service = folder.serve();
    folder.succeed(&["submit", "--wait", "one"]);
    let report = folder.json(&["doctor", "--json"]);
    assert_eq!(report["healthy"], true);
    let message = finding(&report, "service")["message"].as_str().unwrap();
    assert!(message.contains(&folder.url()), "{message}");
    let message = finding(&report, "database")["message"].as_str().unwrap();
    assert!(
        message.contains("1 tasks; its integrity is checked"),
        "{message}"
    );
    assert_eq!(finding(&report, "invariants")["state"], "ok");
    assert!(
        finding(&report, "disk")["message"]
            .as_str()
            .unwrap()
            .contains("p99")
    );
    let quick = folder.succeed(&["doctor", "--quick"]);
    assert!(
        quick.contains("not read through") && !quick.contains("invariants"),
        "{quick}"
    );
    assert_eq!(service.stop(), 0);
    let report = folder.json(&["doctor", "--json"]);
    assert_eq!(
        finding(&report, "service")["message"],
        "none runs on this database"
    );
}

#[test]
fn settings_are_told_with_their_places_and_without_secrets() {
    let folder = Folder::new();
    folder.write("venom.toml", "port = 9001\nredis_password = \"hunter2\"\n");
    folder.write(".env", "MAX_CONCURRENT_TASKS=7\n");
    let args = ["doctor", "--settings", "--database", "here.db"];
    let mut command = folder.command(&args);
    command.env("VENOM_SHUTDOWN_GRACE", "1.5");
    let out = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let line = |key: &str| {
        let line = out.lines().find(|line| line.starts_with(key));
        line.unwrap_or_else(|| panic!("{key}: {out}")).to_owned()
    };
    assert!(line("port ").ends_with("venom.toml, line 1"), "{out}");
    assert!(line("max_concurrent_tasks ").contains(" 7 "), "{out}");
    assert!(
        line("max_concurrent_tasks ").contains(".env, line 1"),
        "{out}"
    );
    assert!(line("shutdown_grace ").contains(" 1.5 s "), "{out}");
    assert!(
        line("database_path ").ends_with("on the command line (--database)"),
        "{out}"
    );
    assert!(line("host ").ends_with("by default"), "{out}");
    assert!(line("redis_password ").contains("(not shown)"), "{out}");
    assert!(!out.contains("hunter2"), "{out}");
    let brief = folder.succeed(&["doctor"]);
    assert!(
        !brief.contains("by default") && brief.contains("--settings shows them"),
        "{brief}"
    );
}

#[test]
fn a_mistake_in_the_settings_is_a_problem() {
    let folder = Folder::new();
    folder.write("venom.toml", "prot = 1\n");
    let done = folder.run(&["doctor", "--json"]);
    assert_eq!(done.code, 1, "{done:?}");
    let report: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(report["healthy"], false);
    let message = finding(&report, "settings")["message"].as_str().unwrap();
    assert!(message.contains("`prot`"), "{message}");
}

#[test]
fn rows_that_break_a_rule_are_named_and_a_backup_says_so_too() {
    let folder = Folder::new();
    let service = folder.serve();
    let id = folder.succeed(&["submit", "one"]);
    folder.succeed(&["submit", "--wait", "two"]);
    assert_eq!(service.stop(), 0);
    sql(
        &folder,
        "DELETE FROM logs WHERE type = 'TASK_CREATED' AND id = 1",
    );
    let done = folder.run(&["doctor"]);
    assert_eq!(done.code, 1, "{done:?}");
    let words = format!(
        "1 tasks without exactly one TASK_CREATED, before everything else about them, such as {id}"
    );
    assert!(done.out.contains(&words), "{done:?}");
    let done = folder.run(&["backup", "backup.db"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.err.contains(&words), "{done:?}");
    assert!(folder.path("backup.db").exists());
}

/// What a script prints is no word of the service's, and a user's clock may have been set back.
#[test]
fn no_error_of_a_script_and_no_clock_that_was_set_back_breaks_a_rule() {
    let folder = Folder::new();
    folder.write(
        "venom.toml",
        "[processors.bad]\nkind = \"command\"\nprogram = \"sh\"\nmax_attempts = 2\n\
         backoff = { first = 0.01, factor = 1, max = 1, jitter = 0 }\n\
         args = [\"-c\", \"echo 'it failed and was retried by hand; the task will run again' >&2; exit 1\"]\n",
    );
    let service = folder.serve();
    let bad = ["submit", "--processor", "bad", "--wait", "once"];
    let failed = folder.run(&bad);
    assert_eq!(failed.code, 1, "{failed:?}");
    assert_eq!(service.stop(), 0);
    sql(
        &folder,
        "UPDATE tasks SET started_at = '2999-01-01T00:00:00.000000Z'",
    );
    let done = folder.run(&["doctor"]);
    assert_eq!(done.code, 0, "{done:?}");
}

#[test]
fn a_damaged_or_foreign_file_and_a_folder_that_takes_nothing_are_problems() {
    let folder = Folder::new();
    folder.write("text.db", &"no database ".repeat(1000));
    let done = folder.run(&["doctor", "--database", "text.db"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.out.contains("fail database"), "{done:?}");
    let done = folder.run(&["doctor", "--database", "/proc/venom.db"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.out.contains("fail disk"), "{done:?}");
}

#[test]
fn a_journal_from_the_future_and_a_killed_service_are_warnings() {
    let folder = Folder::new();
    let service = folder.serve();
    folder.succeed(&["submit", "--wait", "one"]);
    drop(service);
    sql(
        &folder,
        "UPDATE logs SET at = '2999-01-01T00:00:00.000000Z'",
    );
    let report = folder.json(&["doctor", "--json"]);
    assert_eq!(report["healthy"], true);
    assert_eq!(finding(&report, "service")["state"], "warn");
    let findings = report["checks"].as_array().unwrap();
    let future = |finding: &Value| finding["message"].to_string().contains("in the future");
    assert!(findings.iter().any(future), "{report}");
}
