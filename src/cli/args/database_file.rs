//! The flags of the commands that open the database file themselves, and how they find that file.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::error::Error;
use crate::config::{Loaded, Overrides, Settings, Sources};
use crate::state::check_in_place;

const HEADING: &str = "Which database";

/// Flags that name the database file.
#[derive(Args, Clone, Debug)]
pub(crate) struct DatabaseArgs {
    /// Use this database file [env: VENOM_DATABASE_PATH] [default: ./data/venom.db]
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    database: Option<PathBuf>,
    /// Read the service's settings from this file [env: VENOM_CONFIG] [default: ./venom.toml, if there is one]
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    config: Option<PathBuf>,
}

impl DatabaseArgs {
    /// Reads the settings of the service that owns the database.
    pub(crate) fn load(&self) -> Result<Loaded, crate::config::Error> {
        Settings::load(&Sources {
            config_file: self.config.clone(),
            overrides: Overrides {
                database_path: self.database.clone(),
                ..Overrides::default()
            },
            ..Sources::from_process()
        })
    }

    /// Returns the path of the database, which may not exist yet.
    pub(crate) fn path(&self) -> Result<PathBuf, Error> {
        Ok(self.load()?.settings.database_path)
    }

    /// Returns the path of the database. Fails if the file is missing, or is not the file that the running
    /// service has open.
    pub(crate) fn existing(&self) -> Result<PathBuf, Error> {
        let path = self.path()?;
        // The file may have been removed or replaced under a running service.
        check_in_place(&path).map_err(|error| Error::Failed(error.to_string()))?;
        match path.exists() {
            true => Ok(path),
            false => Err(Error::Failed(format!(
                "database {} does not exist; name another one with --database",
                path.display()
            ))),
        }
    }
}

/// Returns true if both paths exist and lead to the same file.
pub(crate) fn is_same_file(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}
