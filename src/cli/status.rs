//! `venom status`: what the queue is doing.

use clap::Args;
use serde_json::Value;

use super::error::Error;
use super::output::{one_line, print, print_json};
use super::target::Target;

const EXAMPLES: &str = "\
Examples:
  venom status
  venom status --json | jq .pending
  venom status --ready && echo yes";

/// Show whether the queue runs, and how many tasks wait and run.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Status {
    /// Print JSON: paused, pending, active, processing, limit, and hive if it is on
    #[arg(long)]
    json: bool,
    /// Only ask whether it takes tasks, for a health check; this needs no token
    #[arg(long, conflicts_with = "json")]
    ready: bool,
    #[command(flatten)]
    target: Target,
}

/// Asks and prints.
pub(super) async fn run(status: &Status) -> Result<(), Error> {
    let client = status.target.client()?;
    if status.ready {
        client.get("/readyz").await?;
        return print("ready");
    }
    let queue = client.get("/api/v1/queue/status").await?;
    match status.json {
        true => print_json(&queue),
        false => print(&table(client.url(), &queue)),
    }
}

fn table(url: &str, queue: &Value) -> String {
    let state = match queue["paused"].as_bool() {
        Some(true) => "paused",
        _ => "open",
    };
    let limit = match &queue["limit"] {
        Value::Null => "without limit".to_owned(),
        limit => format!("of {limit}"),
    };
    let (pending, running) = (&queue["pending"], &queue["active"]);
    let hive = match hive(&queue["hive"]) {
        Some(hive) => format!("\nhive     {hive}"),
        None => String::new(),
    };
    format!(
        "service  {url}\nqueue    {state}\npending  {pending}\nrunning  {running} {limit}{hive}"
    )
}

/// How the Hive is, if it is on.
pub(super) fn hive(hive: &Value) -> Option<String> {
    let text = |name: &str| hive[name].as_str().unwrap_or_default();
    Some(match hive["state"].as_str()? {
        "away" => format!("away since {}: {}", text("since"), one_line(text("reason"))),
        state => state.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::table;

    #[test]
    fn the_table_says_what_the_queue_does() {
        let queue = json!({"paused": true, "pending": 3, "active": 2, "processing": 2, "limit": 5});
        assert_eq!(
            table("http://x", &queue),
            "service  http://x\nqueue    paused\npending  3\nrunning  2 of 5"
        );
        let queue = json!({"paused": false, "pending": 0, "active": 0, "limit": null});
        assert!(table("http://x", &queue).ends_with("running  0 without limit"));
    }

    #[test]
    fn the_table_says_how_the_hive_is_if_it_is_on() {
        let table = |hive| table("http://x", &json!({ "limit": 5, "hive": hive }));
        let away =
            json!({ "state": "away", "reason": "refused\u{7}", "since": "2026-01-01T00:00:00Z" });
        assert!(table(away).ends_with("\nhive     away since 2026-01-01T00:00:00Z: refused\\u{7}"));
        assert!(table(json!({ "state": "connected" })).ends_with("\nhive     connected"));
        assert!(table(json!(null)).ends_with(" of 5"));
    }
}
