//! `venom token create`: a new token, shown once.

use std::collections::BTreeSet;

use clap::Args;

use super::{Place, failed, open};
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

Roles, each with all that those before it may:
  read     see tasks, events and the queue
  submit   submit tasks
  operate  pause, resume, purge, stop, abort, retry, reload; work as an outside worker
  admin    delete, export, import

With --processor, which may be given several times, the token is for the tasks of these processors
alone: it sees, submits, fetches and changes no others.

The token is the only thing on stdout, and shown this once: only its hash is stored.";

/// Make a token and print it.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TokenCreateArgs {
    /// Who or what it is for; the journal has this name. It is given once, also after a revocation
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    /// What it may do: read, submit, operate or admin
    #[arg(long, value_name = "ROLE")]
    role: Role,
    /// Only for tasks of this processor; several are allowed [default: all]
    #[arg(long = "processor", value_name = "NAME")]
    processors: Vec<String>,
    #[command(flatten)]
    place: Place,
}

/// Prints the token, then stores its hash: one that could not be handed over is none, and its name stays free.
pub(crate) async fn run(create: &TokenCreateArgs) -> Result<(), Error> {
    let settings = create.place.settings()?;
    check(&create.processors, &settings)?;
    let processors: BTreeSet<_> = create.processors.iter().cloned().collect();
    let grant = Grant {
        name: create.name.as_str().into(),
        role: create.role,
        processors: (!processors.is_empty()).then_some(processors),
    };
    let token = TokenText::new().map_err(failed)?;
    let (mut store, _rights) = open(&settings).await?;
    let (name, role) = (&grant.name, grant.role);
    let (listed, _) = store.list().await.map_err(failed)?;
    if listed.iter().any(|token| *token.name == **name) {
        return Err(taken(name));
    }
    hand_over(&token)?;
    let stored = store.create(&grant, &token.hash()).await;
    let stored = stored.map_err(|error| {
        Error::Failed(format!(
            "{error}; the token that was printed is worth nothing"
        ))
    });
    if !stored? {
        return Err(taken(name));
    }
    say(format_args!(
        "the token {name} has the role {role}; it is shown this once"
    ));
    Ok(())
}

fn hand_over(token: &TokenText) -> Result<(), Error> {
    print(token.reveal()).map_err(|error| {
        let reason = match error {
            Error::ReaderGone => "nobody reads stdout".to_owned(),
            other => other.to_string(),
        };
        Error::Failed(format!("{reason}; no token was made, and its name is free"))
    })
}

/// Also said of a token that was printed, if another process has taken the name meanwhile.
fn taken(name: &str) -> Error {
    Error::Failed(format!(
        "there is or was a token {name} already, and a name is given once; choose another"
    ))
}

/// A misspelt processor would make a token that is good for nothing.
fn check(processors: &[String], settings: &Settings) -> Result<(), Error> {
    let known = &settings.processors;
    match processors.iter().find(|name| !known.contains_key(*name)) {
        None => Ok(()),
        Some(name) => {
            let known: Vec<_> = known.keys().map(String::as_str).collect();
            Err(Error::Usage(format!(
                "--processor: expected one that is in the settings ({}), found {name:?}",
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
