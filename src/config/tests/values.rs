//! What the settings take.

use std::time::Duration;

use super::setup;
use crate::config::{Durability, LogFormat};

#[test]
fn switches_are_read_as_pydantic_reads_them() {
    for (word, truth) in [
        ("true", true),
        ("True", true),
        ("1", true),
        ("yes", true),
        ("ON", true),
        ("false", false),
        ("False", false),
        ("0", false),
        ("No", false),
        ("off", false),
    ] {
        let setup = setup().variable("VENOM_STATE_DUMP", word);
        assert_eq!(setup.settings().state_dump, truth, "{word}");
    }
    for word in ["maybe", "2", "tru", "enabled"] {
        let mistake = setup().variable("ENABLE_QUEUE_LIMITS", word).mistake();
        assert!(mistake.contains("expected true or false"), "{mistake}");
    }
}

#[test]
fn switches_in_the_file_are_words_or_booleans() {
    for (value, truth) in [
        ("true", true),
        ("\"on\"", true),
        ("\"off\"", false),
        ("0", false),
    ] {
        let setup = setup().toml(&format!("state_dump = {value}"));
        assert_eq!(setup.settings().state_dump, truth, "{value}");
    }
}

#[test]
fn words_have_no_case() {
    let settings = setup()
        .toml("durability = 'Normal'")
        .variable("VENOM_LOG_FORMAT", " JSON ")
        .settings();

    assert_eq!(settings.durability, Durability::Normal);
    assert_eq!(settings.log_format, LogFormat::Json);
}

#[test]
fn the_address_may_be_the_local_one_by_name() {
    for (host, address) in [
        ("localhost", "127.0.0.1"),
        ("::", "::"),
        ("10.0.0.1", "10.0.0.1"),
    ] {
        let settings = setup().variable("VENOM_HOST", host).settings();
        assert_eq!(settings.host.to_string(), address);
    }
    let mistake = setup().variable("VENOM_HOST", "example.org").mistake();
    assert!(mistake.contains("expected an IP address"), "{mistake}");
}

#[test]
fn times_are_numbers_of_seconds_or_have_a_unit() {
    let grace = |value: &str| {
        let setup = setup().toml(&format!("shutdown_grace = {value}"));
        setup.settings().shutdown_grace
    };

    assert_eq!(grace("0"), Duration::ZERO);
    assert_eq!(grace("90"), Duration::from_secs(90));
    assert_eq!(grace("0.25"), Duration::from_millis(250));
    assert_eq!(grace("\"1.5\""), Duration::from_millis(1500));
    assert_eq!(grace("\"5m\""), Duration::from_mins(5));
    let settings = setup()
        .toml(
            "[processors.a]\nkind = 'worker'\nlease = '2m'\ntimeout = '5m'\n\
             backoff = { first = '90s', max = '1h' }",
        )
        .variable("VENOM_POLL_INTERVAL", "200ms")
        .variable("HIVE_TASK_TIMEOUT", "5m")
        .settings();
    let processor = &settings.processors["a"];
    assert_eq!(processor.timeout, Some(Duration::from_mins(5)));
    assert_eq!(processor.backoff.first, Duration::from_secs(90));
    assert_eq!(processor.backoff.max, Duration::from_hours(1));
    assert_eq!(settings.poll_interval, Duration::from_millis(200));
    assert_eq!(settings.hive_task_timeout, Duration::from_mins(5));
}

#[test]
fn finished_tasks_are_kept_for_ever_or_for_a_time() {
    for (value, seconds) in [
        ("forever", None),
        ("Forever", None),
        ("1", Some(1)),
        ("3600", Some(3600)),
        ("12h", Some(43_200)),
        ("30d", Some(2_592_000)),
    ] {
        let duration = seconds.map(Duration::from_secs);
        let settings = setup()
            .variable("VENOM_RETENTION_COMPLETED", value)
            .toml(&format!("retention_failed = '{value}'"))
            .settings();
        assert_eq!(settings.retention_completed, duration, "{value}");
        assert_eq!(settings.retention_failed, duration, "{value}");
    }
    let settings = setup()
        .toml("retention_completed = 90")
        .variable("VENOM_RETENTION_FAILED", "1d")
        .settings();
    assert_eq!(settings.retention_completed, Some(Duration::from_secs(90)));
    assert_eq!(settings.retention_failed, Some(Duration::from_secs(86_400)));
}

