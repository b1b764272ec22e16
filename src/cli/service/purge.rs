//! `venom purge`: gives up every task that waits.

use clap::Args;

use super::queue_command::Order;
use crate::cli::error::Error;
use crate::cli::output::confirm::{confirm, must_ask};

const EXAMPLES: &str = "\
Examples:
  venom purge
  venom purge --yes

Purged tasks are FAILED, with failure `purged`; they can still be read. Tasks that run go on.
It asks before it does so. Where there is no terminal to ask at, it needs --yes.";

/// Fail every task that waits.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PurgeArgs {
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    order: Order,
}

/// Asks, then gives the order.
pub(crate) async fn run(purge: &PurgeArgs) -> Result<(), Error> {
    if must_ask(purge.yes, "a purge")? {
        let client = purge.order.client()?;
        let queue = client.get("/api/v1/queue/status").await?;
        let url = client.url();
        let question = format!("Fail all {} tasks that wait at {url}?", queue["pending"]);
        if !confirm(&question)? {
            return Err(Error::Failed("nothing was purged".to_owned()));
        }
    }
    purge.order.give("/api/v1/queue/purge", None).await
}
