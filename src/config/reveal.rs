//! Reads secrets from where the settings say that they are.

use std::path::Path;
use std::{env, fs};

use super::secret::Secret;
use super::settings::Settings;
use super::{dotenv, variable};

impl Secret {
    /// The secret as it is at this moment, without blanks around it; else a sentence that says where it
    /// is missing. A variable that the process does not have is looked for in the `.env` of the working
    /// directory, as settings are. Reads files.
    ///
    /// # Errors
    /// When it is not there or cannot be read. The sentence holds nothing of it.
    pub(crate) fn reveal(&self) -> Result<String, String> {
        let secret = match self {
            Self::Env(name) => reveal_variable(name)?,
            Self::File(path) => fs::read_to_string(path)
                .map_err(|error| format!("the file `{}`: {error}", path.display()))?,
        };
        match (secret.trim(), self) {
            ("", Self::Env(name)) => Err(format!(
                "the environment variable `{name}` is not set, neither for the service nor in `.env`"
            )),
            ("", Self::File(path)) => Err(format!("the file `{}` is empty", path.display())),
            (secret, _) => Ok(secret.to_owned()),
        }
    }
}

impl Settings {
    /// Returns the password for Redis as it is at this moment, wherever it stands. Reads its file.
    ///
    /// # Errors
    /// A sentence, without anything of the password, if the file cannot be read or is empty.
    pub(crate) fn reveal_redis_password(&self) -> Result<Option<String>, String> {
        match (&self.redis_password, &self.redis_password_file) {
            (Some(password), _) => Ok(Some(password.reveal().to_owned())),
            (None, Some(path)) => Secret::File(path.clone()).reveal().map(Some),
            (None, None) => Ok(None),
        }
    }
}

/// The value of the variable; empty if nothing sets it.
fn reveal_variable(name: &str) -> Result<String, String> {
    let value = env::var_os(name)
        .map(|value| value.into_string())
        .transpose();
    let value = value.map_err(|_| format!("the environment variable `{name}` is no UTF-8 text"))?;
    if let Some(value) = value.filter(|value| !value.trim().is_empty()) {
        return Ok(value);
    }
    let environment: Vec<_> = env::vars_os().collect();
    let variables =
        dotenv::read(Path::new(".env"), &environment).map_err(|error| error.to_string())?;
    let found = variable::find(name, &variables);
    Ok(found.map(|found| found.value.clone()).unwrap_or_default())
}
