//! `venom abort`: stops running tasks.

use clap::Args;
use reqwest::Method;

use super::task_selection::{TaskSelection, TaskVerb};
use crate::cli::error::Error;

const EXAMPLES: &str = "\
Examples:
  venom abort 0190a6e2-7b5c-7d20-9a3c-5f2e8b1d4c6a
  venom abort --processor summarise --dry-run

Aborted tasks are FAILED, with failure `aborted`. Only running tasks (PROCESSING) can be aborted. The exit
code is 1 if one of several ids was rejected. With a filter the command asks for confirmation; without a
terminal it needs --yes.";

/// Abort running tasks.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AbortArgs {
    /// Skip the confirmation
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    selection: TaskSelection,
}

/// Aborts the selected tasks.
pub(crate) async fn run(abort: &AbortArgs) -> Result<(), Error> {
    let verb = TaskVerb {
        name: "Abort",
        one: &|id| (Method::POST, format!("/api/v1/queue/task/{id}/abort")),
        done: "Task aborted.",
        many: (Method::POST, "/api/v1/tasks/abort"),
        parameter: None,
        confirmed: abort.yes,
    };
    abort.selection.apply(&verb).await
}
