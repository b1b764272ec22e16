//! `venom token revoke`: a token that is worth nothing any more.

use clap::Args;

use super::{Place, failed};
use crate::cli::error::Error;
use crate::cli::output::print::say;

const EXAMPLES: &str = "\
Examples:
  venom token revoke ci

A running service refuses it within a second or so, and ends the streams it has opened.";

/// Make a token worthless, for good.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TokenRevokeArgs {
    /// The token's name
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Place,
}

/// Stores it.
pub(crate) async fn run(revoke: &TokenRevokeArgs) -> Result<(), Error> {
    let name = &revoke.name;
    let revoked = match revoke.place.existing().await? {
        Some((mut store, _rights)) => store.revoke(name).await.map_err(failed)?,
        None => false,
    };
    if !revoked {
        return Err(Error::Failed(format!(
            "there is no valid token {name}; `venom token list` shows all"
        )));
    }
    say(format_args!("the token {name} is revoked"));
    Ok(())
}
