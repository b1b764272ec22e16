//! `venom token list`: prints every token, including revoked ones.

use clap::Args;
use serde_json::json;

use super::{TokenDatabase, failed};
use crate::cli::error::Error;
use crate::cli::output::print::{one_line, print, print_json, say};
use crate::cli::output::table::{local_time, table};
use crate::models::Token;

const EXAMPLES: &str = "\
Examples:
  venom token list
  venom token list --json | jq -r '.[] | select(.revoked_at == null) | .name'

The time of last use is exact to about a minute.";

/// List the tokens, including revoked ones; never their secrets.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TokenListArgs {
    /// Print the tokens as a JSON list
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: TokenDatabase,
}

/// Reads and prints the tokens.
pub(crate) async fn run(list: &TokenListArgs) -> Result<(), Error> {
    let (tokens, wrong) = match list.database.existing().await? {
        Some((mut store, _privileges)) => store.list().await.map_err(failed)?,
        None => Default::default(),
    };
    for why in wrong {
        say(format_args!(
            "warning: {}; this token is ignored",
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
    let time = |time: &Option<String>| time.as_deref().map_or("-".to_owned(), local_time);
    vec![
        one_line(&token.name),
        token.role.to_string(),
        processors.unwrap_or_else(|| "all".to_owned()),
        local_time(&token.created_at),
        time(&token.last_used_at),
        time(&token.revoked_at),
    ]
}
