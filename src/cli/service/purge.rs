//! `venom purge`: fails every PENDING task.

use clap::Args;

use super::queue_command::QueueCommandArgs;
use crate::cli::error::Error;
use crate::cli::output::confirm::{confirm, must_ask};

const EXAMPLES: &str = "\
Examples:
  venom purge
  venom purge --yes

Purged tasks are FAILED, with failure `purged`; they can still be read and retried. Running tasks continue.
The command asks for confirmation; without a terminal it needs --yes.";

/// Fail all PENDING tasks.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PurgeArgs {
    /// Skip the confirmation
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    command: QueueCommandArgs,
}

/// Asks for confirmation, then sends the command.
pub(crate) async fn run(purge: &PurgeArgs) -> Result<(), Error> {
    if must_ask(purge.yes, "a purge")? {
        let client = purge.command.client()?;
        let queue = client.get("/api/v1/queue/status").await?;
        let url = client.url();
        let question = format!("Fail all {} PENDING tasks at {url}?", queue["pending"]);
        if !confirm(&question)? {
            return Err(Error::Failed("cancelled; no task was purged".to_owned()));
        }
    }
    purge.command.send("/api/v1/queue/purge", None).await
}
