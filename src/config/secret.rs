//! Where a processor finds its secret. The secret itself is never a setting, so that no dump of the
//! settings and no message can hold it. (Redis's password may be one, as the original has it:
//! [`Password`](super::Password).)

use std::path::{Path, PathBuf};
use std::{env, fs};

use super::error::Error;
use super::table::Table;
use super::{dotenv, environment, rules};

/// Where a secret stands; never the secret itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Secret {
    /// In the environment variable of this name.
    Env(String),
    /// In this file.
    File(PathBuf),
}

impl Secret {
    /// Whether reading it neither waits nor takes anything away, as it would from a pipe.
    pub(crate) fn can_be_read_now(&self) -> bool {
        match self {
            Self::Env(_) => true,
            Self::File(path) => path.is_file(),
        }
    }

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

/// The value of the variable; empty if nothing sets it.
fn reveal_variable(name: &str) -> Result<String, String> {
    let value = env::var_os(name)
        .map(|value| value.into_string())
        .transpose();
    let value = value.map_err(|_| format!("the environment variable `{name}` is no UTF-8 text"))?;
    if let Some(value) = value.filter(|value| !value.trim().is_empty()) {
        return Ok(value);
    }
    let environment: Vec<_> = std::env::vars_os().collect();
    let variables =
        dotenv::read(Path::new(".env"), &environment).map_err(|error| error.to_string())?;
    let found = environment::value_of(name, &variables);
    Ok(found.map(|found| found.value.clone()).unwrap_or_default())
}

/// The secret that one of two keys leads to, if either is set.
pub(crate) fn read(
    table: &mut Table<'_>,
    env_key: &'static str,
    file_key: &'static str,
) -> Result<Option<Secret>, Error> {
    let variable = table.take(env_key, rules::SECRET_VARIABLE)?;
    let file = table.take(file_key, rules::PATH)?;
    match (variable, file) {
        (Some(_), Some(_)) => {
            let found = format!("a second place for one secret, beside `{env_key}`");
            Err(table.refuse(file_key, found, "one of the two"))
        }
        (Some(name), None) => Ok(Some(Secret::Env(name))),
        (None, Some(path)) => Ok(Some(Secret::File(path))),
        (None, None) => Ok(None),
    }
}
