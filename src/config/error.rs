//! The sentence that stops a start: which key, where it stands, what was found and what is expected.
//!
//! A sentence may end up in a shared log, so it shows a value only where the key is a known one that
//! holds no secret.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::ser::{Serialize, SerializeStruct, Serializer};

/// Why the settings cannot be used. Its text is whole: it needs no source and no context.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file that exists, or was asked for, and cannot be read.
    #[error("cannot read the settings file {}: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: io::Error },
    /// A line of a file that says nothing readable.
    #[error("cannot read the settings {place}: {reason}")]
    Syntax { place: SettingPlace, reason: String },
    /// A key that no setting has.
    #[error("unknown setting `{key}` {place}; {hint}")]
    Unknown {
        key: String,
        place: SettingPlace,
        hint: String,
    },
    /// A value that its setting cannot take.
    #[error("`{key}` {place}: found {found}, expected {expected}")]
    Invalid {
        key: String,
        place: SettingPlace,
        found: String,
        expected: Cow<'static, str>,
    },
    /// Two names of one setting that disagree within one layer.
    #[error("`{key}` is set to two different values, {first} and {second}; keep one of them")]
    Conflict {
        key: String,
        first: SettingPlace,
        second: SettingPlace,
    },
}

impl Error {
    pub(crate) fn invalid(
        key: impl Into<String>,
        place: SettingPlace,
        found: impl Into<String>,
        expected: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::Invalid {
            key: key.into(),
            place,
            found: found.into(),
            expected: expected.into(),
        }
    }

    /// Returns the setting that has the mistake; `None` if it is the whole file.
    pub(crate) fn key(&self) -> Option<&str> {
        match self {
            Self::Unreadable { .. } | Self::Syntax { .. } => None,
            Self::Unknown { key, .. } | Self::Invalid { key, .. } | Self::Conflict { key, .. } => {
                Some(key)
            }
        }
    }

    /// Returns whether the mistake is on the command line: a usage error (exit code 2).
    pub(crate) fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Invalid {
                place: SettingPlace::CommandLine { .. },
                ..
            }
        )
    }
}

/// Where a setting is set. Shown as the end of a sentence: `in /srv/venom.toml, line 3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SettingPlace {
    /// Nowhere: it has its default.
    Default,
    /// A line of `venom.toml`, or one of `.env` that sets nothing of ours.
    File { path: Arc<Path>, line: usize },
    /// A line of `.env`, and the variable as it is spelled there.
    DotEnv {
        path: Arc<Path>,
        line: usize,
        name: Arc<str>,
    },
    /// An environment variable, as it is spelled.
    Environment { name: Arc<str> },
    /// A flag.
    CommandLine { flag: &'static str },
}

impl SettingPlace {
    /// Returns the name of its layer: the file's name, `environment`, `command line` or `default`.
    pub(crate) fn source(&self) -> Cow<'_, str> {
        match self {
            Self::Default => "default".into(),
            Self::File { path, .. } | Self::DotEnv { path, .. } => {
                let name = path.file_name().unwrap_or(path.as_os_str());
                name.to_string_lossy()
            }
            Self::Environment { .. } => "environment".into(),
            Self::CommandLine { .. } => "command line".into(),
        }
    }

    /// Returns whether settings have the names of variables here.
    pub(crate) fn has_variables(&self) -> bool {
        matches!(self, Self::DotEnv { .. } | Self::Environment { .. })
    }
}

/// As the name of the layer and the place as text.
impl Serialize for SettingPlace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut place = serializer.serialize_struct("SettingPlace", 2)?;
        place.serialize_field("source", &self.source())?;
        place.serialize_field("place", &self.to_string())?;
        place.end()
    }
}

impl fmt::Display for SettingPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(f, "by default"),
            Self::File { path, line } => write!(f, "in {}, line {line}", path.display()),
            Self::DotEnv { path, line, name } => {
                write!(f, "in {}, line {line} ({name})", path.display())
            }
            Self::Environment { name } => write!(f, "in the environment ({name})"),
            Self::CommandLine { flag } => write!(f, "on the command line ({flag})"),
        }
    }
}
