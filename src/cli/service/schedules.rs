//! `venom schedules`: prints the schedules with their next and last runs.

use clap::Args;
use serde_json::Value;

use crate::cli::client::target::ServiceTarget;
use crate::cli::error::Error;
use crate::cli::output::print::{print, print_json, say};
use crate::cli::output::table::{first_words, local_time, table};

/// Characters of the content that are shown.
const CONTENT_CHARS: usize = 30;

const EXAMPLES: &str = "\
Examples:
  venom schedules
  venom schedules --json | jq -r '.[] | select(.enabled) | .name'

Schedules are defined in venom.toml; `venom reload` applies changes.";

/// List the schedules and their next runs.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SchedulesArgs {
    /// Print the answer of the service as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: ServiceTarget,
}

/// Fetches and prints the schedules.
pub(crate) async fn run(schedules: &SchedulesArgs) -> Result<(), Error> {
    let client = schedules.target.client()?;
    let answer = client.get("/api/v1/schedules").await?;
    if schedules.json {
        return print_json(&answer);
    }
    let list = answer.as_array().ok_or_else(|| client.not_a_service())?;
    if list.is_empty() {
        say("No schedules; define them in venom.toml as [schedules.NAME].");
        return Ok(());
    }
    let headers = ["NAME", "WHEN", "NEXT", "LAST", "PROCESSOR", "CONTENT"];
    let mut rows = vec![headers.map(str::to_owned).to_vec()];
    rows.extend(list.iter().map(row));
    print(&table(&rows))
}

fn row(schedule: &Value) -> Vec<String> {
    let text = |name: &str| schedule[name].as_str().unwrap_or("-");
    let time = |name: &str| {
        schedule[name]
            .as_str()
            .map_or_else(|| "-".to_owned(), local_time)
    };
    let next = match schedule["enabled"].as_bool() {
        Some(false) => "off".to_owned(),
        _ => time("next_run"),
    };
    vec![
        first_words(text("name"), CONTENT_CHARS),
        when(schedule),
        next,
        time("last_run"),
        text("processor").to_owned(),
        first_words(text("content"), CONTENT_CHARS),
    ]
}

/// `0 3 * * * Europe/Warsaw`, or `every 5m`.
fn when(schedule: &Value) -> String {
    let zone = schedule["timezone"].as_str().unwrap_or("UTC");
    match (schedule["cron"].as_str(), &schedule["every"]) {
        (Some(cron), _) => format!("{cron} {zone}"),
        (None, Value::Null) => "-".to_owned(),
        (None, Value::String(every)) => format!("every {every}"),
        (None, seconds) => format!("every {seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::when;

    #[test]
    fn cron_and_interval_are_shown_as_written() {
        let cron = json!({"cron": "0 3 * * *", "every": null, "timezone": "Europe/Warsaw"});
        assert_eq!(when(&cron), "0 3 * * * Europe/Warsaw");
        assert_eq!(when(&json!({"every": "5m", "timezone": "UTC"})), "every 5m");
        assert_eq!(when(&json!({"every": 90})), "every 90 s");
        assert_eq!(when(&json!({})), "-");
    }
}
