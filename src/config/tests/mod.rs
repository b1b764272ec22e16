//! What a user may write where, and what a mistake gets to read. Each test has a folder of its own
//! and an environment that it makes up.

mod backoff;
mod dotenv;
mod examples;
mod hive;
mod keys;
mod kinds;
mod layers;
mod mistakes;
mod processors;
mod rate;
mod schedules;
mod service_links;
mod values;

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::{Error, Loaded, Settings, Sources};

/// A working directory and an environment, as a user would set them up.
struct Setup {
    directory: TempDir,
    sources: Sources,
}

/// An empty working directory and an empty environment.
fn setup() -> Setup {
    let directory = tempfile::tempdir().unwrap();
    let sources = Sources {
        directory: directory.path().to_owned(),
        ..Sources::default()
    };
    Setup { directory, sources }
}

impl Setup {
    fn file(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        fs::write(self.path().join(name), text).unwrap();
        self
    }

    fn toml(self, text: &str) -> Self {
        self.file("venom.toml", text)
    }

    fn dotenv(self, text: &str) -> Self {
        self.file(".env", text)
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.sources.environment.push((name.into(), value.into()));
        self
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn load(&self) -> Result<Loaded, Error> {
        Settings::load(&self.sources)
    }

    #[track_caller]
    fn settings(&self) -> Settings {
        match self.load() {
            Ok(loaded) => loaded.settings,
            Err(mistake) => panic!("{mistake}"),
        }
    }

    /// The message that stops the start, with the folder's path as `HERE`.
    #[track_caller]
    fn mistake(&self) -> String {
        let here = self.path().to_str().unwrap();
        match self.load() {
            Ok(_) => panic!("these settings were accepted"),
            Err(mistake) => mistake.to_string().replace(here, "HERE"),
        }
    }
}
