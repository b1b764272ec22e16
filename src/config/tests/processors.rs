//! The tables `[processors.NAME]`.

use std::time::Duration;

use super::setup;
use crate::config::{Backoff, CommandSettings, ProcessorKind, ProcessorSettings};

#[test]
fn a_command_has_all_its_settings() {
    let settings = setup()
        .toml(
            "[processors.'a.b-C_1']\n\
             kind = 'command'\n\
             program = 'python3'\n\
             args = ['summarise.py', '']\n\
             env = { LANG = 'C', TOKEN = 'secret', EMPTY = '' }\n\
             working_directory = 'scripts'\n\
             timeout = 2.5\n\
             concurrency = 2\n",
        )
        .settings();
    let processor = &settings.processors["a.b-C_1"];

    let ProcessorKind::Command(command) = &processor.kind else {
        panic!("{processor:?}");
    };
    assert_eq!(command.program, "python3");
    assert_eq!(command.args, ["summarise.py", ""]);
    assert_eq!(command.env["TOKEN"], "secret");
    assert_eq!(command.env["EMPTY"], "");
    assert_eq!(command.working_directory, Some("scripts".into()));
    assert_eq!(processor.timeout, Some(Duration::from_millis(2500)));
    assert_eq!(processor.concurrency, Some(2));
    assert!(!format!("{settings:?}").contains("secret"));
}

#[test]
fn a_command_needs_a_program_alone() {
    let settings = setup()
        .toml("[processors.cat]\nkind = 'command'\nprogram = 'cat'")
        .settings();

    let command = CommandSettings {
        program: "cat".to_owned(),
        args: Vec::new(),
        env: Default::default(),
        working_directory: None,
    };
    let expected = ProcessorSettings {
        kind: ProcessorKind::Command(command),
        timeout: None,
        concurrency: None,
        rate: None,
        max_attempts: 1,
        backoff: Backoff::default(),
    };
    assert_eq!(settings.processors["cat"], expected);
    assert_eq!(settings.processors.len(), 2, "echo is always there");
}

#[test]
fn echo_can_be_limited() {
    let settings = setup()
        .toml(
            "[processors.echo]\n\
             timeout = 5\n\
             concurrency = 1\n\
             rate = '30/m'\n\
             max_attempts = 3\n\
             backoff = { first = 2 }\n",
        )
        .settings();

    let echo = &settings.processors["echo"];
    assert_eq!(echo.kind, ProcessorKind::Echo);
    assert_eq!(echo.timeout, Some(Duration::from_secs(5)));
    assert_eq!(echo.concurrency, Some(1));
    assert_eq!(echo.rate, Some("30/m".parse().unwrap()));
    assert_eq!(echo.max_attempts, 3);
    assert_eq!(echo.backoff.first, Duration::from_secs(2));
}

