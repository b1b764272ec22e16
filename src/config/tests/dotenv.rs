//! `.env`, which belongs to other programs too.

use super::setup;
use crate::config::Settings;

/// Lines as the original's example has them, and worse.
const FOREIGN: &str = "\
# ===== BASIC CONFIGURATION =====
APP_NAME=Venom Meta-Intelligence
OPENAI_API_KEY=
MODEL_GENERATION_OVERRIDES={\"vllm\":{\"m\":{\"temperature\":0.3}}}
LOCAL_MODEL_PATTERNS=[\"local\",\"phi\"]
SD_DEFAULT_SAMPLER=DPM++ 2M Karras
VENOM_PAUSE_BACKGROUND_TASKS=false
VENOM_CALENDAR_NAME=Venom Work
GREETING=it's fine
WINDOWS_PATH=C:\\new\\table
with-dash=1
with.dot = 1
export EXPORTED=yes
export EXPORTED
PRIVATE_KEY=\"-----BEGIN
multi=line
-----END\"
";

#[test]
fn lines_of_other_programs_are_let_be_however_they_are_written() {
    let setup = setup().dotenv(FOREIGN);

    assert_eq!(setup.settings(), Settings::default());
}

#[test]
fn settings_among_them_are_found() {
    let settings = setup()
        .dotenv(&format!(
            "VENOM_PORT=1\n{FOREIGN}MAX_CONCURRENT_TASKS=6 # six\n{FOREIGN}VENOM_LOG='debug'"
        ))
        .settings();

    assert_eq!(settings.port, 1);
    assert_eq!(settings.max_concurrent_tasks, 6);
    assert_eq!(settings.log, "debug");
}

#[test]
fn the_line_of_a_mistake_counts_the_lines_of_long_values() {
    let mistake = setup().dotenv(&format!("{FOREIGN}VENOM_PORT=x")).mistake();

    let line = FOREIGN.lines().count() + 1;
    assert!(
        mistake.contains(&format!("HERE/.env, line {line} (VENOM_PORT)")),
        "{mistake}"
    );
}

#[test]
fn a_value_may_refer_to_those_before_it() {
    let settings = setup()
        .dotenv("DATADIR=/srv/venom\nVENOM_DATABASE_PATH=${DATADIR}/tasks.db")
        .settings();

    assert_eq!(settings.database_path.to_str(), Some("/srv/venom/tasks.db"));
}

#[test]
fn quotes_comments_and_line_ends_are_understood() {
    let settings = setup()
        .dotenv(
            "\u{feff}VENOM_PORT=1 # one\r\n\
             export VENOM_HOST=\"::1\"\r\n\
             \r\n  # VENOM_PORT=2\r\n\
             VENOM_DATABASE_PATH = './my data/venom.db'\r\n",
        )
        .settings();

    assert_eq!(settings.port, 1);
    assert_eq!(settings.host.to_string(), "::1");
    assert_eq!(settings.database_path.to_str(), Some("./my data/venom.db"));
}

#[test]
fn of_two_lines_with_one_name_the_last_counts() {
    let settings = setup()
        .dotenv("VENOM_PORT=1\nVENOM_PORT=2\nVENOM_PORT=\n")
        .settings();

    assert_eq!(settings.port, 2);
}

#[test]
fn two_names_that_disagree_are_both_named() {
    let mistake = setup()
        .dotenv("MAX_CONCURRENT_TASKS=5\n\nVENOM_MAX_CONCURRENT_TASKS=6")
        .mistake();

    assert_eq!(
        mistake,
        "`max_concurrent_tasks` is set to two different values, \
         in HERE/.env, line 1 (MAX_CONCURRENT_TASKS) and \
         in HERE/.env, line 3 (VENOM_MAX_CONCURRENT_TASKS); keep one of them"
    );
}

#[test]
fn a_line_of_ours_must_be_readable() {
    assert_eq!(
        setup()
            .dotenv("A=\"1\" 2\nVENOM_DATABASE_PATH=\"./my\" data.db")
            .mistake(),
        "cannot read the settings in HERE/.env, line 2 (VENOM_DATABASE_PATH): \
         after the closing quote nothing but a comment may follow"
    );
}

/// Lines and what python-dotenv makes of the setting among them, with `HOME=/home/venom` and
/// `FROM_ENV=outside` in the environment.
#[test]
fn values_are_those_of_python_dotenv() {
    let cases = [
        ("VENOM_OTLP_SERVICE_NAME=abc$HOME123", "abc$HOME123"),
        ("VENOM_OTLP_SERVICE_NAME=$HOME", "$HOME"),
        ("VENOM_OTLP_SERVICE_NAME=\"a$HOME b\"", "a$HOME b"),
        ("VENOM_OTLP_SERVICE_NAME='a$HOME b'", "a$HOME b"),
        ("VENOM_OTLP_SERVICE_NAME=pa$$word", "pa$$word"),
        ("VENOM_OTLP_SERVICE_NAME=$", "$"),
        ("VENOM_OTLP_SERVICE_NAME=a$ b", "a$ b"),
        ("VENOM_OTLP_SERVICE_NAME=${HOME}", "/home/venom"),
        ("VENOM_OTLP_SERVICE_NAME=\"x${HOME}y\"", "x/home/venomy"),
        ("VENOM_OTLP_SERVICE_NAME='x${HOME}y'", "x/home/venomy"),
        ("VENOM_OTLP_SERVICE_NAME=${NOPE}", ""),
        ("VENOM_OTLP_SERVICE_NAME=${NOPE:-fallback}", "fallback"),
        ("VENOM_OTLP_SERVICE_NAME=${HOME:-fallback}", "/home/venom"),
        ("VENOM_OTLP_SERVICE_NAME=${NOPE:-}", ""),
        ("VENOM_OTLP_SERVICE_NAME=${EMPTY:-fallback}", "fallback"),
        ("A=1\nVENOM_OTLP_SERVICE_NAME=${A}2", "12"),
        ("FROM_ENV=file\nVENOM_OTLP_SERVICE_NAME=${FROM_ENV}", "file"),
        ("VENOM_OTLP_SERVICE_NAME=${A}2\nA=1", "2"),
        (
            "VENOM_OTLP_SERVICE_NAME=one\nVENOM_OTLP_SERVICE_NAME=${VENOM_OTLP_SERVICE_NAME}two",
            "onetwo",
        ),
        ("VENOM_OTLP_SERVICE_NAME=${A", "${A"),
        ("VENOM_OTLP_SERVICE_NAME=a}b", "a}b"),
        ("VENOM_OTLP_SERVICE_NAME=${}", ""),
        ("VENOM_OTLP_SERVICE_NAME=\\${HOME}", "\\/home/venom"),
        ("VENOM_OTLP_SERVICE_NAME=\"\\${HOME}\"", "\\/home/venom"),
        ("A=$HOME\nVENOM_OTLP_SERVICE_NAME=${A}", "$HOME"),
        ("A=${HOME}\nVENOM_OTLP_SERVICE_NAME=$A${A}", "$A/home/venom"),
        ("VENOM_OTLP_SERVICE_NAME=${A:-${HOME}}", "${HOME}"),
        ("VENOM_OTLP_SERVICE_NAME=a b c", "a b c"),
        ("VENOM_OTLP_SERVICE_NAME= padded  ", "padded"),
        ("VENOM_OTLP_SERVICE_NAME=a#b", "a#b"),
        ("VENOM_OTLP_SERVICE_NAME=a #b", "a"),
        ("VENOM_OTLP_SERVICE_NAME=a\t# b", "a"),
        ("VENOM_OTLP_SERVICE_NAME=\"a #b\" # c", "a #b"),
        ("VENOM_OTLP_SERVICE_NAME='a #b'#c", "a #b"),
        ("VENOM_OTLP_SERVICE_NAME=# nothing", "# nothing"),
        ("VENOM_OTLP_SERVICE_NAME= # nothing", ""),
        ("VENOM_OTLP_SERVICE_NAME=\"\"", ""),
        ("VENOM_OTLP_SERVICE_NAME=''", ""),
        ("VENOM_OTLP_SERVICE_NAME=", ""),
        ("VENOM_OTLP_SERVICE_NAME=\"a\\nb\"", "a\nb"),
        ("VENOM_OTLP_SERVICE_NAME='a\\nb'", "a\\nb"),
        ("VENOM_OTLP_SERVICE_NAME=a\\nb", "a\\nb"),
        ("VENOM_OTLP_SERVICE_NAME=\"a\\tb\\\\c\\\"d\"", "a\tb\\c\"d"),
        ("VENOM_OTLP_SERVICE_NAME='it\\'s'", "it's"),
        ("VENOM_OTLP_SERVICE_NAME='a\\\\b'", "a\\b"),
        ("VENOM_OTLP_SERVICE_NAME=\"a\\qb\"", "a\\qb"),
        (
            "VENOM_OTLP_SERVICE_NAME=\"\\a\\b\\f\\r\\v\"",
            "\u{7}\u{8}\u{c}\r\u{b}",
        ),
        ("VENOM_OTLP_SERVICE_NAME=it's", "it's"),
        ("VENOM_OTLP_SERVICE_NAME=a\\\\b", "a\\\\b"),
        ("VENOM_OTLP_SERVICE_NAME=\"it\\'s\"", "it's"),
        ("VENOM_OTLP_SERVICE_NAME=\"a\nb\"\nW=1", "a\nb"),
        ("VENOM_OTLP_SERVICE_NAME='a\nb'", "a\nb"),
        ("VENOM_OTLP_SERVICE_NAME='a' # c", "a"),
        ("'VENOM_OTLP_SERVICE_NAME'=a", "a"),
        ("export VENOM_OTLP_SERVICE_NAME=a", "a"),
        ("export  VENOM_OTLP_SERVICE_NAME = a", "a"),
        ("export 'VENOM_OTLP_SERVICE_NAME'=a", "a"),
        ("VENOM_OTLP_SERVICE_NAME =a", "a"),
        ("  VENOM_OTLP_SERVICE_NAME=a", "a"),
        ("VENOM_OTLP_SERVICE_NAME\t=\ta", "a"),
        ("VENOM_OTLP_SERVICE_NAME=\"a\r\nb\"", "a\r\nb"),
        ("VENOM_OTLP_SERVICE_NAME=a\r\nW=b", "a"),
        ("VENOM_OTLP_SERVICE_NAME=a=b=c", "a=b=c"),
        ("VENOM_OTLP_SERVICE_NAME={\"a\": \"b\"}", "{\"a\": \"b\"}"),
        ("VENOM_OTLP_SERVICE_NAME=[\"x\"]", "[\"x\"]"),
        ("VENOM_OTLP_SERVICE_NAME=\"café\"", "café"),
        ("VENOM_OTLP_SERVICE_NAME=\"\\u00e9\"", "\\u00e9"),
        ("VENOM_OTLP_SERVICE_NAME=`date`", "`date`"),
        ("VENOM_OTLP_SERVICE_NAME=\"${HOME}/x\" # y", "/home/venom/x"),
        ("VENOM_OTLP_SERVICE_NAME=a;b", "a;b"),
        ("VENOM_OTLP_SERVICE_NAME=a'b'c", "a'b'c"),
        ("VENOM_OTLP_SERVICE_NAME=a\"b\"c", "a\"b\"c"),
        ("VENOM_OTLP_SERVICE_NAME=\"a\\\\\"", "a\\"),
        ("VENOM_OTLP_SERVICE_NAME=\"\\\\n\"", "\\n"),
        ("VENOM_OTLP_SERVICE_NAME='\\\\n'", "\\n"),
        ("VENOM_OTLP_SERVICE_NAME=\"a\\\\$HOME\"", "a\\$HOME"),
    ];
    for (lines, value) in cases {
        let settings = setup()
            .variable("HOME", "/home/venom")
            .variable("FROM_ENV", "outside")
            .dotenv(lines)
            .settings();
        let value = match value {
            "" => "venom-core",
            value => value,
        };
        assert_eq!(settings.otlp_service_name, value, "{lines:?}");
    }
}

#[test]
fn what_could_hide_a_line_of_ours_is_a_mistake() {
    for (text, message) in [
        ("A=1\nVENOM_PORT 9000 secret", "line 2: expected NAME=value"),
        ("secret words = 1", "line 1: expected NAME=value"),
        (
            "A=1\n\nB='secret\nC=1",
            "line 3: the quote that opens here is never closed",
        ),
        (
            "A='tis secret\nVENOM_PORT=9\nB='tis",
            "line 1: the quotes that open here swallow a setting",
        ),
    ] {
        let mistake = setup().dotenv(text).mistake();
        assert_eq!(
            mistake,
            format!("cannot read the settings in HERE/.env, {message}")
        );
    }
}

#[test]
fn bytes_that_are_no_text_disturb_only_where_they_are_ours() {
    let foreign = setup().file(".env", b"NAME=caf\xe9\nVENOM_PORT=1");
    assert_eq!(foreign.settings().port, 1);

    let ours = setup().file(".env", b"VENOM_LOG=caf\xe9");
    assert!(
        ours.mistake()
            .contains("(VENOM_LOG): found bytes that are not UTF-8, expected UTF-8 text")
    );
}

#[test]
fn a_folder_of_this_name_is_somebody_elses() {
    let setup = setup();
    std::fs::create_dir(setup.path().join(".env")).unwrap();

    assert_eq!(setup.settings(), Settings::default());
}

#[test]
#[cfg(unix)]
fn a_file_that_cannot_be_read_is_a_mistake() {
    let setup = setup();
    // A loop of links cannot be opened by anyone, not even by root.
    std::os::unix::fs::symlink(".env", setup.path().join(".env")).unwrap();

    assert!(
        setup
            .mistake()
            .starts_with("cannot read the settings file HERE/.env: ")
    );
}
