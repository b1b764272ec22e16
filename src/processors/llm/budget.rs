//! The token budget of a minute: a token returns a minute after it was spent. The use is known only afterwards, so
//! the budget can be overdrawn; then it stays empty for as long as that takes. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);

/// Recent uses, oldest first.
pub(crate) struct TokenBudget {
    per_minute: Option<u64>,
    spent: VecDeque<(Instant, u64)>,
}

impl TokenBudget {
    /// Creates a full budget; without a number it is unlimited.
    pub(crate) fn new(per_minute: Option<u64>) -> Self {
        Self {
            per_minute,
            spent: VecDeque::new(),
        }
    }

    /// Spends tokens, even beyond the budget.
    pub(crate) fn spend(&mut self, now: Instant, tokens: u64) {
        if self.per_minute.is_some() {
            self.spent.push_back((now, tokens));
        }
    }

    /// Returns how long until a token is available; `None` if one is.
    pub(crate) fn frees_in(&mut self, now: Instant) -> Option<Duration> {
        let per_minute = self.per_minute?;
        self.spent.retain(|(at, _)| *at + MINUTE > now);
        let spent = self.spent.iter().map(|(_, tokens)| *tokens);
        let mut out = spent.fold(0, u64::saturating_add);
        let mut frees_in = None;
        for (at, tokens) in &self.spent {
            if out < per_minute {
                break;
            }
            out = out.saturating_sub(*tokens);
            frees_in = Some(*at + MINUTE - now);
        }
        frees_in
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a number of seconds.
    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn tokens_come_back_a_minute_after_they_were_spent() {
        let start = Instant::now();
        let at = |seconds| start + s(seconds);
        let mut budget = TokenBudget::new(Some(100));
        assert_eq!(budget.frees_in(at(0)), None);
        budget.spend(at(0), 60);
        assert_eq!(budget.frees_in(at(1)), None);
        budget.spend(at(10), 40);
        assert_eq!(budget.frees_in(at(11)), Some(s(49)));
        assert_eq!(budget.frees_in(at(60)), None);
    }

    #[test]
    fn what_was_overdrawn_is_waited_for() {
        let start = Instant::now();
        let at = |seconds| start + s(seconds);
        let mut budget = TokenBudget::new(Some(100));
        budget.spend(at(0), 50);
        budget.spend(at(5), 500);
        assert_eq!(budget.frees_in(at(6)), Some(s(59)));
        assert_eq!(budget.frees_in(at(64)), Some(s(1)));
        assert_eq!(budget.frees_in(at(65)), None);
    }

    #[test]
    fn without_a_limit_nothing_is_remembered() {
        let mut budget = TokenBudget::new(None);
        budget.spend(Instant::now(), u64::MAX);
        assert_eq!(budget.frees_in(Instant::now()), None);
        assert!(budget.spent.is_empty());
    }
}
