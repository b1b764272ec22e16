//! `venom delete`: deletes finished tasks with their logs.

use clap::Args;
use reqwest::Method;

use super::task_selection::{TaskSelection, TaskVerb};
use crate::cli::error::Error;

const EXAMPLES: &str = "\
Examples:
  venom delete 0190a6e2-7b5c-7d20-9a3c-5f2e8b1d4c6a
  venom delete --status completed --until 2026-01-01T00:00:00Z --dry-run
  venom delete --tag test --yes

Only finished tasks can be deleted; `venom abort` stops a running one. The exit code is 1 if one of several
ids was rejected. With a filter the command asks for confirmation; without a terminal it needs --yes.";

/// Delete finished tasks with their logs.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DeleteArgs {
    /// Skip the confirmation
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    selection: TaskSelection,
}

/// Deletes the selected tasks.
pub(crate) async fn run(delete: &DeleteArgs) -> Result<(), Error> {
    let verb = TaskVerb {
        name: "Delete",
        one: &|id| (Method::DELETE, format!("/api/v1/tasks/{id}")),
        done: "Task deleted.",
        many: (Method::DELETE, "/api/v1/tasks"),
        parameter: None,
        confirmed: delete.yes,
    };
    delete.selection.apply(&verb).await
}
