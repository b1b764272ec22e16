//! Loads the settings: reads every layer, then every setting, and checks the whole.

use super::consistency;
use super::error::Error;
use super::layers::Origins;
use super::settings::Settings;
use super::sources::Sources;
use super::table_reader::TableReader;
use super::warnings::warnings;

/// What [`Settings::load`] found.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) settings: Settings,
    /// Sentences for the log about settings that have no effect as they are.
    pub(crate) warnings: Vec<String>,
    /// A setting that is not in it has its default.
    pub(crate) origins: Origins,
}

impl Settings {
    /// Reads every layer and checks the whole.
    ///
    /// # Errors
    /// The first mistake found: an unreadable file, an unknown key, a bad value, or two settings
    /// that contradict each other. A value that a stronger layer replaces is not checked.
    pub(crate) fn load(sources: &Sources) -> Result<Loaded, Error> {
        let (layers, ignored_variables) = sources.read()?;
        let mut table = TableReader::top(&layers);
        let settings = read(&mut table)?;
        let origins = table.finish()?;
        consistency::check(&settings, &origins)?;
        Ok(Loaded {
            warnings: ignored_variables
                .into_iter()
                .chain(warnings(&settings))
                .collect(),
            settings,
            origins,
        })
    }
}

/// Takes every setting out of the top table; a setting that is not in it has its default.
pub(crate) fn read(table: &mut TableReader<'_>) -> Result<Settings, Error> {
    let mut settings = Settings::default();
    for setting in Settings::ALL {
        (setting.read)(table, &mut settings)?;
    }
    Ok(settings)
}