#[test]
fn clients_are_named_by_lists_or_by_texts_with_commas() {
    let origins = ["https://app.example.org", "http://localhost:3000"];
    let in_file = setup().toml(
        "hosts = ['build.lan', 'venom']\n\
         trusted_proxies = ['127.0.0.1', '10.0.0.0/8', '::1']\n\
         cors_origins = ['https://app.example.org', 'http://localhost:3000']\n\
         rate_limit = '100/s'",
    );
    let in_variables = setup()
        .variable("VENOM_HOSTS", "build.lan, venom")
        .variable("VENOM_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8,::1")
        .variable("VENOM_CORS_ORIGINS", &origins.join(","))
        .variable("VENOM_RATE_LIMIT", "100/s");
    for settings in [in_file.settings(), in_variables.settings()] {
        let proxies: Vec<_> = (settings.trusted_proxies.iter())
            .map(ToString::to_string)
            .collect();
        assert_eq!(proxies, ["127.0.0.1/32", "10.0.0.0/8", "::1/128"]);
        assert_eq!(settings.hosts, ["build.lan", "venom"]);
        assert_eq!(settings.cors_origins, origins);
        assert_eq!(settings.rate_limit.unwrap().to_string(), "100/s");
    }
}

#[test]
fn ranges_hold_in_the_file_and_in_variables() {
    for (key, values) in [
        ("port", vec!["-1", "65536", "80.5", "1e3"]),
        (
            "max_concurrent_tasks",
            vec!["0", "-5", "1000001", "18446744073709551616"],
        ),
        ("max_connections", vec!["0"]),
        ("rate_limit", vec!["0/s", "100", "100001/s", "5/week"]),
        (
            "hosts",
            vec![
                "*",
                "*.lan",
                "Build.lan",
                "build.lan:8000",
                "http://build.lan",
                "10.0.0.1",
                "a b",
            ],
        ),
        ("trusted_proxies", vec!["proxy", "10.0.0.0/33"]),
        (
            "cors_origins",
            vec![
                "*",
                "null",
                "app.example.org",
                "https://app.example.org/",
                "https://App.example.org",
                "https://a@app.example.org",
                "https://app.example.org:443",
                "file:///",
            ],
        ),
        ("shutdown_grace", vec!["-0.1", "nan", "inf", "1e10", "30x"]),
        ("state_dump_interval", vec!["-1"]),
        ("poll_interval", vec!["0", "0.0001"]),
        ("header_timeout", vec!["0"]),
        ("request_timeout", vec!["0"]),
        ("idle_timeout", vec!["0"]),
        ("body_limit_bytes", vec!["1023", "268435457", "8MiB"]),
        ("inbox_limit_bytes", vec!["0"]),
        ("running_limit_bytes", vec!["0"]),
        (
            "retention_completed",
            vec!["0", "0d", "-1d", "30w", "never"],
        ),
        ("retention_failed", vec!["0.5", "30 days", "inf", "1e9d"]),
        ("durability", vec!["fast"]),
        ("log_format", vec!["yaml"]),
        ("log", vec!["warning", "venom_core", "info,venom_core=loud"]),
    ] {
        for value in values {
            let variable = format!("VENOM_{}", key.to_uppercase());
            let mistake = setup().variable(&variable, value).mistake();
            assert!(
                mistake.starts_with(&format!("`{key}` in the environment")),
                "{mistake}"
            );
            assert!(
                mistake.contains(&format!("found {value:?}, expected ")),
                "{mistake}"
            );

            let mistake = setup().toml(&format!("{key} = {value:?}")).mistake();
            assert!(
                mistake.starts_with(&format!("`{key}` in HERE/venom.toml")),
                "{mistake}"
            );
        }
    }
    let mistake = setup().toml("idle_timeout = nan").mistake();
    assert!(
        mistake.contains("found NaN, expected a number of seconds"),
        "{mistake}"
    );
}

#[test]
fn the_log_takes_a_level_or_a_filter() {
    for log in [
        "debug",
        "OFF",
        "info,venom_core=debug",
        "venom_core::state=trace",
    ] {
        assert_eq!(setup().variable("VENOM_LOG", log).settings().log, log);
    }
}

#[test]
fn the_type_of_a_value_must_fit() {
    for (toml, found) in [
        ("port = [1]", "a list with a number in it"),
        ("port = {}", "a table"),
        ("port = true", "true"),
        ("log = 1.0", "1.0"),
        ("database_path = ''", "\"\""),
        ("host = 2020-01-01", "\"2020-01-01\""),
        ("processors = 'secret'", "a text"),
        ("processors = []", "a list"),
    ] {
        let mistake = setup().toml(toml).mistake();
        assert!(
            mistake.contains(&format!(": found {found}, expected ")),
            "{mistake}"
        );
    }
}

#[test]
fn no_value_floods_the_terminal() {
    let mistake = setup()
        .variable("VENOM_HOST", &format!("\x1b[31m{}", "x".repeat(5000)))
        .mistake();

    assert!(mistake.contains("found \"\\u{1b}[31mxxx"), "{mistake}");
    assert!(mistake.len() < 250, "{mistake}");
}
