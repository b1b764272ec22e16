//! `venom hive status`: prints the connection to Redis, the queues in it, and this service's jobs.

use clap::Args;
use serde_json::Value;

use crate::cli::client::target::ServiceTarget;
use crate::cli::error::Error;
use crate::cli::output::print::{one_line, print, print_json};
use crate::cli::service::status;

const EXAMPLES: &str = "\
Examples:
  venom hive status
  venom hive status --json | jq .queues.high.length

In flight, completed and failed count the jobs of this service; the last two since its start.";

/// Show the connection to Redis, the length of its queues, and this service's jobs.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct HiveStatusArgs {
    /// Print the answer of the service as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: ServiceTarget,
}

/// Fetches and prints the status.
pub(crate) async fn run(status: &HiveStatusArgs) -> Result<(), Error> {
    let client = status.target.client()?;
    let hive = client.get_object("/api/v1/hive/status").await?;
    match status.json {
        true => print_json(&hive),
        false => print(&table(client.url(), &hive)),
    }
}

fn table(url: &str, hive: &Value) -> String {
    let number = |number: &Value| match number {
        Value::Null => "unknown".to_owned(),
        number => number.to_string(),
    };
    let queue = |queue: &Value| {
        let name = one_line(queue["name"].as_str().unwrap_or("-"));
        format!("{} in {name}", number(&queue["length"]))
    };
    let queues = &hive["queues"];
    let rows = [
        ("service", url.to_owned()),
        ("redis", status::hive(hive).unwrap_or_default()),
        ("high", queue(&queues["high"])),
        ("background", queue(&queues["background"])),
        ("in flight", number(&hive["in_flight"])),
        ("completed", number(&hive["completed"])),
        ("failed", number(&hive["failed"])),
        ("nodes", number(&hive["nodes"])),
    ];
    let lines = rows.map(|(name, value)| format!("{name:<11} {value}"));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::table;

    #[test]
    fn the_table_shows_connection_queues_and_jobs() {
        let hive = json!({
            "state": "away", "reason": "refused", "since": "2026-01-01T00:00:00Z",
            "queues": {
                "high": { "name": "h\u{7}", "length": null },
                "background": { "name": "b", "length": 3 },
            },
            "in_flight": 2, "completed": 5, "failed": 1, "nodes": null,
        });
        let expected = "\
service     http://x
redis       unreachable since 2026-01-01T00:00:00Z: refused
high        unknown in h\\u{7}
background  3 in b
in flight   2
completed   5
failed      1
nodes       unknown";
        assert_eq!(table("http://x", &hive), expected);
    }
}
