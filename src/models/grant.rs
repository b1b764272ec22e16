//! Roles, and the grant of a token. Plain data.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::UnknownName;

/// The role of a token. Each role includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Read tasks, events and the status of the queue.
    Read,
    /// Submit tasks.
    Submit,
    /// Pause, resume, purge, stop, abort, retry and reload; act as an outside worker.
    Operate,
    /// Delete, export, import.
    Admin,
}

/// The permissions of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// The name of the token, as it appears in the journal.
    pub(crate) name: Arc<str>,
    pub(crate) role: Role,
    /// The processors that it is restricted to; `None`: all.
    pub(crate) processors: Option<BTreeSet<String>>,
}

/// SHA-256 of a token.
pub(crate) type TokenHash = [u8; 32];

/// A token in a list, without its hash.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Token {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) processors: Option<BTreeSet<String>>,
    pub(crate) created_at: String,
    pub(crate) revoked_at: Option<String>,
    pub(crate) last_used_at: Option<String>,
}

impl Role {
    /// The name in the database and on the wire.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Submit => "submit",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let roles = [Self::Read, Self::Submit, Self::Operate, Self::Admin];
        let found = roles.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| UnknownName {
            expected: "read, submit, operate, admin",
            found: text.to_owned(),
        })
    }
}

impl Grant {
    /// Returns whether it includes tasks of this processor.
    pub(crate) fn covers(&self, processor: &str) -> bool {
        self.processors
            .as_ref()
            .is_none_or(|processors| processors.contains(processor))
    }

    /// Returns its processors, comma-separated; empty if it is not restricted.
    pub(crate) fn list(&self) -> String {
        let names: Vec<_> = self
            .processors
            .iter()
            .flatten()
            .map(String::as_str)
            .collect();
        names.join(", ")
    }
}
