//! Which database file a command means that works on the file itself.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::error::Error;
use crate::config::{Loaded, Overrides, Settings, Sources};
use crate::state::check_in_place;

const HEADING: &str = "Which database";

/// The flags by which a command finds the file.
#[derive(Args, Clone, Debug)]
pub(crate) struct DatabaseFile {
    /// Database file [env: VENOM_DATABASE_PATH] [default: ./data/venom.db]
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    database: Option<PathBuf>,
    /// Settings of the service [env: VENOM_CONFIG] [default: ./venom.toml, if there is one]
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    config: Option<PathBuf>,
}

impl DatabaseFile {
    /// The settings of the service whose database it is.
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

    /// Where the file is, or will be.
    pub(crate) fn path(&self) -> Result<PathBuf, Error> {
        Ok(self.load()?.settings.database_path)
    }

    /// Where the file is; fails if there is none, or if it is not the one that the running service has open.
    pub(crate) fn existing(&self) -> Result<PathBuf, Error> {
        let path = self.path()?;
        // It may also be gone under a service that runs.
        check_in_place(&path).map_err(|error| Error::Failed(error.to_string()))?;
        match path.exists() {
            true => Ok(path),
            false => Err(Error::Failed(format!(
                "there is no database {}; name one with --database",
                path.display()
            ))),
        }
    }
}

/// Whether two paths lead to the same file; false if one of them leads to none.
pub(crate) fn is_same_file(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}
