//! The token usage that a server reports. Pure.

use serde_json::Value;

/// The token counts, as far as the server reports them.
#[derive(Clone, Copy, Default)]
pub(crate) struct Usage {
    pub(crate) prompt_tokens: Option<u64>,
    pub(crate) completion_tokens: Option<u64>,
    total_tokens: Option<u64>,
}

impl Usage {
    pub(crate) fn of(counts: &Value) -> Self {
        Self {
            prompt_tokens: whole(&counts["prompt_tokens"]),
            completion_tokens: whole(&counts["completion_tokens"]),
            total_tokens: whole(&counts["total_tokens"]),
        }
    }

    pub(crate) fn total(&self) -> Option<u64> {
        let sum = || Some(self.prompt_tokens?.saturating_add(self.completion_tokens?));
        self.total_tokens.or_else(sum)
    }

    pub(crate) fn is_known(&self) -> bool {
        self.total()
            .or(self.prompt_tokens)
            .or(self.completion_tokens)
            .is_some()
    }
}

/// Returns a count, also where it is written as `3.0`.
fn whole(number: &Value) -> Option<u64> {
    let float = || {
        number
            .as_f64()
            .filter(|float| *float >= 0.0 && float.fract() == 0.0)
    };
    number
        .as_u64()
        .or_else(|| float().map(|float| float as u64))
}
