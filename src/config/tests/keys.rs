//! The tables `[concurrency_keys.NAME]`.

use super::setup;
use crate::config::KeySettings;

#[test]
fn a_key_has_its_own_settings_or_those_of_every_other() {
    let settings = setup()
        .toml(
            "[concurrency_keys.gpu]\nconcurrency = 2\nrate = '10/h'\n\
             [concurrency_keys.'customer 5.a']\nrate = '30/m'\n\
             [concurrency_keys.free]\n\
             [concurrency_keys.'*']\nconcurrency = 3\n",
        )
        .settings();
    let key = |key: &str| {
        let KeySettings { concurrency, rate } = *settings.key_settings(key);
        (concurrency, rate.map(|rate| rate.to_string()))
    };

    assert_eq!(key("gpu"), (Some(2), Some("10/h".to_owned())));
    assert_eq!(key("customer 5.a"), (None, Some("30/m".to_owned())));
    assert_eq!(key("free"), (None, None));
    assert_eq!(key("any other"), (Some(3), None));
    assert_eq!(settings.concurrency_keys.len(), 4);
}

#[test]
fn without_tables_a_key_runs_one_at_a_time() {
    let settings = setup().settings();

    assert!(settings.concurrency_keys.is_empty());
    assert_eq!(*settings.key_settings("any"), KeySettings::DEFAULT);
    assert_eq!(KeySettings::DEFAULT.concurrency, Some(1));
    assert_eq!(KeySettings::DEFAULT.rate, None);
}

#[test]
fn a_key_is_any_text_of_200_characters() {
    let toml = |key: &str| setup().toml(&format!("[concurrency_keys.\"{key}\"]"));

    assert_eq!(toml(&"ż".repeat(200)).settings().concurrency_keys.len(), 1);
    for key in [String::new(), "ż".repeat(201)] {
        let mistake = toml(&key).mistake();
        assert!(
            mistake.ends_with(", expected a concurrency key of 1 to 200 characters"),
            "{mistake}"
        );
    }
}

#[test]
fn mistakes_name_the_key_and_the_line() {
    for (toml, message) in [
        (
            "[concurrency_keys.\"a b\\u001b\"]\nconcurrency = 0",
            "`concurrency_keys.\"a b\\u{1b}\".concurrency` in HERE/venom.toml, line 2: found 0, \
             expected a whole number from 1 to 1000000",
        ),
        (
            "[concurrency_keys.'*']\nrate = 'often'",
            "`concurrency_keys.\"*\".rate` in HERE/venom.toml, line 2: found \"often\", expected \
             a rate such as \"30/m\": a number of starts from 1 to 100000, a slash, and s, m, h or d",
        ),
        (
            "[concurrency_keys.gpu]\ntimeout = 5",
            "unknown setting `concurrency_keys.gpu.timeout` in HERE/venom.toml, line 2; \
             known here: concurrency, rate",
        ),
        (
            "[concurrency_keys]\ngpu = 2",
            "`concurrency_keys.gpu` in HERE/venom.toml, line 2: found a number, expected a table",
        ),
    ] {
        assert_eq!(setup().toml(toml).mistake(), message);
    }
}
