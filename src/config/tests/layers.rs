//! Which layer wins, and where the layers are found.

use super::{Setup, setup};
use crate::config::{SettingPlace, Settings};

#[test]
fn without_anything_every_setting_has_its_default() {
    let loaded = setup().load().unwrap();

    assert_eq!(loaded.settings, Settings::default());
    assert!(loaded.warnings.is_empty());
    assert!(loaded.origins.is_empty());
}

#[test]
fn each_layer_is_stronger_than_the_one_before() {
    let port = |setup: &Setup| setup.settings().port;

    let mut setup = setup();
    assert_eq!(port(&setup), 8000);
    setup = setup.toml("port = 1");
    assert_eq!(port(&setup), 1);
    setup = setup.dotenv("VENOM_PORT=2");
    assert_eq!(port(&setup), 2);
    setup = setup.variable("VENOM_PORT", "3");
    assert_eq!(port(&setup), 3);
    setup.sources.overrides.port = Some("4".to_owned());
    assert_eq!(port(&setup), 4);
}

#[test]
fn a_layer_leaves_alone_what_it_does_not_set() {
    let setup = setup()
        .toml("port = 1\nhost = '::1'\nmax_concurrent_tasks = 7")
        .dotenv("VENOM_PORT=2\nVENOM_LOG=debug")
        .variable("VENOM_PORT", "3");
    let settings = setup.settings();

    assert_eq!(settings.port, 3);
    assert_eq!(settings.log, "debug");
    assert_eq!(settings.host.to_string(), "::1");
    assert_eq!(settings.max_concurrent_tasks, 7);
}

#[test]
fn every_flag_sets_its_setting() {
    let mut setup = setup();
    let overrides = &mut setup.sources.overrides;
    overrides.host = Some("0.0.0.0".to_owned());
    overrides.port = Some("9000".to_owned());
    overrides.database_path = Some("a.db".into());
    overrides.state_file_path = Some("b.json".into());
    overrides.max_concurrent_tasks = Some("9".to_owned());
    overrides.log_format = Some("json".to_owned());
    let settings = setup.settings();

    assert_eq!(settings.host.to_string(), "0.0.0.0");
    assert_eq!(settings.port, 9000);
    assert_eq!(settings.database_path.to_str(), Some("a.db"));
    assert_eq!(settings.state_file_path.to_str(), Some("b.json"));
    assert_eq!(settings.max_concurrent_tasks, 9);
    assert_eq!(settings.log_format, crate::config::LogFormat::Json);
}

#[test]
fn the_names_of_the_original_work_as_they_are() {
    let settings = setup()
        .variable("STATE_FILE_PATH", "./state.json")
        .variable("MAX_CONCURRENT_TASKS", "12")
        .variable("ENABLE_QUEUE_LIMITS", "False")
        .variable("STATE_DUMP_INTERVAL", "0.5")
        .settings();

    assert_eq!(settings.state_file_path.to_str(), Some("./state.json"));
    assert_eq!(settings.max_concurrent_tasks, 12);
    assert!(!settings.enable_queue_limits);
    assert_eq!(settings.state_dump_interval.as_millis(), 500);
}

#[test]
fn the_names_of_variables_have_no_case() {
    let settings = setup()
        .dotenv("max_concurrent_tasks=6")
        .variable("Venom_Port", "1")
        .settings();

    assert_eq!(settings.max_concurrent_tasks, 6);
    assert_eq!(settings.port, 1);
}

#[test]
fn an_empty_variable_is_unset() {
    let settings = setup()
        .toml("port = 1")
        .variable("VENOM_PORT", "")
        .variable("MAX_CONCURRENT_TASKS", " ")
        .variable("VENOM_MAX_CONCURRENT_TASKS", "6")
        .settings();

    assert_eq!(settings.port, 1);
    assert_eq!(settings.max_concurrent_tasks, 6);
}

#[test]
fn two_names_of_one_setting_may_agree() {
    let settings = setup()
        .variable("MAX_CONCURRENT_TASKS", "6")
        .variable("VENOM_MAX_CONCURRENT_TASKS", "6")
        .settings();

    assert_eq!(settings.max_concurrent_tasks, 6);
}

#[test]
fn a_stronger_layer_wins_under_either_name() {
    let settings = setup()
        .dotenv("VENOM_MAX_CONCURRENT_TASKS=6")
        .variable("MAX_CONCURRENT_TASKS", "7")
        .settings();

    assert_eq!(settings.max_concurrent_tasks, 7);
}

#[test]
fn a_value_that_a_stronger_layer_replaces_is_not_looked_at() {
    let settings = setup()
        .toml("port = 'none'")
        .variable("VENOM_PORT", "1")
        .settings();

    assert_eq!(settings.port, 1);
}

#[test]
fn other_variables_with_our_prefix_are_let_be() {
    let setup = setup()
        .variable("VENOM_URL", "http://127.0.0.1:9000")
        .variable("VENOM_TASK_ID", "0199")
        .variable("VENOM_ATTEMPT", "1")
        .variable("VENOM_RUN_ID", "0199")
        .variable("VENOM_UPSTREAM", "/tmp/upstream")
        .variable("VENOM_RUNTIME_PROFILE", "light");

    assert_eq!(setup.settings(), Settings::default());
}

#[test]
fn the_settings_file_can_be_another_one() {
    let mut setup = setup()
        .toml("port = 1")
        .file("two.toml", "port = 2")
        .file("three.toml", "port = 3")
        .file("four.toml", "port = 4")
        .dotenv("VENOM_CONFIG=two.toml");
    assert_eq!(setup.settings().port, 2);
    setup = setup.variable("VENOM_CONFIG", "three.toml");
    assert_eq!(setup.settings().port, 3);
    setup.sources.config_file = Some("four.toml".into());
    assert_eq!(setup.settings().port, 4);
}

#[test]
fn every_setting_knows_where_it_came_from() {
    let setup = setup()
        .toml("\nhost = '::1'")
        .variable("MAX_CONCURRENT_TASKS", "6");
    let origins = setup.load().unwrap().origins;

    let environment = SettingPlace::Environment {
        name: "MAX_CONCURRENT_TASKS".into(),
    };
    assert_eq!(origins["max_concurrent_tasks"], environment);
    assert!(matches!(
        &origins["host"],
        SettingPlace::File { line: 2, .. }
    ));
    assert_eq!(origins.len(), 2);
}
