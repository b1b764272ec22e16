//! The error of a command, and its exit code.

use std::io;
use std::process::ExitCode;

use crate::config;

/// Why a command failed. Its text is one sentence for the person at the terminal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The command line, or an environment variable in place of a flag, is wrong.
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Failed(String),
    /// No service answered, or the connection was lost. Another attempt may succeed.
    #[error("{0}")]
    Unreachable(String),
    /// The reader of stdout has closed it (`| head`). The command ends with exit code 0.
    #[error("stdout is closed")]
    StdoutClosed,
    /// The reason is in the log already.
    #[error("see the log")]
    Logged,
    /// The reason was printed already.
    #[error("the reason was printed")]
    Reported,
}

impl Error {
    /// Returns the error for a failed write to stdout.
    pub(crate) fn of_stdout(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::StdoutClosed,
            _ => Self::Failed(format!("cannot write to stdout: {error}")),
        }
    }

    /// Returns true if nothing is left to print.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self, Self::StdoutClosed | Self::Logged | Self::Reported)
    }

    /// Returns 1 for a failure and 2 for wrong usage; 0 if only stdout was closed.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::StdoutClosed => ExitCode::SUCCESS,
            Self::Failed(_) | Self::Unreachable(_) | Self::Logged | Self::Reported => {
                ExitCode::FAILURE
            }
            Self::Usage(_) => ExitCode::from(2),
        }
    }
}

impl From<config::Error> for Error {
    fn from(error: config::Error) -> Self {
        match error.is_usage() {
            true => Self::Usage(error.to_string()),
            false => Self::Failed(error.to_string()),
        }
    }
}
