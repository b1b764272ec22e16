//! `venom token`: creates, lists and revokes tokens in the database file, whether a service runs or not. A running
//! service notices a change within about a second.

mod create;
mod list;
mod revoke;
mod whoami;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::error::Error;
use crate::cli::local::drop_privileges::OwnerPrivileges;
use crate::cli::runtime::on_one_thread;
use crate::config::{Overrides, Settings, Sources};
use crate::state::TokenStore;

const EXAMPLES: &str = "\
Examples:
  venom token create ci --role submit
  venom token create thumbnails --role operate --processor thumbnail
  venom token list
  venom token revoke ci
  venom token whoami

The setting `auth` decides whether a service requires authentication: on loopback it does not, unless set to
`required`. Commands send the token of --token-file, VENOM_TOKEN or VENOM_TOKEN_FILE.";

/// Create, list and revoke the tokens that authenticate clients
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    Create(create::TokenCreateArgs),
    List(list::TokenListArgs),
    Revoke(revoke::TokenRevokeArgs),
    Whoami(whoami::WhoamiArgs),
}

/// Flags that name the database with the tokens.
#[derive(Args, Debug)]
struct TokenDatabase {
    /// Use this database file [env: VENOM_DATABASE_PATH] [default: ./data/venom.db]
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// Read the service's settings from this file [env: VENOM_CONFIG] [default: ./venom.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl TokenDatabase {
    fn settings(&self) -> Result<Settings, Error> {
        let sources = Sources {
            config_file: self.config.clone(),
            overrides: Overrides {
                database_path: self.database.clone(),
                ..Overrides::default()
            },
            ..Sources::from_process()
        };
        Ok(Settings::load(&sources)?.settings)
    }

    /// Opens the tokens of the database; `None` without a database.
    async fn existing(&self) -> Result<Option<(TokenStore, OwnerPrivileges)>, Error> {
        let settings = self.settings()?;
        match settings.database_path.exists() {
            true => open(&settings).await.map(Some),
            false => Ok(None),
        }
    }
}

/// Opens the tokens, and keeps the owner's privileges as long as they are open.
async fn open(settings: &Settings) -> Result<(TokenStore, OwnerPrivileges), Error> {
    let rights = OwnerPrivileges::of(&settings.database_path)?;
    let opened = TokenStore::open(&settings.database_path).await;
    let store = opened.map_err(|error| Error::Failed(error.to_string()))?;
    Ok((store, rights))
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Failed(error.to_string())
}

/// Runs the subcommand.
pub(crate) fn run(token: &TokenArgs) -> Result<(), Error> {
    match &token.command {
        TokenCommand::Create(create) => on_one_thread(create::run(create)),
        TokenCommand::List(list) => on_one_thread(list::run(list)),
        TokenCommand::Revoke(revoke) => on_one_thread(revoke::run(revoke)),
        TokenCommand::Whoami(whoami) => on_one_thread(whoami::run(whoami)),
    }
}
