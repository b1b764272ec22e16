//! The result of one check.

use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CheckState {
    Ok,
    /// The service works, but something needs attention.
    Warn,
    /// The service does not work, or will soon fail.
    Fail,
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Finding {
    /// The name of the check.
    pub(crate) name: &'static str,
    pub(crate) state: CheckState,
    pub(crate) message: String,
    /// What the operator should do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) advice: Option<&'static str>,
}

impl Finding {
    pub(crate) fn ok(name: &'static str, message: impl fmt::Display) -> Self {
        Self::new(name, CheckState::Ok, message)
    }

    pub(crate) fn warn(name: &'static str, message: impl fmt::Display) -> Self {
        Self::new(name, CheckState::Warn, message)
    }

    pub(crate) fn fail(name: &'static str, message: impl fmt::Display) -> Self {
        Self::new(name, CheckState::Fail, message)
    }

    /// Adds what the operator should do.
    pub(crate) fn advise(self, advice: &'static str) -> Self {
        Self {
            advice: Some(advice),
            ..self
        }
    }

    fn new(name: &'static str, state: CheckState, message: impl fmt::Display) -> Self {
        Self {
            name,
            state,
            message: message.to_string(),
            advice: None,
        }
    }
}
