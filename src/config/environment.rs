//! Variables as a layer: those of the environment, and those of `.env`, which have the same names.
//!
//! Every setting is set by `VENOM_` and its key in capitals. Those of the original, and a few that belong to
//! them, go by the key alone too; OpenTelemetry's have the names that all programs know them by. Case does not
//! matter and an empty value is none, as in the original. Any other variable belongs to another program.

use std::collections::BTreeMap;

use super::error::Error;
use super::layers::Layer;
use super::settings::Settings;
use super::variable::{CA_FILE, CONFIG, PREFIX, TOKEN, TOKEN_FILE, URL, Variable, check_unicode};

/// NamePattern with our prefix that are no settings.
const NO_SETTINGS: [&str; 18] = [
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
    // What `venom crash-test --power` tells its service.
    "VENOM_INTERNAL_RECORD_WRITES",
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

/// Returns the layer of the settings among these variables.
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

/// Returns whether a variable means anything to this program.
pub(crate) fn concerns_us(name: &str) -> bool {
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    key_of(name).is_some()
        || [CONFIG, URL, TOKEN, TOKEN_FILE, CA_FILE]
            .into_iter()
            .any(is)
}

/// Returns the key that a variable sets: one that exists, or one that its prefix claims to be.
fn key_of(name: &str) -> Option<String> {
    let name = name.to_ascii_uppercase();
    if NO_SETTINGS.contains(&name.as_str()) {
        return None;
    }
    let mut settings = Settings::ALL.iter();
    if let Some(setting) = settings.find(|setting| setting.also == Some(name.as_str())) {
        return Some(setting.key.to_owned());
    }
    Some(name.strip_prefix(PREFIX)?.to_ascii_lowercase())
}
