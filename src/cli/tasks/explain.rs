//! `venom explain`: prints why a task is not running.

use clap::Args;

use crate::cli::client::target::ServiceTarget;
use crate::cli::error::Error;
use crate::cli::output::print::{one_line, print, print_json};
use crate::models::TaskId;

const EXAMPLES: &str = "\
Examples:
  venom explain 0190a6e2-7b5c-7d20-9a3c-5f2e8b1d4c6a
  venom explain --json 0190a6e2-7b5c-7d20-9a3c-5f2e8b1d4c6a | jq '.reasons[].type'";

/// Explain why a task is not running: a pause, a limit, its schedule, a dependency.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExplainArgs {
    /// Id of the task
    #[arg(value_name = "ID")]
    id: TaskId,
    /// Print the answer of the service as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: ServiceTarget,
}

/// Fetches and prints the explanation.
pub(crate) async fn run(explain: &ExplainArgs) -> Result<(), Error> {
    let client = explain.target.client()?;
    let path = format!("/api/v1/tasks/{}/explain", explain.id);
    let answer = client.get_object(&path).await?;
    match explain.json {
        true => print_json(&answer),
        false => {
            let message = answer["message"].as_str();
            print(&one_line(message.unwrap_or("Nothing blocks the task.")))
        }
    }
}
