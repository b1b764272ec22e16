//! `venom retry`: puts FAILED tasks back into the queue.

use clap::Args;
use reqwest::Method;

use super::task_selection::{TaskSelection, TaskVerb};
use crate::cli::error::Error;

const EXAMPLES: &str = "\
Examples:
  venom retry 0190a6e2-7b5c-7d20-9a3c-5f2e8b1d4c6a
  venom retry --failed --processor summarise --dry-run
  venom retry --failure timeout --since 2026-01-31T00:00:00Z
  venom retry --failure purged --now

A task that never started keeps its --delay or --at if that is still in the future; --now drops it.
Only FAILED tasks can be retried. The exit code is 1 if one of several ids was rejected.";

/// Retry FAILED tasks.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RetryArgs {
    #[command(flatten)]
    selection: TaskSelection,
    /// Ignore the --delay or --at of tasks that never started
    #[arg(long)]
    now: bool,
}

/// Retries the selected tasks.
pub(crate) async fn run(retry: &RetryArgs) -> Result<(), Error> {
    let verb = TaskVerb {
        name: "Retry",
        one: &|id| {
            let query = if retry.now { "?now=true" } else { "" };
            (Method::POST, format!("/api/v1/tasks/{id}/retry{query}"))
        },
        done: "Task queued again.",
        many: (Method::POST, "/api/v1/tasks/retry"),
        parameter: retry.now.then_some(("now", "true")),
        confirmed: true,
    };
    retry.selection.apply(&verb).await
}
