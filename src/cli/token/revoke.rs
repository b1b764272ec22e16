//! `venom token revoke`: invalidates a token.

use clap::Args;

use super::{TokenDatabase, failed};
use crate::cli::error::Error;
use crate::cli::output::print::say;

const EXAMPLES: &str = "\
Examples:
  venom token revoke ci

A running service rejects the token within about a second, and closes the streams it has opened.";

/// Revoke a token permanently.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TokenRevokeArgs {
    /// Name of the token
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    database: TokenDatabase,
}

/// Stores the revocation.
pub(crate) async fn run(revoke: &TokenRevokeArgs) -> Result<(), Error> {
    let name = &revoke.name;
    let revoked = match revoke.database.existing().await? {
        Some((mut store, _privileges)) => store.revoke(name).await.map_err(failed)?,
        None => false,
    };
    if !revoked {
        return Err(Error::Failed(format!(
            "no valid token is named {name}; `venom token list` shows all"
        )));
    }
    say(format_args!("token {name} revoked"));
    Ok(())
}
