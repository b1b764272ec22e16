//! `venom reload`: the service reads its settings again.

use clap::Args;
use serde_json::Value;

use crate::cli::client::target::Target;
use crate::cli::error::Error;
use crate::cli::output::print::{one_line, print_json, say};

const EXAMPLES: &str = "\
Examples:
  venom reload
  venom reload --json | jq -r '.needs_restart[]'

A mistake in the settings changes nothing: every problem is named, and the exit code is 1.";

/// Take over changed settings without a restart.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ReloadArgs {
    /// Print the service's answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// Gives the order and says what changed, what waits for a restart, and what may be wrong.
pub(crate) async fn run(reload: &ReloadArgs) -> Result<(), Error> {
    let client = reload.target.client()?;
    let answer = client.post("/api/v1/reload", None).await?;
    if reload.json {
        return print_json(&answer);
    }
    say(client.message(&answer)?);
    for (name, words) in [
        ("applied", "applied"),
        ("needs_restart", "needs a restart"),
        ("warnings", "warning"),
    ] {
        for change in answer[name].as_array().into_iter().flatten() {
            say(format_args!("  {words}: {}", text(change)));
        }
    }
    Ok(())
}

fn text(change: &Value) -> String {
    match change.as_str() {
        Some(text) => one_line(text),
        None => change.to_string(),
    }
}
