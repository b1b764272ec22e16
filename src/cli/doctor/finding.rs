//! One thing that was looked at, and how it is.

use std::fmt;

use serde::Serialize;

use crate::cli::output::one_line;

/// How good or bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Ok,
    /// Worth knowing; the service works.
    Warning,
    /// It does not work, or will not for long.
    Problem,
}

/// What was found where.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub check: &'static str,
    pub level: Level,
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<&'static str>,
}

impl Finding {
    pub fn ok(check: &'static str, message: impl fmt::Display) -> Self {
        Self::new(check, Level::Ok, message)
    }

    pub fn warning(check: &'static str, message: impl fmt::Display) -> Self {
        Self::new(check, Level::Warning, message)
    }

    pub fn problem(check: &'static str, message: impl fmt::Display) -> Self {
        Self::new(check, Level::Problem, message)
    }

    /// The same with a word on what to do.
    pub fn advise(self, advice: &'static str) -> Self {
        Self {
            advice: Some(advice),
            ..self
        }
    }

    fn new(check: &'static str, level: Level, message: impl fmt::Display) -> Self {
        Self {
            check,
            level,
            message: message.to_string(),
            advice: None,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Problem => "problem",
        };
        write!(
            f,
            "{level:<8} {:<12} {}",
            self.check,
            one_line(&self.message)
        )?;
        match self.advice {
            Some(advice) => write!(f, "; {advice}"),
            None => Ok(()),
        }
    }
}
