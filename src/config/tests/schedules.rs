//! The tables `[schedules.NAME]`.

use std::time::Duration;

use super::{Setup, setup};
use crate::config::{Missed, ScheduleSettings, When, parse_cron};

/// One schedule `a` with these lines, the first of which is line 2.
fn with(lines: &str) -> Setup {
    setup().toml(&format!("[schedules.a]\n{lines}"))
}

fn schedule(lines: &str) -> ScheduleSettings {
    with(lines).settings().schedules["a"].clone()
}

#[test]
fn a_schedule_has_all_its_settings() {
    let schedule = schedule(
        "cron = '30 9 * * MON-FRI'\n\
         timezone = 'Europe/Warsaw'\n\
         missed = 'Skip'\n\
         content = 'private report'\n\
         processor = 'echo'\n\
         priority = -5\n\
         max_attempts = 3\n\
         timeout = 2.5\n\
         tags = ['report', 'daily']\n\
         session_id = 's'\n\
         concurrency_key = 'reports'\n\
         enabled = false\n",
    );

    assert!(!format!("{schedule:?}").contains("private"));
    let expected = ScheduleSettings {
        when: When::Cron {
            expression: "30 9 * * MON-FRI".to_owned(),
            timezone: "Europe/Warsaw".to_owned(),
        },
        missed: Missed::Skip,
        content: "private report".to_owned(),
        processor: Some("echo".to_owned()),
        priority: -5,
        max_attempts: Some(3),
        timeout: Some(Duration::from_millis(2500)),
        tags: vec!["report".to_owned(), "daily".to_owned()],
        session_id: Some("s".to_owned()),
        concurrency_key: Some("reports".to_owned()),
        enabled: false,
    };
    assert_eq!(schedule, expected);
}

#[test]
fn a_schedule_needs_a_time_and_a_content_alone() {
    let expected = ScheduleSettings {
        when: When::Cron {
            expression: "@daily".to_owned(),
            timezone: "UTC".to_owned(),
        },
        missed: Missed::RunOnce,
        content: String::new(),
        processor: None,
        priority: 0,
        max_attempts: None,
        timeout: None,
        tags: Vec::new(),
        session_id: None,
        concurrency_key: None,
        enabled: true,
    };
    let lines = "cron = '@daily'\ncontent = ''\n";

    assert_eq!(schedule(lines), expected);
    let once = format!("{lines}missed = 'run once'");
    assert_eq!(schedule(&once), expected);
}

#[test]
fn a_distance_is_a_number_of_seconds_or_has_a_unit() {
    for (every, seconds) in [
        ("1", 1.0),
        ("2.5", 2.5),
        ("'90'", 90.0),
        ("'1s'", 1.0),
        ("'15m'", 900.0),
        ("' 1.5 h '", 5400.0),
        ("'1d'", 86_400.0),
    ] {
        let when = schedule(&format!("every = {every}\ncontent = 'x'")).when;
        let distance = Duration::from_secs_f64(seconds);
        assert_eq!(when, When::Every(distance), "{every}");
    }
    for every in [
        "0", "0.9", "'0m'", "'m'", "'1w'", "'1M'", "'1hm'", "'nan'", "'inf s'", "''",
    ] {
        let mistake = with(&format!("every = {every}\ncontent = 'x'")).mistake();
        assert!(mistake.contains("venom.toml, line 2"), "{mistake}");
    }
}

#[test]
fn cron_has_five_fields_or_six_or_a_nickname() {
    for cron in [
        "* * * * *",
        "*/5 9-17 1,15 JAN-JUN mon",
        "30 0 9 * * *",
        "0 0 L * *",
        "*/60 */24 * */12 *",
        "10-20/11 8-18/2 * * MON-FRI/2",
        "*/45 * * * *",
        "5/20 12/11 * NOV/2 *",
        "0 0 * * MON/2",
        "0 0 29 2 *",
        "0 0 * * 5#2",
        "@hourly",
        "@YEARLY",
    ] {
        assert!(parse_cron(cron).is_some(), "{cron}");
    }
    for cron in [
        "",
        "* * * *",
        "60 * * * *",
        "*/0 * * * *",
        "5-1 * * * *",
        "0 0 9 * * * 2027",
        "@reboot",
        "tomorrow",
        // These steps would be the first value alone.
        "*/90 * * * *",
        "*/61 * * * *",
        "0 */25 * * *",
        "0 0 */32 * *",
        "0 0 1 */13 *",
        "0 0 * * */8",
        "*/61 0 0 * * *",
        "10-20/15 * * * *",
        "5,10-20/15 * * * *",
        "0/90 * * * *",
        "45/20 * * * *",
        "0 20/6 * * *",
        "0 0 25/10 * *",
        "0 0 1 NOV/3 *",
        "0 0 1 JAN-MAR/4 *",
        "0 0 * * FRI/3",
        "0 0 * * MON-WED/4",
        "50-70 * * * *",
        "* 22-25 * * *",
        // These never come true.
        "0 0 30 2 *",
        ", * * * *",
        "0 0 * * +",
    ] {
        assert!(parse_cron(cron).is_none(), "{cron}");
    }
}

