//! `venom token`: who may use the service. Works on the database itself, whether a service runs on it or
//! not; one that runs knows within a second or so.

mod create;
mod list;
mod revoke;
mod whoami;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::error::Error;
use crate::cli::local::drop_privileges::AsOwner;
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

Whether a service asks for tokens is its setting `auth`: on loopback it does not, unless it is
`required`. A command sends the token of --token-file, VENOM_TOKEN or VENOM_TOKEN_FILE.";

/// Make, list and revoke the tokens by which the service knows who asks
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

/// Which database is meant.
#[derive(Args, Debug)]
struct Place {
    /// Database of the service [env: VENOM_DATABASE_PATH] [default: ./data/venom.db]
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// Settings of the service [env: VENOM_CONFIG] [default: ./venom.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Place {
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

    /// The tokens of the database; `None` if there is no database.
    async fn existing(&self) -> Result<Option<(TokenStore, AsOwner)>, Error> {
        let settings = self.settings()?;
        match settings.database_path.exists() {
            true => open(&settings).await.map(Some),
            false => Ok(None),
        }
    }
}

/// The tokens, and the rights that are needed as long as they are open.
async fn open(settings: &Settings) -> Result<(TokenStore, AsOwner), Error> {
    let rights = AsOwner::of(&settings.database_path)?;
    let opened = TokenStore::open(&settings.database_path).await;
    let store = opened.map_err(|error| Error::Failed(error.to_string()))?;
    Ok((store, rights))
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Failed(error.to_string())
}

/// Does what the command says.
pub(crate) fn run(token: &TokenArgs) -> Result<(), Error> {
    match &token.command {
        TokenCommand::Create(create) => on_one_thread(create::run(create)),
        TokenCommand::List(list) => on_one_thread(list::run(list)),
        TokenCommand::Revoke(revoke) => on_one_thread(revoke::run(revoke)),
        TokenCommand::Whoami(whoami) => on_one_thread(whoami::run(whoami)),
    }
}
