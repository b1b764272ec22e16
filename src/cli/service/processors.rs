//! `venom processors`: what each processor does at this moment, and how much it may do.

use clap::Args;
use serde_json::Value;

use crate::cli::client::target::Target;
use crate::cli::error::Error;
use crate::cli::output::print::{print, print_json};
use crate::cli::output::table::{first_words, table, wall_clock};

/// Characters of a name that are shown.
const NAME_CHARS: usize = 30;

const EXAMPLES: &str = "\
Examples:
  venom processors
  venom processors --json | jq -r '.[] | select(.paused) | .name'

Processors and their limits are kept in venom.toml; `venom reload` takes over what was changed there.";

/// List the processors, with their limits and what they do now.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ProcessorsArgs {
    /// Print the service's answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// Asks and prints.
pub(crate) async fn run(processors: &ProcessorsArgs) -> Result<(), Error> {
    let client = processors.target.client()?;
    let answer = client.get("/api/v1/processors").await?;
    if processors.json {
        return print_json(&answer);
    }
    let list = answer.as_array().ok_or_else(|| client.not_a_service())?;
    let mut rows = vec![HEADS.map(str::to_owned).to_vec()];
    rows.extend(list.iter().map(row));
    print(&table(&rows))
}

/// What a row says of a processor.
pub(crate) const HEADS: [&str; 7] = [
    "NAME", "KIND", "RUNNING", "AT MOST", "WAITING", "RATE", "STATE",
];

/// A processor as a row under [`HEADS`].
pub(crate) fn row(processor: &Value) -> Vec<String> {
    let word = |name: &str| match &processor[name] {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        number => number.to_string(),
    };
    vec![
        first_words(&word("name"), NAME_CHARS),
        word("kind"),
        word("running"),
        word("concurrency"),
        word("pending"),
        word("rate"),
        condition(processor),
    ]
}

/// `starts tasks`, or what keeps it from that.
fn condition(processor: &Value) -> String {
    if let Some(pause) = processor["paused"].as_object() {
        return match pause.get("until").and_then(Value::as_str) {
            Some(until) => format!("paused until {}", wall_clock(until)),
            None => "paused".to_owned(),
        };
    }
    match processor["rate_frees_at"].as_str() {
        Some(time) => format!("next start at {}", wall_clock(time)),
        None => "starts tasks".to_owned(),
    }
}
