//! Every mistake stops the start with one sentence: key, place, what was found, what was expected.

use super::setup;

#[test]
fn an_unknown_key_gets_the_closest_known_one() {
    let mistake = setup().toml("# mine\n\nprot = 9000\n").mistake();

    assert_eq!(
        mistake,
        "unknown setting `prot` in HERE/venom.toml, line 3; did you mean `port`?"
    );
}

#[test]
fn an_unknown_key_like_no_other_gets_all_of_them() {
    let mistake = setup().toml("quick = true").mistake();

    assert!(mistake.starts_with("unknown setting `quick` in HERE/venom.toml, line 1; "));
    assert!(mistake.contains(
        "known here: auth, body_limit_bytes, concurrency_keys, cors_origins, database_path, "
    ));
}

#[test]
fn an_unknown_variable_is_named_and_its_value_is_not() {
    let setup = setup().variable("VENOM_DATABASE", "sqlite://user:secret@host");

    assert_eq!(
        setup.mistake(),
        "unknown setting `database` in the environment (VENOM_DATABASE); \
         did you mean `VENOM_DATABASE_PATH`?"
    );
}

#[test]
fn an_unknown_variable_in_dotenv_is_one_too() {
    let mistake = setup().dotenv("A=1\nVENOM_XYZ=secret").mistake();

    assert!(mistake.starts_with("unknown setting `xyz` in HERE/.env, line 2 (VENOM_XYZ); known"));
    assert!(mistake.contains(" VENOM_MAX_CONCURRENT_TASKS,"));
    assert!(!mistake.contains("secret"));
    assert!(!mistake.contains("VENOM_PROCESSORS"));
}

#[test]
fn a_bad_value_is_shown_where_it_stands() {
    assert_eq!(
        setup().toml("\nport = 70000").mistake(),
        "`port` in HERE/venom.toml, line 2: found 70000, expected a whole number from 0 to 65535"
    );
    assert_eq!(
        setup().dotenv("\n\nVENOM_PORT=http").mistake(),
        "`port` in HERE/.env, line 3 (VENOM_PORT): found \"http\", \
         expected a whole number from 0 to 65535"
    );
    assert_eq!(
        setup().variable("MAX_CONCURRENT_TASKS", "0").mistake(),
        "`max_concurrent_tasks` in the environment (MAX_CONCURRENT_TASKS): found \"0\", \
         expected a whole number from 1 to 1000000"
    );
}

#[test]
fn a_bad_flag_is_a_mistake_of_usage() {
    let mut setup = setup();
    setup.sources.overrides.max_concurrent_tasks = Some("many".to_owned());

    assert_eq!(
        setup.mistake(),
        "`max_concurrent_tasks` on the command line (--max-concurrent): found \"many\", \
         expected a whole number from 1 to 1000000"
    );
    assert!(setup.load().unwrap_err().is_usage());
    let elsewhere = super::setup().toml("port = -1");
    assert!(!elsewhere.load().unwrap_err().is_usage());
}

#[test]
fn two_names_that_disagree_are_both_named() {
    let setup = setup()
        .variable("STATE_DUMP_INTERVAL", "1")
        .variable("VENOM_STATE_DUMP_INTERVAL", "2");

    assert_eq!(
        setup.mistake(),
        "`state_dump_interval` is set to two different values, in the environment \
         (STATE_DUMP_INTERVAL) and in the environment (VENOM_STATE_DUMP_INTERVAL); \
         keep one of them"
    );
}

#[test]
fn a_broken_settings_file_is_named_with_its_line_and_without_its_text() {
    let mistake = setup().toml("port = 1\nlog = \"secret\n").mistake();

    assert!(mistake.starts_with("cannot read the settings in HERE/venom.toml, line 2: "));
    assert!(!mistake.contains("secret"), "{mistake}");
}

#[test]
fn a_key_that_stands_twice_is_a_mistake() {
    let mistake = setup().toml("port = 1\nport = 2").mistake();

    assert!(
        mistake.contains("venom.toml, line 2: duplicate key `port`"),
        "{mistake}"
    );
}

