//! The filter of a task list, as query parameters. Bulk commands take the same filter.

use std::str::FromStr;

use serde_json::Value;

use crate::api::error::{ApiError, Problem};
use crate::api::input::query::Query;
use crate::models::{TaskFilter, Timestamp, UnknownName};

/// The names of the filter's parameters.
pub(crate) const FILTERS: [&str; 8] = [
    "status",
    "processor",
    "tag",
    "session_id",
    "failure",
    "q",
    "since",
    "until",
];

/// Most characters and words of a search; each word costs one lookup.
const SEARCH_CHARS: usize = 1000;
const SEARCH_WORDS: usize = 32;

/// Reads the filter of a request.
pub(crate) fn read(query: &Query) -> Result<TaskFilter, ApiError> {
    Ok(TaskFilter {
        status: name(query, "status")?,
        processor: query.text("processor").map(str::to_owned),
        tag: query.text("tag").map(str::to_owned),
        session_id: query.text("session_id").map(str::to_owned),
        failure: name(query, "failure")?,
        words: words(query)?,
        since: time(query, "since")?,
        until: time(query, "until")?,
    })
}

/// Reads the filter of a bulk command.
///
/// # Errors
/// 422 without a filter: a forgotten parameter must not mean every task.
pub(crate) fn read_some(query: &Query) -> Result<TaskFilter, ApiError> {
    let filter = read(query)?;
    if filter.is_empty() {
        let names = FILTERS.join(", ");
        let msg = format!("This call needs a filter: at least one of {names}");
        return Err(Problem::new("missing", &["query"], msg, Value::Null).into());
    }
    Ok(filter)
}

/// Reads one of a closed set of names.
fn name<T: FromStr<Err = UnknownName>>(
    query: &Query,
    parameter: &str,
) -> Result<Option<T>, ApiError> {
    let read = |text: &str| {
        text.parse().map_err(|error: UnknownName| {
            let msg = format!("Input should be one of {}", error.expected);
            Problem::new("enum", &["query", parameter], msg, Value::from(text)).into()
        })
    };
    query.text(parameter).map(read).transpose()
}

fn words(query: &Query) -> Result<Option<String>, ApiError> {
    let Some(text) = query.text("q") else {
        return Ok(None);
    };
    let words = text.split(|c: char| !c.is_alphanumeric());
    let words = words.filter(|word| !word.is_empty()).count();
    let is_long = words > SEARCH_WORDS || text.chars().count() > SEARCH_CHARS;
    if is_long || text.trim().is_empty() {
        let msg = format!(
            "Input should be words to look for, up to {SEARCH_WORDS} words and {SEARCH_CHARS} characters"
        );
        return Err(Problem::new("value_error", &["query", "q"], msg, Value::from(text)).into());
    }
    Ok(Some(text.to_owned()))
}

/// Reads a time. The `+` of its offset may be unescaped, which a query string decodes as a space.
fn time(query: &Query, parameter: &str) -> Result<Option<Timestamp>, ApiError> {
    let read = |text: &str| {
        let parsed = text.parse().or_else(|_| text.replace(' ', "+").parse());
        parsed.map_err(|_| {
            let msg = "Input should be a time such as 2026-01-31T12:00:00Z";
            let loc = ["query", parameter];
            Problem::new("datetime_parsing", &loc, msg, Value::from(text)).into()
        })
    };
    query.text(parameter).map(read).transpose()
}
