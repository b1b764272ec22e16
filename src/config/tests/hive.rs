//! The settings of the Hive, and the processors of kind `hive`.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::{Setup, setup};
use crate::config::{HiveCodec, HiveProcessorSettings, HiveQueue, ProcessorKind};

/// One processor `a` of kind `hive` with these lines, the first of which is line 3.
fn processor(lines: &str) -> Setup {
    setup().toml(&format!("[processors.a]\nkind = 'hive'\n{lines}"))
}

#[test]
fn the_originals_variables_work_as_they_are() {
    let settings = setup()
        .dotenv(
            "ENABLE_HIVE=True\nREDIS_HOST=redis.example.org\nREDIS_PORT=6380\nREDIS_DB=2\n\
             REDIS_PASSWORD='pass word'\nREDIS_USERNAME=venom\nREDIS_TLS=on\n\
             HIVE_HIGH_PRIORITY_QUEUE=h\nHIVE_BACKGROUND_QUEUE=b\nHIVE_BROADCAST_CHANNEL=c\n\
             HIVE_TASK_TIMEOUT=30\nHIVE_MAX_RETRIES=5\nHIVE_ZOMBIE_TASK_TIMEOUT=60\n\
             HIVE_URL=https://hive.example.org\n",
        )
        .settings();

    assert!(settings.enable_hive && settings.redis_tls);
    assert_eq!(settings.redis_host, "redis.example.org");
    assert_eq!((settings.redis_port, settings.redis_db), (6380, 2));
    assert_eq!(settings.redis_username.as_deref(), Some("venom"));
    let password = settings.reveal_redis_password().unwrap();
    assert_eq!(password.as_deref(), Some("pass word"));
    assert!(!format!("{settings:?}").contains("pass word"));
    assert_eq!(settings.hive_high_priority_queue, "h");
    assert_eq!(settings.hive_background_queue, "b");
    assert_eq!(settings.hive_broadcast_channel, "c");
    assert_eq!(settings.hive_task_timeout, Duration::from_secs(30));
    assert_eq!(settings.hive_max_retries, 5);
    assert_eq!(settings.hive_zombie_task_timeout, Duration::from_secs(60));
}

#[test]
fn our_prefix_works_before_them_too() {
    let settings = setup()
        .variable("VENOM_ENABLE_HIVE", "1")
        .variable("VENOM_REDIS_HOST", "::1")
        .variable("venom_hive_max_retries", "2")
        .settings();

    assert!(settings.enable_hive);
    assert_eq!(settings.redis_host, "::1");
    assert_eq!(settings.hive_max_retries, 2);
}

#[test]
fn an_empty_password_is_none() {
    for setup in [
        setup().dotenv("REDIS_PASSWORD=\n"),
        setup().variable("REDIS_PASSWORD", ""),
        setup().toml("redis_password = ' '\nredis_username = ''"),
    ] {
        let settings = setup.settings();
        assert_eq!(settings.redis_password, None);
        assert_eq!(settings.redis_username, None);
        assert_eq!(settings.reveal_redis_password(), Ok(None));
    }
}

#[test]
fn the_password_may_stand_in_a_file() {
    let setup = setup().file("password", "pass word\n");
    let path = setup.path().join("password");
    let line = format!("redis_password_file = {:?}", path.to_str().unwrap());
    let setup = setup.toml(&line);
    let settings = setup.settings();
    let revealed = || settings.reveal_redis_password();

    assert_eq!(revealed(), Ok(Some("pass word".to_owned())));
    fs::write(&path, "").unwrap();
    let mistake = revealed().unwrap_err();
    assert!(mistake.ends_with("password` is empty"), "{mistake}");
}

#[test]
fn a_processor_has_the_defaults_of_the_hive() {
    let setup = setup().toml(
        "hive_task_timeout = 20\nhive_max_retries = 7\n\
         [processors.plain]\nkind = 'hive'\nfunction = 'app.jobs.run_2'\n\
         [processors.own]\nkind = 'Hive'\nfunction = '_f'\nqueue = 'High'\ncodec = 'msgpack'\n\
         expects_result = false\n         timeout = 5\nmax_attempts = 1\nconcurrency = 3\n",
    );
    let processors = setup.settings().processors;

    let plain = &processors["plain"];
    assert_eq!(plain.kind.name(), "hive");
    assert_eq!(plain.timeout, Some(Duration::from_secs(20)));
    assert_eq!((plain.max_attempts, plain.concurrency), (7, Some(10_000)));
    let kind = HiveProcessorSettings {
        function: "app.jobs.run_2".to_owned(),
        queue: HiveQueue::ByPriority,
        codec: HiveCodec::Pickle,
        expects_result: true,
    };
    assert_eq!(plain.kind, ProcessorKind::Hive(kind));

    let own = &processors["own"];
    assert_eq!(own.timeout, Some(Duration::from_secs(5)));
    assert_eq!((own.max_attempts, own.concurrency), (1, Some(3)));
    let kind = HiveProcessorSettings {
        function: "_f".to_owned(),
        queue: HiveQueue::High,
        codec: HiveCodec::Msgpack,
        expects_result: false,
    };
    assert_eq!(own.kind, ProcessorKind::Hive(kind));
}