#[test]
fn mistakes_of_time_name_the_schedule_and_the_line() {
    for (lines, message) in [
        (
            "content = 'x'",
            "`schedules.a.cron` in HERE/venom.toml, line 1: found neither it nor `every`, \
             expected one of the two",
        ),
        (
            "cron = '@daily'\nevery = 5\ncontent = 'x'",
            "`schedules.a.every` in HERE/venom.toml, line 3: found a second answer, beside `cron`, \
             expected one of the two",
        ),
        (
            "every = 5\ntimezone = 'UTC'\ncontent = 'x'",
            "`schedules.a.timezone` in HERE/venom.toml, line 3: found no `cron` beside it, \
             expected a `cron` that it is for",
        ),
        (
            "cron = 'daily'\ncontent = 'x'",
            "`schedules.a.cron` in HERE/venom.toml, line 2: found \"daily\", expected a cron \
             expression that comes true at some time, such as \"30 9 * * MON-FRI\" (minute, hour, \
             day, month, weekday; a sixth field before them is the second) or \"@daily\", \
             with no step longer than its field or range: for every 90 minutes, `every = \"90m\"`",
        ),
        (
            "cron = '@daily'\ntimezone = 'Europe/Warszawa'\ncontent = 'x'",
            "`schedules.a.timezone` in HERE/venom.toml, line 3: found \"Europe/Warszawa\", \
             expected the IANA name of a time zone, such as \"UTC\" or \"Europe/Warsaw\"",
        ),
        (
            "every = '0s'",
            "`schedules.a.every` in HERE/venom.toml, line 2: found \"0s\", expected at least \
             1 second: a number of seconds, or a text such as \"15m\", \"1h\" or \"1d\" \
             (units s, m, h, d)",
        ),
        (
            "every = 5\nmissed = 'all'",
            "`schedules.a.missed` in HERE/venom.toml, line 3: found \"all\", \
             expected \"run once\" or \"skip\"",
        ),
        (
            "every = 5",
            "`schedules.a.content` in HERE/venom.toml, line 1: found nothing, expected a text",
        ),
        (
            "every = 5\ncontent = ['private']",
            "`schedules.a.content` in HERE/venom.toml, line 3: found a list, expected a text",
        ),
    ] {
        assert_eq!(with(lines).mistake(), message);
    }
}

#[test]
fn mistakes_of_the_task_name_the_schedule_and_the_line() {
    for (line, message) in [
        (
            "processor = 'nope'",
            "`schedules.a.processor` in HERE/venom.toml, line 4: found \"nope\", \
             expected the name of a processor: echo",
        ),
        (
            "priority = 101",
            "`schedules.a.priority` in HERE/venom.toml, line 4: found 101, \
             expected a whole number from -100 to 100",
        ),
        (
            "max_attempts = 0",
            "`schedules.a.max_attempts` in HERE/venom.toml, line 4: found 0, \
             expected a whole number from 1 to 1000",
        ),
        (
            "timeout = 0",
            "`schedules.a.timeout` in HERE/venom.toml, line 4: found 0, \
             expected a number of seconds, at least 0.001, or a text such as \"90s\", \"5m\" or \"2h\"",
        ),
        (
            "tags = 'one'",
            "`schedules.a.tags` in HERE/venom.toml, line 4: found \"one\", \
             expected a list of texts",
        ),
        (
            "session_id = 5",
            "`schedules.a.session_id` in HERE/venom.toml, line 4: found 5, expected a text",
        ),
        (
            "concurrency_key = ''",
            "`schedules.a.concurrency_key` in HERE/venom.toml, line 4: found \"\", \
             expected a concurrency key of 1 to 200 characters",
        ),
        (
            "enabled = 'maybe'",
            "`schedules.a.enabled` in HERE/venom.toml, line 4: found \"maybe\", \
             expected true or false (also on or off, yes or no, 1 or 0)",
        ),
        (
            "contnet = 'y'",
            "unknown setting `schedules.a.contnet` in HERE/venom.toml, line 4; \
             did you mean `content`?",
        ),
    ] {
        let lines = format!("every = 5\ncontent = 'x'\n{line}");
        assert_eq!(with(&lines).mistake(), message);
    }
}

#[test]
fn a_schedule_may_name_a_processor_that_stands_below() {
    let settings = with(
        "every = 5\ncontent = 'x'\nprocessor = 'cat'\n\
         [processors.cat]\nkind = 'command'\nprogram = 'cat'",
    )
    .settings();

    assert_eq!(settings.schedules["a"].processor.as_deref(), Some("cat"));
}