#[test]
fn mistakes_name_the_processor_and_the_line() {
    for (toml, message) in [
        (
            "[processors.a]\ntimeout = 5",
            "`processors.a.kind` in HERE/venom.toml, line 1: found nothing, \
             expected \"echo\", \"command\", \"webhook\", \"llm\", \"worker\" or \"hive\"",
        ),
        (
            "[processors.a]\nkind = 'cron'",
            "`processors.a.kind` in HERE/venom.toml, line 2: found \"cron\", \
             expected \"echo\", \"command\", \"webhook\", \"llm\", \"worker\" or \"hive\"",
        ),
        (
            "[processors.echo]\nkind = 'command'\nprogram = 'cat'",
            "`processors.echo.kind` in HERE/venom.toml, line 2: found \"command\", \
             expected \"echo\", as this processor is always there; choose another name",
        ),
        (
            "[processors.a]\nkind = 'echo'\nprogram = 'cat'",
            "unknown setting `processors.a.program` in HERE/venom.toml, line 3; \
             known here: backoff, concurrency, kind, max_attempts, rate, timeout",
        ),
        (
            "[processors.a]\nkind = 'command'\nprogram = 'cat'\nurl = 'http://secret'",
            "unknown setting `processors.a.url` in HERE/venom.toml, line 4; \
             known here: args, backoff, concurrency, env, kind, max_attempts, program, rate, timeout, \
             working_directory",
        ),
        (
            "[processors.echo]\nkind = 'worker'",
            "`processors.echo.kind` in HERE/venom.toml, line 2: found \"worker\", \
             expected \"echo\", as this processor is always there; choose another name",
        ),
        (
            "[processors.'a.b']\nkind = 'echo'\nmax_attempts = 0",
            "`processors.\"a.b\".max_attempts` in HERE/venom.toml, line 3: found 0, \
             expected a whole number from 1 to 1000",
        ),
        (
            "[processors.a]\nkind = 'echo'\nmax_attempts = 1001",
            "`processors.a.max_attempts` in HERE/venom.toml, line 3: found 1001, \
             expected a whole number from 1 to 1000",
        ),
        (
            "[processors.a]\nkind = 'command'\nprogram = 'cat'\ntimout = 5",
            "unknown setting `processors.a.timout` in HERE/venom.toml, line 4; \
             did you mean `timeout`?",
        ),
        (
            "[processors.a]\nkind = 'command'",
            "`processors.a.program` in HERE/venom.toml, line 1: found nothing, \
             expected the program to start, as text",
        ),
        (
            "[processors.a]\nkind = 'command'\nprogram = ' '",
            "`processors.a.program` in HERE/venom.toml, line 3: found an empty text, \
             expected the program to start, as text",
        ),
        (
            "[processors.a]\nkind = 'command'\nprogram = 'cat'\nargs = '--token=secret'",
            "`processors.a.args` in HERE/venom.toml, line 4: found a text, \
             expected a list of texts",
        ),
        (
            "[processors.a]\nkind = 'command'\nprogram = 'cat'\nargs = ['-n', 5]",
            "`processors.a.args` in HERE/venom.toml, line 4: found a list with a number in it, \
             expected a list of texts",
        ),
        (
            "[processors.a]\nkind = 'command'\nprogram = 'cat'\n[processors.a.env]\nPIN = 1234",
            "`processors.a.env.PIN` in HERE/venom.toml, line 5: found a number, expected a text",
        ),
        (
            "[processors.a]\nkind = 'command'\nprogram = 'cat'\nenv = { 'A=B' = 'c' }",
            "`processors.a.env` in HERE/venom.toml, line 4: found the name \"A=B\", \
             expected a name without \"=\"",
        ),
        (
            "[processors.a]\nkind = 'echo'\ntimeout = 0",
            "`processors.a.timeout` in HERE/venom.toml, line 3: found 0, \
             expected a number of seconds, at least 0.001, or a text such as \"90s\", \"5m\" or \"2h\"",
        ),
        (
            "[processors.a]\nkind = 'echo'\nconcurrency = 0",
            "`processors.a.concurrency` in HERE/venom.toml, line 3: found 0, \
             expected a whole number from 1 to 1000000",
        ),
        (
            "[processors.'a b']\nkind = 'echo'",
            "`processors` in HERE/venom.toml, line 1: found the name \"a b\", \
             expected a name of 1 to 64 letters, digits, \"_\", \".\" and \"-\"",
        ),
        (
            "[processors]\na = 'cat'",
            "`processors.a` in HERE/venom.toml, line 2: found a text, expected a table",
        ),
        (
            "[[processors.a]]\nkind = 'echo'",
            "`processors.a` in HERE/venom.toml, line 1: found a list with a table in it, \
             expected a table",
        ),
    ] {
        assert_eq!(setup().toml(toml).mistake(), message);
    }
}

#[test]
fn no_variable_can_hold_tables() {
    for key in ["processors", "concurrency_keys", "schedules"] {
        let variable = format!("VENOM_{}", key.to_uppercase());

        assert_eq!(
            setup().variable(&variable, "secret").mistake(),
            format!(
                "`{key}` in the environment ({variable}): found a text, \
                 expected tables [{key}.NAME] in venom.toml"
            )
        );
    }
}
