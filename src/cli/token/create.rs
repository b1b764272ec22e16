//! `venom token create`: creates a token and prints it once.

use std::collections::BTreeSet;

use clap::Args;

use super::{TokenDatabase, failed, open};
use crate::access::TokenText;
use crate::cli::error::Error;
use crate::cli::output::print::{print, say};
use crate::config::Settings;
use crate::models::{Grant, Role};

const EXAMPLES: &str = "\
Examples:
  venom token create alice --role admin
  venom token create ci --role submit > ci.token
  venom token create thumbnails --role operate --processor thumbnail

Roles; each includes the ones before it:
  read     see tasks, events and the queue
  submit   submit tasks
  operate  pause, resume, purge, stop, abort, retry, reload; act as an external worker
  admin    delete, export, import

With --processor, which can be repeated, the token is restricted to tasks of these processors: it can read,
submit, claim and change no others.

The token is printed to stdout once; only its hash is stored.";

/// Create a token and print it.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TokenCreateArgs {
    /// Name the token's owner; audit entries show this name, which cannot be reused after a revocation
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    /// Grant this role: read, submit, operate or admin
    #[arg(long, value_name = "ROLE")]
    role: Role,
    /// Restrict the token to tasks of this processor; repeat the flag for several [default: all]
    #[arg(long = "processor", value_name = "NAME")]
    processors: Vec<String>,
    #[command(flatten)]
    database: TokenDatabase,
}

/// Prints the token, then stores its hash. A token that could not be printed is not created, and its name stays
/// free.
pub(crate) async fn run(create: &TokenCreateArgs) -> Result<(), Error> {
    let settings = create.database.settings()?;
    check(&create.processors, &settings)?;
    let processors: BTreeSet<_> = create.processors.iter().cloned().collect();
    let grant = Grant {
        name: create.name.as_str().into(),
        role: create.role,
        processors: (!processors.is_empty()).then_some(processors),
    };
    let token = TokenText::new().map_err(failed)?;
    let (mut store, _privileges) = open(&settings).await?;
    let (name, role) = (&grant.name, grant.role);
    let (listed, _) = store.list().await.map_err(failed)?;
    if listed.iter().any(|token| *token.name == **name) {
        return Err(taken(name));
    }
    hand_over(&token)?;
    let stored = store.create(&grant, &token.hash()).await;
    let stored =
        stored.map_err(|error| Error::Failed(format!("{error}; the printed token is invalid")));
    if !stored? {
        return Err(taken(name));
    }
    say(format_args!(
        "token {name} created with role {role}; it is not shown again"
    ));
    Ok(())
}

fn hand_over(token: &TokenText) -> Result<(), Error> {
    print(token.reveal()).map_err(|error| {
        let reason = match error {
            Error::StdoutClosed => "stdout is closed".to_owned(),
            other => other.to_string(),
        };
        Error::Failed(format!(
            "{reason}; no token was created, and its name is still free"
        ))
    })
}

/// Returns the error for a name in use. Another process may take the name even after the token was printed.
fn taken(name: &str) -> Error {
    Error::Failed(format!(
        "a token named {name} exists or was revoked, and names cannot be reused; choose another"
    ))
}

/// Rejects unknown processors: a token for a misspelt one could do nothing.
fn check(processors: &[String], settings: &Settings) -> Result<(), Error> {
    let known = &settings.processors;
    match processors.iter().find(|name| !known.contains_key(*name)) {
        None => Ok(()),
        Some(name) => {
            let known: Vec<_> = known.keys().map(String::as_str).collect();
            Err(Error::Usage(format!(
                "--processor: expected a processor of the settings ({}), found {name:?}",
                known.join(", ")
            )))
        }
    }
}

fn name(text: &str) -> Result<String, String> {
    let fits = |c: u8| c.is_ascii_alphanumeric() || b"_.-".contains(&c);
    match (1..=64).contains(&text.len()) && text.bytes().all(fits) {
        true => Ok(text.to_owned()),
        false => Err("expected 1 to 64 letters, digits, \"_\", \".\" and \"-\"".to_owned()),
    }
}
