//! Where settings come from; collects the layers from there.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::error::{Error, SettingPlace};
use super::layers::{Layer, Layers};
use super::service_links::without_service_links;
use super::settings::Settings;
use super::variable::{self, Variable};
use super::{dotenv, environment, file};

/// Everything that [`Settings::load`](super::Settings::load) looks at, so that nothing of the
/// process leaks into a test. It has no `Debug`, because an environment is full of secrets.
#[derive(Clone, Default)]
pub(crate) struct Sources {
    /// `--config`: a file that must exist, relative to `directory`. Without it, and without
    /// `VENOM_CONFIG`, it is `venom.toml`, which may be missing.
    pub(crate) config_file: Option<PathBuf>,
    /// Where `venom.toml` and `.env` are looked for: the working directory.
    pub(crate) directory: PathBuf,
    /// The environment variables.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// What the command line sets.
    pub(crate) overrides: Overrides,
}

/// The settings that have a flag, as they were typed: they are read like all others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    /// `--host`
    pub(crate) host: Option<String>,
    /// `--port`
    pub(crate) port: Option<String>,
    /// `--insecure`
    pub(crate) insecure: bool,
    /// `--database`
    pub(crate) database_path: Option<PathBuf>,
    /// `--state-file`
    pub(crate) state_file_path: Option<PathBuf>,
    /// `--max-concurrent`
    pub(crate) max_concurrent_tasks: Option<String>,
    /// `--log-format`
    pub(crate) log_format: Option<String>,
}

impl Sources {
    /// The working directory and the environment of this process; no flags.
    pub(crate) fn from_process() -> Self {
        Self {
            // The absolute path makes messages clear; without it, files are found all the same.
            directory: env::current_dir().unwrap_or_default(),
            environment: env::vars_os().collect(),
            ..Self::default()
        }
    }

    /// Returns the value of a variable of the client commands, from the environment or else from `.env`, and where it
    /// stands.
    ///
    /// # Errors
    /// When `.env` had to be looked at and cannot be read.
    pub(crate) fn of_client(&self, name: &str) -> Result<Option<(String, SettingPlace)>, Error> {
        let environment = self.variables();
        let named =
            |variable: &Variable| (variable.value.trim().to_owned(), variable.place.clone());
        if let Some(variable) = variable::find(name, &environment) {
            return Ok(Some(named(variable)));
        }
        Ok(variable::find(name, &self.dotenv()?).map(named))
    }

    /// Returns the layers, and a sentence for the log if variables are ignored.
    pub(crate) fn read(&self) -> Result<(Layers, Option<String>), Error> {
        let dotenv = self.dotenv()?;
        let (environment, warning) = without_service_links(self.variables());
        let file = match self.config_file(&[&environment, &dotenv]) {
            Some(path) => file::layer(&self.directory.join(path), true)?,
            None => file::layer(&self.directory.join("venom.toml"), false)?,
        };
        let layers = vec![
            file,
            environment::layer(".env", &dotenv)?,
            environment::layer("environment", &environment)?,
            self.overrides.layer()?,
        ];
        Ok((Layers::new(layers), warning))
    }

    fn dotenv(&self) -> Result<Vec<Variable>, Error> {
        dotenv::read(&self.directory.join(".env"), &self.environment)
    }

    fn variables(&self) -> Vec<Variable> {
        let variable = |(name, value): &(OsString, OsString)| {
            let name = name.to_string_lossy();
            Variable {
                place: SettingPlace::Environment {
                    name: name.as_ref().into(),
                },
                name: name.into_owned(),
                value: value.to_string_lossy().into_owned(),
            }
        };
        self.environment.iter().map(variable).collect()
    }

    /// Returns the settings file that a flag or a variable names.
    fn config_file(&self, variables: &[&[Variable]]) -> Option<PathBuf> {
        let flag = self.config_file.clone();
        flag.or_else(|| Some(first(variable::CONFIG, variables)?.value.clone().into()))
    }
}

impl Overrides {
    fn layer(&self) -> Result<Layer, Error> {
        let path = |path: &'_ Option<PathBuf>| path.as_deref().map(|path| lossy(path.as_os_str()));
        let given = [
            ("host", self.host.clone()),
            ("port", self.port.clone()),
            ("auth", self.insecure.then(|| "off".to_owned())),
            ("database_path", path(&self.database_path)),
            ("state_file_path", path(&self.state_file_path)),
            ("max_concurrent_tasks", self.max_concurrent_tasks.clone()),
            ("log_format", self.log_format.clone()),
        ];
        let flag = |key| {
            Settings::ALL
                .iter()
                .find(|setting| setting.key == key)?
                .flag
        };
        let mut entries = Vec::new();
        for (key, text) in given {
            let flag = flag(key).expect("the table of settings names the flag of each of these");
            let place = SettingPlace::CommandLine { flag };
            if let Some(text) = text {
                variable::check_unicode(key, &text, &place)?;
                entries.push((key.to_owned(), text, place));
            }
        }
        Ok(Layer::of_texts("command line", entries))
    }
}

fn lossy(text: &OsStr) -> String {
    text.to_string_lossy().into_owned()
}

/// Returns the variable of this name from the first source that sets it.
fn first<'a>(name: &str, sources: &[&'a [Variable]]) -> Option<&'a Variable> {
    sources
        .iter()
        .find_map(|variables| variable::find(name, variables))
}
