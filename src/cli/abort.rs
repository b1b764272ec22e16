//! `venom abort`: stops one task that runs.

use clap::Args;

use super::error::Error;
use super::order::Order;
use crate::models::TaskId;

const EXAMPLES: &str = "\
Example:
  venom abort 0190a6e2-7b5c-7d20-9a3c-5f2e8b1d4c6a

The task is FAILED, with failure `aborted`. One that waits does not run and cannot be aborted.";

/// Stop a task that runs.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Abort {
    /// The task's id
    #[arg(value_name = "ID")]
    id: TaskId,
    #[command(flatten)]
    order: Order,
}

/// Gives the order.
pub(super) async fn run(abort: &Abort) -> Result<(), Error> {
    let path = format!("/api/v1/queue/task/{}/abort", abort.id);
    abort.order.give(&path, None).await
}
