//! `venom retry`: tasks that FAILED wait again.

use clap::Args;
use reqwest::Method;

use super::task_selection::{Chosen, Verb};
use crate::cli::error::Error;

const EXAMPLES: &str = "\
Examples:
  venom retry 0190a6e2-7b5c-7d20-9a3c-5f2e8b1d4c6a
  venom retry --failed --processor summarise --dry-run
  venom retry --failure timeout --since 2026-01-31T00:00:00Z
  venom retry --failure purged --now

A task that never began keeps the time that it was given with --delay or --at, if that lies ahead.
Only tasks that FAILED can be retried. The exit code is 1 if one of several ids was refused.";

/// Let tasks that FAILED run again.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RetryArgs {
    #[command(flatten)]
    chosen: Chosen,
    /// Start at once also what never began and was submitted for a later time
    #[arg(long)]
    now: bool,
}

/// Gives the orders.
pub(crate) async fn run(retry: &RetryArgs) -> Result<(), Error> {
    let verb = Verb {
        name: "Retry",
        one: &|id| {
            let query = if retry.now { "?now=true" } else { "" };
            (Method::POST, format!("/api/v1/tasks/{id}/retry{query}"))
        },
        done: "The task waits again.",
        many: (Method::POST, "/api/v1/tasks/retry"),
        with: retry.now.then_some(("now", "true")),
        yes: true,
    };
    retry.chosen.apply(&verb).await
}
