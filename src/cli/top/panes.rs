//! The text of each part of the screen, as cells and lines. Control characters of untrusted text are written out
//! here.

use serde_json::Value;

use super::poll::TaskDetail;
use crate::cli::output::print::one_line;
use crate::cli::output::table::{age, first_words, local_time};
use crate::cli::service::processors;
use crate::models::{TaskStatus, Timestamp};

/// Steps of the chart that the rate covers: the last minute, without the unfinished step.
const STEPS: usize = 12;
const TEXT_CHARS: usize = 200;

/// Returns `3.4 completed and 0.0 failed per second`, and the completed tasks of each step. `None` if the token may
/// not see the chart.
pub(crate) fn rate(chart: &Value) -> Option<(String, Vec<u64>)> {
    let points = chart["points"].as_array()?;
    let length = chart["step_seconds"].as_f64()?;
    let whole = &points[..points.len().saturating_sub(1)];
    let minute = &whole[whole.len().saturating_sub(STEPS)..];
    let count = |point: &Value, name: &str| point[name].as_u64().unwrap_or(0);
    let rate = |name: &str| {
        let counts = minute.iter().map(|point| count(point, name));
        let sum = counts.fold(0, u64::saturating_add);
        // Exact to the decimals that are shown.
        #[expect(clippy::cast_precision_loss, reason = "as said")]
        let rate = sum as f64 / (minute.len().max(1) as f64 * length);
        rate
    };
    let words = format!(
        "{:.1} completed and {:.1} failed per second",
        rate("completed"),
        rate("failed")
    );
    // ratatui multiplies these by the height of a bar, so they must not be near the largest integer.
    let bar = |point| count(point, "completed").min(u32::MAX.into());
    Some((words, points.iter().map(bar).collect()))
}

/// Returns `pending 3   running 2 of 5   completed 7   failed 1`.
pub(crate) fn counts(status: &Value) -> String {
    let limit = match &status["limit"] {
        Value::Null => String::new(),
        limit => format!(" of {limit}"),
    };
    let mut words = format!(
        "pending {}   running {}{limit}",
        status["pending"], status["active"]
    );
    for (word, name) in [("completed", "COMPLETED"), ("failed", "FAILED")] {
        if let Some(count) = status["tasks"][name].as_i64() {
            words += &format!("   {word} {count}");
        }
    }
    words
}

pub(crate) fn processor(processor: &Value) -> Vec<String> {
    let row = processors::row(processor);
    row.iter().map(|cell| one_line(cell)).collect()
}

/// Returns the column titles of [`task`] for a status.
pub(crate) fn headers(status: TaskStatus) -> [&'static str; 5] {
    match status {
        TaskStatus::Pending => ["PENDING", "PROCESSOR", "ATTEMPT", "SINCE", "CONTENT"],
        TaskStatus::Processing => ["RUNNING", "PROCESSOR", "ATTEMPT", "SINCE", "CONTENT"],
        TaskStatus::Failed => ["FAILED", "PROCESSOR", "ATTEMPT", "AGO", "ERROR"],
        TaskStatus::Completed => ["COMPLETED", "PROCESSOR", "ATTEMPT", "AGO", "RESULT"],
    }
}

pub(crate) fn task(task: &Value, status: TaskStatus, now: Timestamp) -> Vec<String> {
    let (time, text) = match status {
        TaskStatus::Pending => ("created_at", "content"),
        TaskStatus::Processing => ("started_at", "content"),
        TaskStatus::Failed => ("finished_at", "error"),
        TaskStatus::Completed => ("finished_at", "result"),
    };
    let word = |name: &str| first_words(task[name].as_str().unwrap_or("-"), TEXT_CHARS);
    let progress = task["progress"]
        .as_f64()
        .filter(|_| status == TaskStatus::Processing);
    let progress = progress.map(|part| format!("{:.0} % ", part * 100.0));
    vec![
        word("id"),
        word("processor"),
        format!("{} of {}", task["attempt"], task["max_attempts"]),
        age(&task[time], now),
        progress.unwrap_or_default() + &word(text),
    ]
}

