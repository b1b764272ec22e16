//! `venom hive nodes`: prints the services and workers of the Hive.

use clap::Args;
use serde_json::Value;

use crate::cli::client::target::ServiceTarget;
use crate::cli::error::Error;
use crate::cli::output::print::{one_line, print, print_json, say};
use crate::cli::output::table::{age, first_words, table};
use crate::models::Timestamp;

/// Characters of a name that are shown.
const NAME_CHARS: usize = 40;

const EXAMPLES: &str = "\
Examples:
  venom hive nodes
  venom hive nodes --json | jq -r '.[] | select(.silent) | .name'

A node is silent if it sent no heartbeat for 30 seconds; after an hour it is removed.";

/// List the services and workers of the Hive with their load and last heartbeat.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct NodesArgs {
    /// Print the answer of the service as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: ServiceTarget,
}

/// Fetches and prints the nodes.
pub(crate) async fn run(nodes: &NodesArgs) -> Result<(), Error> {
    let client = nodes.target.client()?;
    let answer = client.get("/api/v1/hive/nodes").await?;
    if nodes.json {
        return print_json(&answer);
    }
    let list = answer.as_array().ok_or_else(|| client.not_a_service())?;
    if list.is_empty() {
        say("No node has sent a heartbeat.");
        return Ok(());
    }
    let headers = [
        "NAME", "PID", "KIND", "VERSION", "STATE", "RUNNING", "LOAD", "SEEN",
    ];
    let mut rows = vec![headers.map(str::to_owned).to_vec()];
    let now = Timestamp::now();
    rows.extend(list.iter().map(|node| row(node, now)));
    print(&table(&rows))
}

fn row(node: &Value, now: Timestamp) -> Vec<String> {
    let text = |name: &str| one_line(node[name].as_str().unwrap_or("-"));
    let number = |name: &str| match &node[name] {
        Value::Number(number) => number.to_string(),
        _ => "-".to_owned(),
    };
    let state = match (node["silent"].as_bool(), node["paused"].as_bool()) {
        (Some(true), _) => "silent",
        (_, Some(true)) => "paused",
        _ => "open",
    };
    let running = match &node["max"] {
        Value::Number(max) => format!("{} of {max}", number("running")),
        _ => number("running"),
    };
    vec![
        first_words(node["name"].as_str().unwrap_or("-"), NAME_CHARS),
        number("pid"),
        text("kind"),
        text("version"),
        state.to_owned(),
        running,
        number("load"),
        format!("{} ago", age(&node["last_seen"], now)),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::row;

    #[test]
    fn a_node_is_one_row() {
        let now = "2026-01-31T12:00:00Z".parse().unwrap();
        let mut node = json!({
            "name": "a\u{1b}", "kind": "worker", "version": "0.1.0", "pid": 7, "running": 2, "load": 0.5,
            "max": 5, "last_seen": "2026-01-31T11:59:57Z", "paused": false, "silent": false,
        });
        let cells = row(&node, now);
        let expected = [
            "a\\u{1b}", "7", "worker", "0.1.0", "open", "2 of 5", "0.5", "3s ago",
        ];
        assert_eq!(cells, expected);
        node["paused"] = json!(true);
        node["max"] = json!(null);
        assert_eq!(row(&node, now)[4..6], ["paused", "2"]);
        node["silent"] = json!(true);
        assert_eq!(row(&node, now)[4], "silent");
    }
}
