//! The statuses of a task and the kinds of failure. Plain data.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The status of a task.
///
/// A task that is scheduled or retried later is `Pending` with `run_at` in the future.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum TaskStatus {
    Pending,
    Processing,
    Completed,
    Failed,
}

/// Why a task is `FAILED`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The processor reported an error.
    Error,
    /// The attempt exceeded its time limit.
    Timeout,
    /// An operator aborted it while it was running.
    Aborted,
    /// It was PENDING when the queue was purged.
    Purged,
    /// It was running at an emergency stop.
    EmergencyStop,
    /// The service crashed three times while it was running.
    Lost,
    /// One of its dependencies has FAILED.
    Upstream,
}

/// A name outside of a fixed set. The message lists the set.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected one of {expected}, found {found:?}")]
pub struct UnknownName {
    pub(crate) expected: &'static str,
    pub(crate) found: String,
}

impl TaskStatus {
    /// The name in the database and on the wire.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Processing => "PROCESSING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
        }
    }

    /// Returns whether the task is finished.
    pub(crate) const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

impl Failure {
    /// All kinds, in the order of their declaration.
    pub const ALL: [Self; 7] = [
        Self::Error,
        Self::Timeout,
        Self::Aborted,
        Self::Purged,
        Self::EmergencyStop,
        Self::Lost,
        Self::Upstream,
    ];

    /// The name in the database and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::Aborted => "aborted",
            Self::Purged => "purged",
            Self::EmergencyStop => "emergency_stop",
            Self::Lost => "lost",
            Self::Upstream => "upstream",
        }
    }
}

impl fmt::Display for TaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TaskStatus {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "PENDING" => Ok(Self::Pending),
            "PROCESSING" => Ok(Self::Processing),
            "COMPLETED" => Ok(Self::Completed),
            "FAILED" => Ok(Self::Failed),
            other => Err(UnknownName {
                expected: "PENDING, PROCESSING, COMPLETED, FAILED",
                found: other.to_owned(),
            }),
        }
    }
}

impl FromStr for Failure {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "error" => Ok(Self::Error),
            "timeout" => Ok(Self::Timeout),
            "aborted" => Ok(Self::Aborted),
            "purged" => Ok(Self::Purged),
            "emergency_stop" => Ok(Self::EmergencyStop),
            "lost" => Ok(Self::Lost),
            "upstream" => Ok(Self::Upstream),
            other => Err(UnknownName {
                expected: "error, timeout, aborted, purged, emergency_stop, lost, upstream",
                found: other.to_owned(),
            }),
        }
    }
}
