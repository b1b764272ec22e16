//! `venom processors`: prints each processor with its limits, load and state.

use clap::Args;
use serde_json::Value;

use crate::cli::client::target::ServiceTarget;
use crate::cli::error::Error;
use crate::cli::output::print::{print, print_json};
use crate::cli::output::table::{first_words, local_time, table};

/// Characters of a name that are shown.
const NAME_CHARS: usize = 30;

const EXAMPLES: &str = "\
Examples:
  venom processors
  venom processors --json | jq -r '.[] | select(.paused) | .name'

Processors and their limits are defined in venom.toml; `venom reload` applies changes.";

/// List the processors with their limits and their load.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ProcessorsArgs {
    /// Print the answer of the service as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: ServiceTarget,
}

/// Fetches and prints the processors.
pub(crate) async fn run(processors: &ProcessorsArgs) -> Result<(), Error> {
    let client = processors.target.client()?;
    let answer = client.get("/api/v1/processors").await?;
    if processors.json {
        return print_json(&answer);
    }
    let list = answer.as_array().ok_or_else(|| client.not_a_service())?;
    let mut rows = vec![HEADERS.map(str::to_owned).to_vec()];
    rows.extend(list.iter().map(row));
    print(&table(&rows))
}

/// Column titles of [`row`].
pub(crate) const HEADERS: [&str; 7] = [
    "NAME", "KIND", "RUNNING", "LIMIT", "PENDING", "RATE", "STATE",
];

/// Returns a processor as a row under [`HEADERS`].
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
        state(processor),
    ]
}

/// Returns `active`, or the pause or rate limit that keeps the processor from starting tasks.
fn state(processor: &Value) -> String {
    if let Some(pause) = processor["paused"].as_object() {
        return match pause.get("until").and_then(Value::as_str) {
            Some(until) => format!("paused until {}", local_time(until)),
            None => "paused".to_owned(),
        };
    }
    match processor["rate_frees_at"].as_str() {
        Some(time) => format!("next start at {}", local_time(time)),
        None => "active".to_owned(),
    }
}
