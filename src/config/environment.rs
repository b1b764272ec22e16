//! Variables as a layer: those of the environment, and those of `.env`, which has the same names.
//!
//! Every setting is `VENOM_` and its key in capitals; those of the original, and a few that belong
//! to them, go by the key alone too. As there, case does not matter and an empty value is none. What has neither
//! name belongs to other programs and is let be.

use std::collections::BTreeMap;

use super::error::{Error, Place};
use super::layers::Layer;

/// Names the settings file.
pub(crate) const CONFIG: &str = "VENOM_CONFIG";
/// The address that the client commands talk to.
pub(crate) const URL: &str = "VENOM_URL";
/// The token that they send.
pub(crate) const TOKEN: &str = "VENOM_TOKEN";
/// A file with that token.
pub(crate) const TOKEN_FILE: &str = "VENOM_TOKEN_FILE";
/// The authorities that they trust.
pub(crate) const CA_FILE: &str = "VENOM_CA_FILE";

const PREFIX: &str = "VENOM_";

/// Settings that need no prefix: those of the original, and those that belong to them.
const BARE: [&str; 17] = [
    "STATE_FILE_PATH",
    "MAX_CONCURRENT_TASKS",
    "ENABLE_QUEUE_LIMITS",
    "STATE_DUMP_INTERVAL",
    "ENABLE_HIVE",
    "REDIS_HOST",
    "REDIS_PORT",
    "REDIS_DB",
    "REDIS_PASSWORD",
    "REDIS_USERNAME",
    "REDIS_TLS",
    "HIVE_HIGH_PRIORITY_QUEUE",
    "HIVE_BACKGROUND_QUEUE",
    "HIVE_BROADCAST_CHANNEL",
    "HIVE_TASK_TIMEOUT",
    "HIVE_MAX_RETRIES",
    "HIVE_ZOMBIE_TASK_TIMEOUT",
];

/// Settings that have a name all programs know them by.
const STANDARD: [(&str, &str); 3] = [
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "otlp_endpoint"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "otlp_headers"),
    ("OTEL_SERVICE_NAME", "otlp_service_name"),
];

/// Settings that only `venom.toml` can hold.
pub(crate) const TABLES: [&str; 3] = ["concurrency_keys", "processors", "schedules"];

/// Names with our prefix that are no settings.
const NO_SETTINGS: [&str; 17] = [
    CONFIG,
    URL,
    TOKEN,
    TOKEN_FILE,
    CA_FILE,
    // What a `command` processor hands to its program, which may well start us again.
    "VENOM_TASK_ID",
    "VENOM_ATTEMPT",
    "VENOM_RUN_ID",
    "VENOM_UPSTREAM",
    // Settings of the original that have our prefix: its `.env` must do as it is.
    "VENOM_CALENDAR_ID",
    "VENOM_CALENDAR_NAME",
    "VENOM_ENABLE_GPU",
    "VENOM_OLLAMA_PROFILE",
    "VENOM_PAUSE_BACKGROUND_TASKS",
    "VENOM_ROUTER_CACHE_ENABLED",
    "VENOM_RUNTIME_PROFILE",
    "VENOM_RUNTIME_SWITCH_TOKEN",
];

/// A variable as it was found.
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) place: Place,
}

/// The settings among these variables.
pub(crate) fn layer(name: &'static str, variables: &[Variable]) -> Result<Layer, Error> {
    let mut chosen: BTreeMap<String, &Variable> = BTreeMap::new();
    for variable in variables.iter().filter(|variable| !variable.is_unset()) {
        let Some(key) = key_of(&variable.name) else {
            continue;
        };
        check_unicode(&key, &variable.value, &variable.place)?;
        match chosen.insert(key.clone(), variable) {
            // The same name twice is no contradiction: in a file, the last line counts.
            Some(other) if other.name != variable.name && other.value != variable.value => {
                return Err(Error::Conflict {
                    key,
                    first: other.place.clone(),
                    second: variable.place.clone(),
                });
            }
            _ => {}
        }
    }
    let entries = chosen
        .into_iter()
        .map(|(key, variable)| (key, variable.value.clone(), variable.place.clone()));
    Ok(Layer::of_texts(name, entries))
}

impl Variable {
    fn is_unset(&self) -> bool {
        self.value.trim().is_empty()
    }
}

/// The value of the last variable with this name that has one.
pub(crate) fn value_of<'a>(name: &str, variables: &'a [Variable]) -> Option<&'a Variable> {
    variables
        .iter()
        .rfind(|variable| variable.name.eq_ignore_ascii_case(name) && !variable.is_unset())
}

/// Whether a variable says anything to this program.
pub(crate) fn concerns_us(name: &str) -> bool {
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    key_of(name).is_some()
        || [CONFIG, URL, TOKEN, TOKEN_FILE, CA_FILE]
            .into_iter()
            .any(is)
}

/// The variable that stands for a setting; there is none for the tables.
pub(crate) fn name_of(key: &str) -> Option<String> {
    (!TABLES.contains(&key)).then(|| format!("{PREFIX}{}", key.to_ascii_uppercase()))
}

/// Text was read with replacements for what is no Unicode, and those must not become a file's name.
pub(crate) fn check_unicode(key: &str, text: &str, place: &Place) -> Result<(), Error> {
    match text.contains(char::REPLACEMENT_CHARACTER) {
        true => Err(Error::invalid(
            key,
            place.clone(),
            "other bytes",
            "UTF-8 text",
        )),
        false => Ok(()),
    }
}

/// The setting that a variable is about: one that exists, or one that its prefix claims to be.
fn key_of(name: &str) -> Option<String> {
    let name = name.to_ascii_uppercase();
    if NO_SETTINGS.contains(&name.as_str()) {
        return None;
    }
    if let Some((_, key)) = STANDARD.iter().find(|(standard, _)| *standard == name) {
        return Some((*key).to_owned());
    }
    let key = match BARE.contains(&name.as_str()) {
        true => &name,
        false => name.strip_prefix(PREFIX)?,
    };
    Some(key.to_ascii_lowercase())
}
