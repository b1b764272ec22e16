//! Each setting as a person reads it, and where it comes from.

use serde::Serialize;
use utoipa::ToSchema;

use super::error::SettingPlace;
use super::layers::Origins;
use super::load::Loaded;
use super::setting::Setting;
use super::settings::Settings;

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ExplainedSetting)]
pub(crate) struct ExplainedSetting {
    pub(crate) key: &'static str,
    /// The value as a person reads it, without secrets. For tables, their names.
    pub(crate) value: String,
    #[serde(flatten)]
    #[schema(value_type = PlaceTold)]
    pub(crate) place: SettingPlace,
}

/// A [`SettingPlace`] in the API's document.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes, and is never made")]
struct PlaceTold {
    /// The layer in a word: `default`, the name of a file, `environment`, `command line`.
    source: String,
    /// Where exactly, in words.
    place: String,
}

impl Loaded {
    /// Returns all settings, each with its value and where it is set.
    pub(crate) fn explained(&self) -> Vec<ExplainedSetting> {
        self.settings.explained(&self.origins)
    }
}

impl Settings {
    /// Returns all settings in the order of their table; `origins` says where those that are set stand.
    pub(crate) fn explained(&self, origins: &Origins) -> Vec<ExplainedSetting> {
        let explain = |setting: &Setting<Self>| ExplainedSetting {
            key: setting.key,
            value: (setting.shown)(self),
            place: origins
                .get(setting.key)
                .unwrap_or(&SettingPlace::Default)
                .clone(),
        };
        Self::ALL.iter().map(explain).collect()
    }
}
