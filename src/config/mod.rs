//! Every setting of the service, and how it is read.
//!
//! Five layers, each stronger than the one before: the defaults, `venom.toml`, `.env`, the environment, the
//! command line. A mistake stops the start with one sentence ([`Error`]). An unknown key is such a mistake,
//! because a misspelt setting that has no effect is found too late.
//!
//! [`Settings`] is the table of all settings (`settings`). [`Sources`] says where the layers come from (`sources`,
//! then `file`, `dotenv`, `environment`, merged by `layers`); a `table_reader` hands out their values by key, each read by
//! one of the `value_types`; `load` goes through the list and checks the whole (`consistency`).

mod backoff;
mod changes;
mod choices;
mod consistency;
mod current;
mod dotenv;
mod environment;
mod error;
mod explained;
mod file;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod hive;
mod keys;
mod kinds;
mod layers;
mod load;
mod processors;
mod rate;
#[cfg(test)]
mod reference;
mod reveal;
mod schedules;
mod secret;
mod service_links;
mod setting;
mod setting_value;
mod settings;
mod signing_key;
mod sources;
mod table_reader;
#[cfg(test)]
mod tests;
mod time_zones;
mod value_types;
mod values;
mod variable;
mod warnings;

pub(crate) use backoff::Backoff;
pub(crate) use changes::SettingChanges;
#[cfg(test)]
pub(crate) use choices::Auth;
pub(crate) use choices::{Durability, HiveCodec, HiveQueue, LogFormat, Missed};
pub(crate) use current::{CurrentSettings, SettingsPublisher};
pub(crate) use error::{Error, SettingPlace};
pub(crate) use explained::ExplainedSetting;
pub(crate) use hive::HiveProcessorSettings;
pub(crate) use keys::KeySettings;
pub(crate) use kinds::{CommandSettings, LlmSettings, WebhookSettings};
pub(crate) use layers::Origins;
pub(crate) use load::Loaded;
pub(crate) use processors::{ProcessorKind, ProcessorSettings};
pub(crate) use rate::Rate;
pub(crate) use schedules::{ScheduleSettings, When, parse_cron};
pub(crate) use secret::Secret;
pub(crate) use settings::Settings;
pub(crate) use signing_key::{EXPECTED_KEY, signing_key};
pub(crate) use sources::{Overrides, Sources};
pub(crate) use time_zones::{TimeZoneRules, time_zone, time_zone_rules};
pub(crate) use variable::{CA_FILE, TOKEN, TOKEN_FILE, URL};
