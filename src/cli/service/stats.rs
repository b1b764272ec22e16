//! `venom stats`: prints counts and latencies of the last minutes, hour or day, or all Prometheus metrics.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::cli::client::target::ServiceTarget;
use crate::cli::error::Error;
use crate::cli::output::print::{print, print_json};
use crate::cli::output::table::{local_time, short_duration, table};

const COUNTS: [&str; 5] = ["created", "started", "completed", "failed", "retried"];

const EXAMPLES: &str = "\
Examples:
  venom stats
  venom stats --window 1d
  venom stats --json | jq '[.points[].completed] | add'
  venom stats --prometheus | grep venom_tasks";

/// Show how many tasks were created and finished, and how long they took.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StatsArgs {
    /// Look back this far: 5m, 1h or 1d
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = ["5m", "1h", "1d"])]
    window: String,
    /// Print the answer of the service as JSON
    #[arg(long)]
    json: bool,
    /// Print all metrics in the Prometheus format
    #[arg(long, conflicts_with_all = ["json", "window"])]
    prometheus: bool,
    #[command(flatten)]
    target: ServiceTarget,
}

/// Fetches and prints the statistics.
pub(crate) async fn run(stats: &StatsArgs) -> Result<(), Error> {
    let client = stats.target.client()?;
    if stats.prometheus {
        let text = client.open("/metrics").await?.text().await;
        return print(&text.map_err(|error| client.unreachable(&error))?);
    }
    let path = format!("/api/v1/stats?window={}", stats.window);
    let chart = client.get(&path).await?;
    if stats.json {
        return print_json(&chart);
    }
    let points = chart["points"].as_array();
    let points = points.ok_or_else(|| client.not_a_service())?;
    print(&table(&rows(points)))
}

/// Returns a row for each step with activity, and their sum.
fn rows(points: &[Value]) -> Vec<Vec<String>> {
    let headers = [
        "FROM",
        "CREATED",
        "STARTED",
        "COMPLETED",
        "FAILED",
        "RETRIED",
        "QUEUE P50",
        "RUN P50",
    ];
    let mut rows = vec![headers.map(str::to_owned).to_vec()];
    let happened = |point: &&Value| COUNTS.iter().any(|name| count(point, name) > 0);
    rows.extend(points.iter().filter(happened).map(row));
    let sum = |name: &&str| {
        let counts = points.iter().map(|point| count(point, name));
        counts.fold(0, u64::saturating_add)
    };
    let sums = COUNTS.iter().map(|name| sum(name).to_string());
    rows.push(["all".to_owned()].into_iter().chain(sums).collect());
    rows
}

fn row(point: &Value) -> Vec<String> {
    let mut row = vec![local_time(point["at"].as_str().unwrap_or("-"))];
    row.extend(COUNTS.iter().map(|name| count(point, name).to_string()));
    row.extend(["wait_seconds", "run_seconds"].map(|name| seconds(&point[name]["p50"])));
    row
}

fn count(point: &Value, name: &str) -> u64 {
    point[name].as_u64().unwrap_or(0)
}

/// Formats seconds as `0.013s` or `5m`; a dash if nothing was measured.
fn seconds(value: &Value) -> String {
    let duration = value
        .as_f64()
        .and_then(|it| Duration::try_from_secs_f64(it).ok());
    match duration {
        None => "-".to_owned(),
        Some(duration) if duration < Duration::from_mins(1) => {
            format!("{:.3}s", duration.as_secs_f64())
        }
        Some(duration) => short_duration(duration),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn steps_without_anything_are_left_out_and_all_is_summed() {
        let point = |created: u64, wait: Value| {
            json!({"at": "later", "created": created, "started": 0, "completed": 2, "failed": 0,
                   "retried": 0, "wait_seconds": wait, "run_seconds": null})
        };
        let nothing = json!({"at": "earlier", "created": 0, "started": 0, "completed": 0});
        let rows = rows(&[
            nothing,
            point(1, json!({"p50": 0.25})),
            point(3, json!({"p50": 90.0})),
        ]);
        assert_eq!(rows.len(), 4);
        assert_eq!(rows[1], ["later", "1", "0", "2", "0", "0", "0.250s", "-"]);
        assert_eq!(rows[2][6], "1m");
        assert_eq!(rows[3], ["all", "4", "0", "4", "0", "0"]);
    }
}
