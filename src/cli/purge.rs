//! `venom purge`: gives up every task that waits.

use std::io::{self, IsTerminal};

use clap::Args;

use super::error::Error;
use super::order::Order;
use super::output::say;

const EXAMPLES: &str = "\
Examples:
  venom purge
  venom purge --yes

Purged tasks are FAILED, with failure `purged`; they can still be read. Tasks that run go on.
It asks before it does so, if there is a terminal to ask at.";

/// Fail every task that waits.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Purge {
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    order: Order,
}

/// Asks, then gives the order.
pub(super) async fn run(purge: &Purge) -> Result<(), Error> {
    if !purge.yes && io::stdin().is_terminal() {
        let client = purge.order.client()?;
        let queue = client.get("/api/v1/queue/status").await?;
        let url = client.url();
        say(format_args!(
            "Fail all {} tasks that wait at {url}? [y/N]",
            queue["pending"]
        ));
        if !is_yes()? {
            return Err(Error::Failed("nothing was purged".to_owned()));
        }
    }
    purge.order.give("/api/v1/queue/purge", None).await
}

fn is_yes() -> Result<bool, Error> {
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Error::Failed(format!("cannot read the answer: {error}")))?;
    let answer = answer.trim();
    Ok(answer.eq_ignore_ascii_case("y") || answer.eq_ignore_ascii_case("yes"))
}
