//! `venom reload`: the running service reloads its configuration.

use clap::Args;
use serde_json::Value;

use crate::cli::client::target::ServiceTarget;
use crate::cli::error::Error;
use crate::cli::output::print::{one_line, print_json, say};

const EXAMPLES: &str = "\
Examples:
  venom reload
  venom reload --json | jq -r '.needs_restart[]'

If the settings have a mistake, nothing changes: every problem is printed, and the exit code is 1.";

/// Reload the configuration without a restart.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ReloadArgs {
    /// Print the answer of the service as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: ServiceTarget,
}

/// Sends the command and prints applied settings, settings that need a restart, and warnings.
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
