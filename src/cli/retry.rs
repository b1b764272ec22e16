//! `venom retry`: tasks that FAILED wait again.

use clap::Args;
use reqwest::Method;

use super::chosen::{Chosen, Verb};
use super::error::Error;

const EXAMPLES: &str = "\
Examples:
  venom retry 0190a6e2-7b5c-7d20-9a3c-5f2e8b1d4c6a
  venom retry --failed --processor summarise --dry-run
  venom retry --failure timeout --since 2026-01-31T00:00:00Z

Only tasks that FAILED can be retried. The exit code is 1 if one of several ids was refused.";

/// Let tasks that FAILED run again.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Retry {
    #[command(flatten)]
    chosen: Chosen,
}

/// Gives the orders.
pub(super) async fn run(retry: &Retry) -> Result<(), Error> {
    let verb = Verb {
        name: "Retry",
        one: &|id| (Method::POST, format!("/api/v1/tasks/{id}/retry")),
        done: "The task waits again.",
        many: (Method::POST, "/api/v1/tasks/retry"),
        asks: false,
    };
    retry.chosen.apply(&verb).await
}
