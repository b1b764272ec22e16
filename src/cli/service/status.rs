//! `venom status`: prints the state of the queue, the task counts and the size of the database.

use clap::Args;
use serde_json::Value;

use crate::cli::client::http::ServiceClient;
use crate::cli::client::target::ServiceTarget;
use crate::cli::error::Error;
use crate::cli::output::print::{one_line, print, print_json};
use crate::cli::output::table::{local_time, table};

const EXAMPLES: &str = "\
Examples:
  venom status
  venom status --json | jq .pending
  venom status --json | jq .storage.database_bytes
  venom status --ready && echo yes";

/// Show the state of the queue, the task counts and the size of the database.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StatusArgs {
    /// Print JSON: paused, pending, active, processing, limit, hive if enabled, and tasks, pause, storage
    /// and version if the token may see them
    #[arg(long)]
    json: bool,
    /// Check only whether the service accepts tasks, for a health check; needs no token
    #[arg(long, conflicts_with = "json")]
    ready: bool,
    #[command(flatten)]
    target: ServiceTarget,
}

/// Fetches and prints the status.
pub(crate) async fn run(status: &StatusArgs) -> Result<(), Error> {
    let client = status.target.client()?;
    if status.ready {
        client.get("/readyz").await?;
        return print("ready");
    }
    let queue = fetch(&client).await?;
    match status.json {
        true => print_json(&queue),
        false => print(&table(&sheet(client.url(), &queue))),
    }
}

/// Fetches the queue's status, and counts, pause, version and storage if the token may see them. A token that is
/// restricted to some processors may not.
pub(crate) async fn fetch(client: &ServiceClient) -> Result<Value, Error> {
    let mut status = client.get_object("/api/v1/queue/status").await?;
    if let Ok(overview) = client.get("/api/v1/overview").await {
        for name in ["tasks", "pause", "version"] {
            status[name] = overview[name].clone();
        }
    }
    if let Ok(storage) = client.get("/api/v1/storage").await {
        status["storage"] = storage;
    }
    Ok(status)
}

/// Returns names and values; values that the token may not see are left out.
fn sheet(url: &str, status: &Value) -> Vec<Vec<String>> {
    let version = status["version"].as_str();
    let version = version.map(|version| format!(" (venom {})", one_line(version)));
    let limit = match &status["limit"] {
        Value::Null => "(no limit)".to_owned(),
        limit => format!("of {limit}"),
    };
    let tasks = &status["tasks"];
    let count = |name: &str| tasks[name].as_i64().map(|count| count.to_string());
    let rows = [
        (
            "service",
            Some(format!("{url}{}", version.unwrap_or_default())),
        ),
        ("queue", Some(queue(status))),
        ("pending", Some(status["pending"].to_string())),
        ("running", Some(format!("{} {limit}", status["active"]))),
        ("completed", count("COMPLETED")),
        ("failed", count("FAILED")),
        ("database", database(&status["storage"])),
        ("hive", hive(&status["hive"])),
    ];
    let shown = rows.into_iter();
    shown
        .filter_map(|(name, value)| Some(vec![name.to_owned(), value?]))
        .collect()
}

/// Returns `open`, or the pause with its start, end, actor and reason.
pub(crate) fn queue(status: &Value) -> String {
    if status["paused"] != true {
        return "open".to_owned();
    }
    let pause = &status["pause"];
    let mut words = match pause["emergency_stop"] == true {
        true => "stopped by an emergency stop".to_owned(),
        false => "paused".to_owned(),
    };
    for (word, name) in [("since", "since"), ("until", "until")] {
        if let Some(time) = pause[name].as_str() {
            words += &format!(" {word} {}", local_time(time));
        }
    }
    for (word, name) in [(" by", "by"), (":", "reason")] {
        if let Some(text) = pause[name].as_str() {
            words += &format!("{word} {}", one_line(text));
        }
    }
    words
}

/// Formats the sizes: `12.3 MiB, 4.0 MiB of it free; WAL 0.2 MiB`
fn database(storage: &Value) -> Option<String> {
    let bytes = storage["database_bytes"].as_u64()?;
    let (free, log) = (&storage["free_bytes"], &storage["wal_bytes"]);
    let (free, log) = (free.as_u64().unwrap_or(0), log.as_u64().unwrap_or(0));
    let (bytes, free, log) = (mib(bytes), mib(free), mib(log));
    Some(format!("{bytes}, {free} of it free; WAL {log}"))
}

fn mib(bytes: u64) -> String {
    // Exact to one decimal far beyond the largest disk.
    #[expect(clippy::cast_precision_loss, reason = "as said")]
    let mib = bytes as f64 / f64::from(1 << 20);
    format!("{mib:.1} MiB")
}

/// Returns the state of the connection to Redis; `None` if the Hive is disabled.
pub(crate) fn hive(hive: &Value) -> Option<String> {
    let text = |name: &str| hive[name].as_str().unwrap_or_default();
    Some(match hive["state"].as_str()? {
        state @ ("away" | "refusing") => {
            let state = match state {
                "away" => "unreachable",
                _ => "refusing commands",
            };
            format!(
                "{state} since {}: {}",
                text("since"),
                one_line(text("reason"))
            )
        }
        state => state.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(status: &Value) -> String {
        table(&sheet("http://x", status))
    }

    #[test]
    fn what_the_token_may_see_is_shown() {
        let status =
            json!({"paused": true, "pending": 3, "active": 2, "processing": 2, "limit": 5});
        assert_eq!(
            shown(&status),
            "service  http://x\nqueue    paused\npending  3\nrunning  2 of 5"
        );
        let status = json!({"paused": false, "pending": 0, "active": 0, "limit": null});
        assert!(shown(&status).ends_with("running  0 (no limit)"));
        let status = json!({
            "paused": false, "pending": 0, "active": 0, "limit": 5, "version": "1.2.3",
            "tasks": {"PENDING": 0, "PROCESSING": 0, "COMPLETED": 7, "FAILED": 8}, "pause": null,
            "storage": {"database_bytes": 3_145_728, "free_bytes": 1_048_576, "wal_bytes": 0},
        });
        assert_eq!(
            shown(&status),
            "service    http://x (venom 1.2.3)\nqueue      open\npending    0\nrunning    0 of 5\n\
             completed  7\nfailed     8\ndatabase   3.0 MiB, 1.0 MiB of it free; WAL 0.0 MiB"
        );
    }

    #[test]
    fn a_pause_is_told_with_its_reason() {
        let pause = json!({"since": "then", "until": "soon", "by": "ann", "reason": "a\u{1b}b"});
        let status = json!({"paused": true, "pause": pause});
        assert_eq!(
            queue(&status),
            "paused since then until soon by ann: a\\u{1b}b"
        );
        let stop = json!({"paused": true, "pause": {"emergency_stop": true}});
        assert_eq!(queue(&stop), "stopped by an emergency stop");
    }

    #[test]
    fn the_hive_is_told_of_if_it_is_on() {
        let shown = |hive| shown(&json!({ "limit": 5, "hive": hive }));
        let away =
            json!({ "state": "away", "reason": "refused\u{7}", "since": "2026-01-01T00:00:00Z" });
        assert!(
            shown(away)
                .ends_with("\nhive     unreachable since 2026-01-01T00:00:00Z: refused\\u{7}")
        );
        assert!(shown(json!({ "state": "connected" })).ends_with("\nhive     connected"));
        assert!(shown(json!(null)).ends_with(" of 5"));
    }
}
