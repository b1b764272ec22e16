//! doctor: what it finds, what it says to do, and how it exits.

use chrono::Datelike;
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
    assert!(message.contains("does not exist yet"), "{message}");
    assert!(!folder.path("data").exists(), "it makes nothing");

    let service = folder.serve();
    folder.succeed(&["submit", "--wait", "one"]);
    let report = folder.json(&["doctor", "--json"]);
    assert_eq!(report["healthy"], true);
    let message = finding(&report, "service")["message"].as_str().unwrap();
    assert!(message.contains(&folder.url()), "{message}");
    let message = finding(&report, "database")["message"].as_str().unwrap();
    assert!(
        message.contains("1 tasks; full integrity check passed"),
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
        quick.contains("integrity not checked") && !quick.contains("invariants"),
        "{quick}"
    );
    assert_eq!(service.stop(), 0);
    let report = folder.json(&["doctor", "--json"]);
    assert_eq!(
        finding(&report, "service")["message"],
        "not running on this database"
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
    let words = format!("such as {id}");
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

/// Writes a certificate of these days from now, and its key.
fn certify(folder: &Folder, from: i64, until: i64) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let day = |days: i64| {
        let date = (chrono::Utc::now() + chrono::TimeDelta::days(days)).date_naive();
        let (month, day) = (date.month() as u8, date.day() as u8);
        rcgen::date_time_ymd(date.year(), month, day)
    };
    (params.not_before, params.not_after) = (day(from), day(until));
    let certificate = params.self_signed(&key).unwrap();
    folder.write("cert.pem", &certificate.pem());
    folder.write("key.pem", &key.serialize_pem());
    mode(folder, "key.pem", 0o600);
}

fn mode(folder: &Folder, name: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(folder.path(name), permissions).unwrap();
}

/// The report of a command that may exit with 1.
fn report(folder: &Folder) -> Value {
    serde_json::from_str(&folder.run(&["doctor", "--json"]).out).unwrap()
}

/// The state and the message of the first finding of this name.
fn told(report: &Value, name: &str) -> (String, String) {
    let found = finding(report, name);
    let text = |field: &str| found[field].as_str().unwrap().to_owned();
    (text("state"), text("message"))
}

#[test]
fn a_certificate_is_looked_at_before_clients_do() {
    let folder = Folder::new();
    let settings = "tls_cert_file = \"cert.pem\"\ntls_key_file = \"key.pem\"\n";
    folder.write("venom.toml", settings);
    let (state, message) = told(&report(&folder), "tls");
    assert_eq!(state, "fail");
    assert!(message.contains("cannot read cert.pem"), "{message}");

    certify(&folder, -1, 90);
    let found = report(&folder);
    let (state, message) = told(&found, "tls");
    assert_eq!(state, "ok", "{message}");
    assert!(message.contains("is valid until"), "{message}");
    assert_eq!(found["healthy"], true, "{found}");

    for (from, until, state, words) in [
        (-1, 10, "warn", "expires soon"),
        (-9, -2, "fail", "expired on"),
        (5, 90, "fail", "is not valid before"),
    ] {
        certify(&folder, from, until);
        let (found, message) = told(&report(&folder), "tls");
        assert_eq!(found, state, "{message}");
        assert!(message.contains(words), "{message}");
    }

    certify(&folder, -1, 90);
    mode(&folder, "key.pem", 0o644);
    let found = report(&folder);
    let checks = found["checks"].as_array().unwrap();
    let readable = |check: &Value| check["message"].to_string().contains("can read the key");
    let readable = checks.iter().find(|check| readable(check)).unwrap();
    assert_eq!(readable["state"], "warn");

    // The key of another certificate.
    let other = rcgen::KeyPair::generate().unwrap();
    folder.write("key.pem", &other.serialize_pem());
    let (state, message) = told(&report(&folder), "tls");
    assert_eq!(state, "fail");
    assert!(message.contains("do not make a certificate"), "{message}");
}

#[test]
fn a_token_that_is_missing_is_told_before_the_start_fails() {
    let folder = Folder::new();
    let (state, message) = told(&report(&folder), "access");
    assert_eq!(state, "ok", "{message}");
    folder.write("venom.toml", "host = \"0.0.0.0\"\n");
    let found = report(&folder);
    assert_eq!(found["healthy"], false);
    let (state, message) = told(&found, "access");
    assert_eq!(state, "fail");
    assert!(message.contains("would not start"), "{message}");
    assert_eq!(folder.run(&["serve", "--port", "0"]).code, 1, "as it said");

    folder.succeed(&["token", "create", "ann", "--role", "admin"]);
    let found = report(&folder);
    assert_eq!(found["healthy"], true, "{found}");
    let (state, message) = told(&found, "access");
    assert_eq!(state, "warn");
    assert!(message.contains("unencrypted"), "{message}");
    folder.succeed(&["token", "revoke", "ann"]);
    assert_eq!(told(&report(&folder), "access").0, "fail");

    folder.write("venom.toml", "host = \"0.0.0.0\"\nauth = \"off\"\n");
    let (state, message) = told(&report(&folder), "access");
    assert_eq!(state, "warn");
    assert!(message.contains("everybody who reaches it"), "{message}");
}

#[test]
fn files_that_others_may_read_and_a_bad_dump_are_warnings() {
    let folder = Folder::new();
    let (state, message) = told(&report(&folder), "state file");
    assert_eq!(state, "ok");
    assert!(message.ends_with("does not exist yet"), "{message}");
    let service = folder.serve();
    folder.succeed(&["submit", "--wait", "one"]);
    assert_eq!(service.stop(), 0);
    let found = report(&folder);
    assert_eq!(told(&found, "permissions").0, "ok");
    let (state, message) = told(&found, "state file");
    assert_eq!(state, "ok");
    assert!(message.contains(" was written at 2"), "{message}");

    mode(&folder, "data/venom.db", 0o644);
    folder.write("data/memory/state_dump.json", "{\"tasks\": [");
    let found = report(&folder);
    assert_eq!(found["healthy"], true, "{found}");
    let (state, message) = told(&found, "permissions");
    assert_eq!(state, "warn");
    assert!(message.contains("venom.db"), "{message}");
    let (state, message) = told(&found, "state file");
    assert_eq!(state, "warn");
    assert!(message.contains("not a valid dump"), "{message}");

    folder.write("venom.toml", "state_file_path = \"data\"\n");
    let (state, message) = told(&report(&folder), "state file");
    assert_eq!(state, "warn");
    assert!(message.ends_with("data is not a regular file"), "{message}");
}

#[test]
fn a_service_looks_at_itself_when_it_is_asked() {
    let folder = Folder::new();
    let _service = folder.serve();
    folder.succeed(&["pause", "--reason", "lunch"]);
    let elsewhere = Folder::new();
    let told = elsewhere.succeed(&["doctor", "--url", &folder.url()]);
    assert!(told.contains("full integrity check passed"), "{told}");
    assert!(told.contains("warn queue"), "{told}");
    assert!(told.contains("--settings shows them"), "{told}");
    let report = folder.json(&["doctor", "--service", "--quick", "--json"]);
    let database = finding(&report, "database")["message"].as_str().unwrap();
    assert!(database.ends_with("integrity not checked"), "{database}");
    drop(_service);
    let done = folder.run(&["doctor", "--service"]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("no venom service answers"), "{done:?}");
}
