//! How a command ends when it does not end well, and the exit code of each way.

use std::io;
use std::process::ExitCode;

use crate::config;

/// Why a command did not do what it was asked for. Its text is one sentence for a person.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The command line, or a variable that stands for a flag, makes no sense.
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Failed(String),
    /// No service answered, or not to the end: trying again later may help.
    #[error("{0}")]
    Unreachable(String),
    /// Whoever read stdout has enough (`| head`): no error to speak of.
    #[error("nobody reads stdout any more")]
    ReaderGone,
    /// The reason stands in the log already.
    #[error("the log says why")]
    Logged,
    /// The reason was said already.
    #[error("the reason was said")]
    Said,
}

impl Error {
    /// What went wrong with writing to stdout.
    pub(crate) fn of_stdout(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ReaderGone,
            _ => Self::Failed(format!("cannot write to stdout: {error}")),
        }
    }

    /// Whether there is something left to say.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self, Self::ReaderGone | Self::Logged | Self::Said)
    }

    /// 0 done, 1 failed, 2 wrong usage.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::ReaderGone => ExitCode::SUCCESS,
            Self::Failed(_) | Self::Unreachable(_) | Self::Logged | Self::Said => ExitCode::FAILURE,
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