/// Returns the last characters of an id: ids of the same time begin alike.
pub(crate) fn end_of(id: &str, characters: usize) -> String {
    let length = id.chars().count();
    if length <= characters {
        return id.to_owned();
    }
    let end = id.chars().skip(length - (characters - 1));
    ['…'].into_iter().chain(end).collect()
}

/// Returns the lines of a task in detail: its explanation, its fields, and its log, newest line last.
pub(crate) fn detail(detail: &TaskDetail, now: Timestamp) -> Vec<String> {
    let task = &detail.task;
    let mut lines = vec![one_line(&detail.explanation)];
    let text = |name: &str| task[name].as_str().map(one_line);
    let time = |name: &str| {
        let text = task[name].as_str()?;
        Some(format!(
            "{} ({} ago)",
            local_time(text),
            age(&task[name], now)
        ))
    };
    for (name, value) in [
        ("id", text("id")),
        ("status", text("status")),
        ("failure", text("failure")),
        ("processor", text("processor")),
        ("created", time("created_at")),
        ("started", time("started_at")),
        ("finished", time("finished_at")),
        ("error", text("error")),
    ] {
        lines.extend(value.map(|value| format!("{name:<10} {value}")));
    }
    for name in ["content", "result"] {
        let text = task[name].as_str();
        lines.extend(text.map(|text| format!("{name:<10} {}", first_words(text, 2_000))));
    }
    let log = task["logs"].as_array();
    let log = log.map_or(&[][..], Vec::as_slice);
    lines.push(format!("{:<10} {} lines", "log", log.len()));
    lines.extend(
        log.iter()
            .filter_map(Value::as_str)
            .map(|line| format!("  {}", one_line(line))),
    );
    lines
}

pub(crate) const HELP: [&str; 12] = [
    "Up, Down, PageUp, PageDown, Home, End   select a task",
    "Enter                                   show it: its state, its log",
    "Esc                                     back; leave a search; quit",
    "Tab, Shift-Tab                          running, pending, failed, completed tasks",
    "/                                       search in content, result and error",
    "p                                       pause or resume the queue, after confirmation",
    "q, Ctrl-C                               quit",
    "",
    "The rate covers the last minute, the bars the completed tasks of the last five minutes.",
    "After a lost connection the last answers stay on the screen until the service is back.",
    "",
    "Press any key to go back.",
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_whole_minute() {
        let point = |completed: u64| json!({"completed": completed, "failed": 0});
        let mut points = vec![point(1000); 3];
        points.extend(vec![point(5); 12]);
        points.push(point(1000));
        let (words, bars) = rate(&json!({"step_seconds": 5, "points": points})).unwrap();
        assert_eq!(words, "1.0 completed and 0.0 failed per second");
        assert_eq!(bars.len(), 16);
        assert_eq!(
            rate(&json!({"step_seconds": 5, "points": []}))
                .unwrap()
                .1
                .len(),
            0
        );
        assert!(rate(&Value::Null).is_none());
    }

    #[test]
    fn the_end_of_an_id_is_shown() {
        assert_eq!(end_of("T1", 3), "T1");
        assert_eq!(end_of("0190-abcd", 5), "…abcd");
    }

    #[test]
    fn control_characters_are_written_out() {
        let wild = "a\u{1b}[31m\nb";
        let now = Timestamp::now();
        let wild_task = json!({"id": wild, "processor": wild, "content": wild, "error": wild,
                               "result": wild, "status": wild, "logs": [wild]});
        let wild_detail = TaskDetail {
            task: wild_task.clone(),
            explanation: wild.to_owned(),
        };
        let mut lines = detail(&wild_detail, now);
        lines.extend(processor(
            &json!({"name": wild, "kind": wild, "rate": wild}),
        ));
        for status in [
            TaskStatus::Pending,
            TaskStatus::Failed,
            TaskStatus::Completed,
        ] {
            lines.extend(task(&wild_task, status, now));
        }
        for line in lines {
            assert!(!line.contains(char::is_control), "{line:?}");
        }
    }
}