#[test]
fn a_settings_file_that_was_asked_for_must_exist() {
    let mut flag = setup();
    flag.sources.config_file = Some("other.toml".into());
    let variable = setup().variable("VENOM_CONFIG", "other.toml");

    for setup in [flag, variable] {
        let mistake = setup.mistake();
        assert!(
            mistake.starts_with("cannot read the settings file HERE/other.toml: No such file"),
            "{mistake}"
        );
    }
}

#[test]
fn the_default_processor_must_exist() {
    let setup = setup().toml(
        "default_processor = 'summarize'\n\
         [processors.summarise]\nkind = 'command'\nprogram = 'cat'",
    );

    assert_eq!(
        setup.mistake(),
        "`default_processor` in HERE/venom.toml, line 1: found \"summarize\", \
         expected the name of a processor: echo, summarise"
    );
}

#[test]
fn the_inbox_must_hold_the_largest_request() {
    let mistake = setup().toml("inbox_limit_bytes = 1_000_000").mistake();
    assert!(mistake.starts_with("`inbox_limit_bytes` in HERE/venom.toml, line 1: found 1000000, "));
    assert!(mistake.contains("at least `body_limit_bytes` (8388608)"));

    let mistake = setup().toml("body_limit_bytes = 100_000_000").mistake();
    assert!(mistake.starts_with("`inbox_limit_bytes` by default: found 67108864, "));
    assert!(mistake.contains("at least `body_limit_bytes` (100000000)"));
}

#[test]
fn the_dump_must_not_overwrite_the_database() {
    let mistake = setup()
        .variable("STATE_FILE_PATH", "data/venom.db")
        .mistake();

    assert!(mistake.starts_with("`state_file_path` in the environment (STATE_FILE_PATH): found "));
    assert!(mistake.contains("another file than `database_path`"));
}

#[test]
#[cfg(unix)]
fn a_value_of_ours_must_be_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let no_text = OsStr::from_bytes(b"data-\xff");
    let mut setup = setup();
    let environment = &mut setup.sources.environment;
    environment.push((no_text.to_owned(), "1".into()));
    environment.push(("OTHER".into(), no_text.to_owned()));
    environment.push(("VENOM_DATABASE_PATH".into(), no_text.to_owned()));

    assert_eq!(
        setup.mistake(),
        "`database_path` in the environment (VENOM_DATABASE_PATH): found bytes that are not UTF-8, \
         expected UTF-8 text"
    );
}

#[test]
fn a_misspelt_key_of_a_table_is_named_though_the_right_one_is_missing() {
    for (toml, key, line, right) in [
        (
            "[processors.a]\nkind = 'command'\nprogam = 'ls'",
            "processors.a.progam",
            3,
            "program",
        ),
        (
            "[processors.a]\nknd = 'command'\nprogram = 'ls'",
            "processors.a.knd",
            2,
            "kind",
        ),
        (
            "[processors.a]\nkind = 'webhook'\nulr = 'http://a'",
            "processors.a.ulr",
            3,
            "url",
        ),
        (
            "[processors.a]\nkind = 'hive'\nfuntion = 'f'",
            "processors.a.funtion",
            3,
            "function",
        ),
        (
            "[schedules.a]\nevery = 5\ncontnet = 'x'",
            "schedules.a.contnet",
            3,
            "content",
        ),
    ] {
        assert_eq!(
            setup().toml(toml).mistake(),
            format!(
                "unknown setting `{key}` in HERE/venom.toml, line {line}; did you mean `{right}`?"
            )
        );
    }
    assert_eq!(
        setup().toml("[processors.a]\nkind = 'command'").mistake(),
        "`processors.a.program` in HERE/venom.toml, line 1: found nothing, \
         expected the program to start, as text"
    );
}

#[test]
fn a_program_that_is_not_there_is_a_warning() {
    let toml = "[processors.a]\nkind = 'command'\nprogram = 'no-such-program'";
    let warnings = setup().toml(toml).load().unwrap().warnings;
    assert_eq!(
        warnings,
        [
            "processor a: its program no-such-program is in no folder of PATH; its tasks fail until \
          this is fixed"
        ]
    );
    let there = "[processors.a]\nkind = 'command'\nprogram = 'sh'";
    assert!(setup().toml(there).load().unwrap().warnings.is_empty());
}
