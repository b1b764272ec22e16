//! `venom token list`: every token that was ever made.

use clap::Args;
use serde_json::json;

use super::{Place, failed};
use crate::cli::error::Error;
use crate::cli::output::print::{one_line, print, print_json, say};
use crate::cli::output::table::{table, wall_clock};
use crate::models::Token;

const EXAMPLES: &str = "\
Examples:
  venom token list
  venom token list --json | jq -r '.[] | select(.revoked_at == null) | .name'

When a token was used last is known to about a minute.";

/// Show the tokens, revoked ones too; never the secrets themselves.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TokenListArgs {
    /// Print a JSON list
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

/// Reads and prints.
pub(crate) async fn run(list: &TokenListArgs) -> Result<(), Error> {
    let (tokens, wrong) = match list.place.existing().await? {
        Some((mut store, _rights)) => store.list().await.map_err(failed)?,
        None => Default::default(),
    };
    for why in wrong {
        say(format_args!(
            "warning: {}; it lets nobody in",
            one_line(&why)
        ));
    }
    if list.json {
        return print_json(&json!(tokens));
    }
    let titles = [
        "NAME",
        "ROLE",
        "PROCESSORS",
        "CREATED",
        "LAST USED",
        "REVOKED",
    ];
    let rows: Vec<_> = [titles.map(str::to_owned).to_vec()]
        .into_iter()
        .chain(tokens.iter().map(row))
        .collect();
    print(&table(&rows))
}

fn row(token: &Token) -> Vec<String> {
    let processors = token.processors.as_ref().map(|names| {
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        one_line(&names.join(","))
    });
    let time = |time: &Option<String>| time.as_deref().map_or("-".to_owned(), wall_clock);
    vec![
        one_line(&token.name),
        token.role.to_string(),
        processors.unwrap_or_else(|| "all".to_owned()),
        wall_clock(&token.created_at),
        time(&token.last_used_at),
        time(&token.revoked_at),
    ]
}
