//! `venom show`: prints the fields of one task, or the tasks that depend on it.

use clap::Args;
use serde_json::Value;

use crate::cli::client::http::ServiceClient;
use crate::cli::client::target::ServiceTarget;
use crate::cli::error::Error;
use crate::cli::output::print::{one_line, print, print_json, say};
use crate::cli::output::table::{age, local_time, table};
use crate::models::{TaskId, Timestamp};

const EXAMPLES: &str = "\
Examples:
  venom show 0190a6e2-7b5c-7d20-9a3c-5f2e8b1d4c6a
  venom show --json 0190a6e2-7b5c-7d20-9a3c-5f2e8b1d4c6a | jq -r .result
  venom show --downstream 0190a6e2-7b5c-7d20-9a3c-5f2e8b1d4c6a

For a PENDING task it also prints why it is not running, like `venom explain`. `venom logs ID` prints its log.";

/// Show one task.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ShowArgs {
    /// Id of the task
    #[arg(value_name = "ID")]
    id: TaskId,
    /// List the tasks that depend on it instead
    #[arg(long)]
    downstream: bool,
    /// Print the task or the list as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: ServiceTarget,
}

/// Fetches and prints the task.
pub(crate) async fn run(show: &ShowArgs) -> Result<(), Error> {
    let client = show.target.client()?;
    let path = format!("/api/v1/tasks/{}", show.id);
    if show.downstream {
        return print_downstream(&client, &path, show.json).await;
    }
    let task = client.get_object(&path).await?;
    if show.json {
        return print_json(&task);
    }
    let mut sheet = sheet(&task, Timestamp::now());
    if task["status"] == "PENDING" {
        let explanation = client.get_object(&format!("{path}/explain")).await?;
        let reason = explanation["message"].as_str().unwrap_or_default();
        sheet.extend(row("reason", reason.to_owned()));
    }
    print(&table(&sheet))
}

/// Prints the unfinished tasks that depend on the task at `path`.
async fn print_downstream(client: &ServiceClient, path: &str, json: bool) -> Result<(), Error> {
    let answer = client.get(&format!("{path}/downstream")).await?;
    if json {
        return print_json(&answer);
    }
    let tasks = answer.as_array().ok_or_else(|| client.not_a_service())?;
    if tasks.is_empty() {
        say("No task depends on it.");
        return Ok(());
    }
    let mut rows = vec![["ID", "STATUS", "PROCESSOR"].map(str::to_owned).to_vec()];
    rows.extend(tasks.iter().map(|task| {
        let text = |name: &str| one_line(task[name].as_str().unwrap_or("-"));
        ["id", "status", "processor"].map(text).to_vec()
    }));
    print(&table(&rows))
}

/// Returns names and values of the task's fields; empty fields are left out.
fn sheet(task: &Value, now: Timestamp) -> Vec<Vec<String>> {
    let mut sheet = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        sheet.extend(value.into_iter().flat_map(|value| row(name, value)));
    };
    let text = |name: &str| task[name].as_str().map(str::to_owned);
    let time = |name: &str| {
        let age = age(&task[name], now);
        Some(format!("{} ({age} ago)", local_time(task[name].as_str()?)))
    };
    add("id", text("id"));
    add("status", Some(status(task)));
    add("processor", text("processor"));
    add(
        "attempt",
        Some(format!("{} of {}", task["attempt"], task["max_attempts"])),
    );
    add(
        "priority",
        Some(task["priority"].to_string()).filter(|it| it != "0"),
    );
    add("tags", words(&task["tags"]));
    add("session", text("session_id"));
    add("key", text("concurrency_key"));
    add("unique", text("unique_key"));
    add("after", words(&task["after"]));
    add(
        "timeout",
        task["timeout"].as_f64().map(|it| format!("{it} s")),
    );
    add("created", time("created_at"));
    add("starts", scheduled_start(task, now));
    add("started", time("started_at"));
    add("finished", time("finished_at"));
    add(
        "progress",
        task["progress"]
            .as_f64()
            .map(|it| format!("{:.0} %", it * 100.0)),
    );
    add("content", text("content"));
    add("error", text("error"));
    add("result", text("result"));
    sheet
}

/// Returns a row for each line of the value; the first one has the name.
fn row(name: &str, value: String) -> Vec<Vec<String>> {
    let lines = value.trim_end().lines().enumerate();
    let name = |number| {
        if number == 0 {
            name.to_owned()
        } else {
            String::new()
        }
    };
    lines
        .map(|(number, line)| vec![name(number), one_line(line)])
        .collect()
}

/// `FAILED (timeout)`
fn status(task: &Value) -> String {
    let status = task["status"].as_str().unwrap_or("-");
    match task["failure"].as_str() {
        Some(failure) => format!("{status} ({failure})"),
        None => status.to_owned(),
    }
}

/// Returns the scheduled start of a PENDING task, if it is in the future.
fn scheduled_start(task: &Value, now: Timestamp) -> Option<String> {
    let run_at = task["run_at"].as_str()?;
    let is_ahead = run_at.parse::<Timestamp>().is_ok_and(|time| time > now);
    (task["status"] == "PENDING" && is_ahead).then(|| local_time(run_at))
}

fn words(list: &Value) -> Option<String> {
    let words: Vec<_> = list.as_array()?.iter().filter_map(Value::as_str).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_task_has_is_shown_and_nothing_else() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        let task = json!({
            "id": "T", "status": "FAILED", "failure": "timeout", "processor": "echo",
            "attempt": 1, "max_attempts": 3, "priority": 0, "tags": ["a", "b"],
            "session_id": null, "progress": 0.5, "content": "one\n\u{1b}two\n",
            "run_at": "2026-02-01T12:00:00.000000Z", "error": "too slow", "result": null,
        });
        assert_eq!(
            table(&sheet(&task, now)),
            "id         T\nstatus     FAILED (timeout)\nprocessor  echo\nattempt    1 of 3\n\
             tags       a, b\nprogress   50 %\ncontent    one\n           \\u{1b}two\n\
             error      too slow"
        );
    }
}