#[test]
fn a_priority_above_zero_is_high() {
    let is_high = |queue: HiveQueue| [-1, 0, 1].map(|priority| queue.is_high(priority));

    assert_eq!(is_high(HiveQueue::High), [true; 3]);
    assert_eq!(is_high(HiveQueue::Background), [false; 3]);
    assert_eq!(is_high(HiveQueue::ByPriority), [false, false, true]);
}

#[test]
fn what_does_nothing_alone_gets_a_warning() {
    const PROCESSOR: &str = "[processors.far]\nkind = 'hive'\nfunction = 'f'\n";
    let warnings = |toml: &str| setup().toml(toml).load().unwrap().warnings;

    let on = warnings("enable_hive = true");
    assert!(on[0].contains("tasks run locally"), "{on:?}");
    let off = warnings(PROCESSOR);
    assert!(off[0].starts_with("processor far is of kind"), "{off:?}");
    assert!(warnings(&format!("enable_hive = true\n{PROCESSOR}")).is_empty());
    assert!(warnings("").is_empty());
}

#[test]
fn the_certificates_are_for_tls() {
    let settings = setup()
        .toml("redis_tls = true\nredis_ca_file = 'ca.pem'")
        .settings();
    assert_eq!(settings.redis_ca_file, Some(PathBuf::from("ca.pem")));
}

#[test]
fn mistakes_name_the_key_and_show_no_password() {
    for (toml, message) in [
        (
            "enable_hive = 'perhaps'",
            "`enable_hive` in HERE/venom.toml, line 1: found \"perhaps\", expected true or false \
             (also on or off, yes or no, 1 or 0)",
        ),
        (
            "redis_host = 'redis:6379'",
            "`redis_host` in HERE/venom.toml, line 1: found \"redis:6379\", expected a host name \
             or an IP address, without a port",
        ),
        (
            "redis_port = 0",
            "`redis_port` in HERE/venom.toml, line 1: found 0, expected a whole number from 1 to \
             65535",
        ),
        (
            "redis_db = -1",
            "`redis_db` in HERE/venom.toml, line 1: found -1, expected a whole number from 0 to \
             1000000",
        ),
        (
            "redis_password = 12345",
            "`redis_password` in HERE/venom.toml, line 1: found a number, expected a text; an \
             empty one is none",
        ),
        (
            "redis_password = 'private'\nredis_password_file = 'b'",
            "`redis_password_file` in HERE/venom.toml, line 2: found a second place for one \
             secret, beside `redis_password`, expected one of the two",
        ),
        (
            "redis_ca_file = 'ca.pem'",
            "`redis_ca_file` in HERE/venom.toml, line 1: found a file, though `redis_tls` is off, \
             expected `redis_tls = true` beside it",
        ),
        (
            "hive_high_priority_queue = 'a b'",
            "`hive_high_priority_queue` in HERE/venom.toml, line 1: found \"a b\", expected a \
             name of 1 to 200 characters without blanks",
        ),
        (
            "hive_max_retries = 0",
            "`hive_max_retries` in HERE/venom.toml, line 1: found 0, expected a whole number \
             from 1 to 1000",
        ),
        (
            "hive_task_timeout = 0",
            "`hive_task_timeout` in HERE/venom.toml, line 1: found 0, expected a number of \
             seconds, at least 0.001, or a text such as \"90s\", \"5m\" or \"2h\"",
        ),
    ] {
        assert_eq!(setup().toml(toml).mistake(), message);
    }
    let twice = setup()
        .variable("REDIS_PASSWORD", "private")
        .variable("VENOM_REDIS_PASSWORD", "private too");
    let mistake = twice.mistake();
    assert!(mistake.starts_with("`redis_password` is set to two different values"));
    assert!(!mistake.contains("private"), "{mistake}");
}

#[test]
fn mistakes_of_a_processor_name_the_key() {
    const FUNCTION: &str =
        "expected the name of a Python function, with dots if need be, of 1 to 200 characters";
    let long = "f".repeat(201);
    for function in ["", "a b", "1f", "a..b", "a.", "f()", "a-b", &long] {
        let mistake = processor(&format!("function = '{function}'")).mistake();
        let key = "`processors.a.function` in HERE/venom.toml, line 3: found ";
        assert!(mistake.starts_with(key), "{mistake}");
        assert!(mistake.ends_with(FUNCTION), "{mistake}");
    }
    assert!(processor("").mistake().ends_with(FUNCTION));
    processor(&format!("function = '{}'", "f".repeat(200))).settings();
    for (line, message) in [
        (
            "queue = 'low'",
            "`processors.a.queue` in HERE/venom.toml, line 4: found \"low\", expected \"high\", \
             \"background\" or \"by priority\"",
        ),
        (
            "codec = 'yaml'",
            "`processors.a.codec` in HERE/venom.toml, line 4: found \"yaml\", expected \
             \"pickle\", \"json\" or \"msgpack\"",
        ),
        (
            "expects_result = 'maybe'",
            "`processors.a.expects_result` in HERE/venom.toml, line 4: found \"maybe\", \
             expected true or false (also on or off, yes or no, 1 or 0)",
        ),
        (
            "url = 'redis://b'",
            "unknown setting `processors.a.url` in HERE/venom.toml, line 4; known here: backoff, \
             codec, concurrency, expects_result, function, kind, max_attempts, queue, rate, \
             timeout",
        ),
    ] {
        let setup = processor(&format!("function = 'f'\n{line}"));
        assert_eq!(setup.mistake(), message);
    }
}
