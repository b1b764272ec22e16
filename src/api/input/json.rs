//! Bodies as JSON: parse errors say at which byte, line and column of the whole body.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::api::error::{ApiError, Problem};
use crate::api::input::json_check::{OBJECT, check};
use crate::models::json;

/// Parses a body as a JSON object.
///
/// # Errors
/// 422 if it is anything else.
pub(crate) fn parse_object(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    object(parse_json(body)?)
}

/// Returns the fields of an object.
///
/// # Errors
/// 422 if it is anything else.
pub(crate) fn object(value: Value) -> Result<Map<String, Value>, ApiError> {
    match value {
        Value::Object(fields) => Ok(fields),
        other => {
            let msg = "Input should be a valid dictionary or object to extract fields from";
            Err(Problem::new("model_attributes_type", &["body"], msg, other).into())
        }
    }
}

/// Parses a body as JSON.
///
/// # Errors
/// 422 with the place of the first syntax error.
pub(crate) fn parse_json(body: &[u8]) -> Result<Value, ApiError> {
    if body.is_empty() {
        let problem = Problem::new("missing", &["body"], "Field required", Value::Null);
        return Err(problem.into());
    }
    check(body, OBJECT)?;
    parse_value(body, 0, 1)
}

/// Parses a part of a body as a value. The part begins at byte `start`, on line `line` (from 1) of the body.
pub(crate) fn parse_value(part: &[u8], start: usize, line: usize) -> Result<Value, ApiError> {
    json::parse(part).map_err(|error| no_json(part, start, line, &error))
}

/// Parses a part of a body into a known shape. The part begins at byte `start`, on line `line` (from 1) of the body.
pub(crate) fn parse_part<'a, T: Deserialize<'a>>(
    part: &'a [u8],
    start: usize,
    line: usize,
) -> Result<T, ApiError> {
    serde_json::from_slice(part).map_err(|error| no_json(part, start, line, &error))
}

fn no_json(part: &[u8], start: usize, line: usize, error: &serde_json::Error) -> ApiError {
    let at = start + offset(part, error.line(), error.column());
    let (found, column) = (error.to_string(), error.column());
    let place = format!(" at line {} column {column}", error.line());
    let what = found.strip_suffix(&place).unwrap_or(&found);
    let line = line + error.line().saturating_sub(1);
    let msg = format!("JSON decode error: {what} at line {line} column {column}");
    let mut problem = Problem::new("json_invalid", &["body"], msg, json!({}));
    problem.loc.push(json!(at));
    problem.into()
}

/// Returns the byte offset of a line and column, both from 1.
fn offset(body: &[u8], line: usize, column: usize) -> usize {
    let before: usize = body
        .split(|byte| *byte == b'\n')
        .take(line.saturating_sub(1))
        .map(|line| line.len() + 1)
        .sum();
    (before + column.saturating_sub(1)).min(body.len())
}
