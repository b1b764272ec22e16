//! `venom abort`: stops tasks that run.

use clap::Args;
use reqwest::Method;

use super::task_selection::{Chosen, Verb};
use crate::cli::error::Error;

const EXAMPLES: &str = "\
Examples:
  venom abort 0190a6e2-7b5c-7d20-9a3c-5f2e8b1d4c6a
  venom abort --processor summarise --dry-run

The tasks are FAILED, with failure `aborted`. One that waits does not run and cannot be aborted. The exit
code is 1 if one of several ids was refused. With a filter it asks first, and where there is no terminal to
ask at, it needs --yes.";

/// Stop tasks that run.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AbortArgs {
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    chosen: Chosen,
}

/// Gives the orders.
pub(crate) async fn run(abort: &AbortArgs) -> Result<(), Error> {
    let verb = Verb {
        name: "Abort",
        one: &|id| (Method::POST, format!("/api/v1/queue/task/{id}/abort")),
        done: "Task aborted.",
        many: (Method::POST, "/api/v1/tasks/abort"),
        with: None,
        yes: abort.yes,
    };
    abort.chosen.apply(&verb).await
}
