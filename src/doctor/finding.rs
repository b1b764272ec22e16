//! One thing that was looked at, and how it is.

use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

/// How good or bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CheckState)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Ok,
    /// Worth knowing; the service works.
    Warn,
    /// It does not work, or will not for long.
    Fail,
}

/// What was found where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Finding {
    /// What was looked at.
    pub(crate) name: &'static str,
    pub(crate) state: State,
    pub(crate) message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) advice: Option<&'static str>,
}

impl Finding {
    pub(crate) fn ok(name: &'static str, message: impl fmt::Display) -> Self {
        Self::new(name, State::Ok, message)
    }

    pub(crate) fn warn(name: &'static str, message: impl fmt::Display) -> Self {
        Self::new(name, State::Warn, message)
    }

    pub(crate) fn fail(name: &'static str, message: impl fmt::Display) -> Self {
        Self::new(name, State::Fail, message)
    }

    /// The same with a word on what to do.
    pub(crate) fn advise(self, advice: &'static str) -> Self {
        Self {
            advice: Some(advice),
            ..self
        }
    }

    fn new(name: &'static str, state: State, message: impl fmt::Display) -> Self {
        Self {
            name,
            state,
            message: message.to_string(),
            advice: None,
        }
    }
}
