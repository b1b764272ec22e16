//! The source of a processor's secret: a variable or a file. The secret itself is never a setting, so that no dump of the
//! settings and no message can hold it. (Redis's password may be one, as the original has it:
//! [`Password`](super::Password).)

use std::path::PathBuf;

use super::error::Error;
use super::table_reader::TableReader;
use super::value_types;

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
}

/// The secret that one of two keys leads to, if either is set.
pub(crate) fn read(
    table: &mut TableReader<'_>,
    env_key: &'static str,
    file_key: &'static str,
) -> Result<Option<Secret>, Error> {
    let variable = table.take(env_key, value_types::SECRET_VARIABLE)?;
    let file = table.take(file_key, value_types::PATH)?;
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
