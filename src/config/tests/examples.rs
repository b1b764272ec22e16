//! The example files are the reference that users copy: they must load, and say the truth.

use std::collections::BTreeSet;

use super::setup;
use crate::config::table_reader::TableReader;
use crate::config::{Backoff, HiveCodec, HiveQueue, KeySettings, ProcessorKind, Settings, load};

const TOML: &str = include_str!("../../../venom.example.toml");
const DOTENV: &str = include_str!("../../../.env.example");

/// Turns settings that are commented out (`#port = 8000`) on. Prose has a blank after the `#`.
fn uncommented(example: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with([' ', '#']) => format!("{setting}\n"),
        _ => format!("{line}\n"),
    };
    example.lines().map(line).collect()
}

fn every_key() -> BTreeSet<&'static str> {
    let layers = crate::config::layers::Layers::new(Vec::new());
    let mut table = TableReader::top(&layers);
    load::read(&mut table).unwrap();
    table.known().iter().copied().collect()
}

#[test]
fn each_setting_of_the_table_is_read_by_its_key() {
    let table: BTreeSet<_> = Settings::ALL.iter().map(|setting| setting.key).collect();
    assert_eq!(table, every_key());
}

#[test]
fn the_examples_load_as_they_are_and_change_nothing() {
    let setup = setup().toml(TOML).dotenv(DOTENV);

    assert_eq!(setup.settings(), Settings::default());
    assert!(setup.load().unwrap().origins.is_empty());
}

#[test]
fn the_example_file_shows_every_key_at_its_default() {
    let loaded = setup().toml(&uncommented(TOML)).load().unwrap();
    let mut settings = loaded.settings;

    let processors: Vec<_> = settings.processors.keys().cloned().collect();
    assert_eq!(
        processors.join(" "),
        "answer echo notify outside shout summarise translate"
    );
    settings.processors.retain(|name, _| name == "echo");
    let keys: Vec<_> = settings.concurrency_keys.keys().cloned().collect();
    assert_eq!(keys, ["*", "gpu"]);
    assert_eq!(*settings.key_settings("any"), KeySettings::DEFAULT);
    settings.concurrency_keys.clear();
    let schedules: Vec<_> = settings.schedules.keys().cloned().collect();
    assert_eq!(schedules, ["morning_report", "tidy"]);
    settings.schedules.clear();
    assert_eq!(settings, Settings::default());
    assert_eq!(
        loaded.origins.into_keys().collect::<BTreeSet<_>>(),
        every_key()
    );
}

#[test]
fn the_example_file_has_a_processor_of_each_kind() {
    let processors = setup().toml(&uncommented(TOML)).settings().processors;

    for (name, processor) in &processors {
        let examples = match &processor.kind {
            ProcessorKind::Echo => "echo",
            ProcessorKind::Command(_) => "shout summarise",
            ProcessorKind::Webhook(webhook) => {
                assert_eq!(webhook.response_limit_bytes, 1 << 20);
                "notify"
            }
            ProcessorKind::Llm(_) => "answer",
            ProcessorKind::Worker(worker) => {
                assert_eq!(worker.lease.as_secs(), 60);
                "outside"
            }
            ProcessorKind::Hive(hive) => {
                assert_eq!(
                    (hive.queue, hive.codec),
                    (HiveQueue::ByPriority, HiveCodec::Pickle)
                );
                assert_eq!(processor.concurrency, Some(10_000));
                "translate"
            }
        };
        assert!(examples.contains(name), "{name}");
        assert_eq!(processor.backoff, Backoff::default(), "{name}");
    }
}

#[test]
fn the_example_of_dotenv_shows_every_variable_at_its_default() {
    let loaded = setup().dotenv(&uncommented(DOTENV)).load().unwrap();
    let mut variables = every_key();
    variables.retain(|key| !["concurrency_keys", "processors", "schedules"].contains(key));
    // Of these the default is none, and so is an empty variable.
    for (key, name) in [
        ("redis_password", "REDIS_PASSWORD"),
        ("redis_password_file", "VENOM_REDIS_PASSWORD_FILE"),
        ("redis_username", "REDIS_USERNAME"),
        ("redis_ca_file", "VENOM_REDIS_CA_FILE"),
        ("tls_cert_file", "VENOM_TLS_CERT_FILE"),
        ("tls_key_file", "VENOM_TLS_KEY_FILE"),
        ("otlp_endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("otlp_headers", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("hosts", "VENOM_HOSTS"),
        ("trusted_proxies", "VENOM_TRUSTED_PROXIES"),
        ("cors_origins", "VENOM_CORS_ORIGINS"),
    ] {
        assert!(DOTENV.contains(&format!("\n#{name}=\n")), "{name}");
        variables.remove(key);
    }

    assert_eq!(loaded.settings, Settings::default());
    assert_eq!(
        loaded.origins.into_keys().collect::<BTreeSet<_>>(),
        variables
    );
}
