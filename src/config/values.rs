//! Reads values of figment, typed or text, and writes them for error messages.

use std::ops::RangeInclusive;
use std::time::Duration;

use figment::value::Value;

use crate::models::parse_duration;

/// Upper limit of durations; it keeps sums of times from overflowing.
const MOST_SECONDS: f64 = 1e9;
/// Characters of a text that a message shows.
const MOST_SHOWN: usize = 60;

/// Reads a boolean from text as pydantic does.
pub(crate) fn truth(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// Returns what a message says was found. Of a private value, a list or a table it is only the type.
pub(crate) fn describe(value: &Value, private: bool) -> String {
    match value {
        Value::String(_, text) if !private => quote(text),
        Value::Bool(_, truth) if !private => truth.to_string(),
        Value::Num(_, number) if !private => match (number.to_i128(), number.to_f64()) {
            (Some(whole), _) => whole.to_string(),
            (None, Some(fraction)) => format!("{fraction:?}"),
            (None, None) => "a number".to_owned(),
        },
        Value::Array(_, items) => match items.iter().find(|item| item.as_str().is_none()) {
            Some(item) => format!("a list with {} in it", describe(item, true)),
            None => "a list".to_owned(),
        },
        Value::String(_, text) if text.trim().is_empty() => "an empty text".to_owned(),
        Value::String(..) | Value::Char(..) => "a text".to_owned(),
        Value::Bool(..) => "a boolean".to_owned(),
        Value::Num(..) => "a number".to_owned(),
        Value::Dict(..) => "a table".to_owned(),
        Value::Empty(..) => "nothing".to_owned(),
    }
}

/// Returns the text in quotes, escaped for a terminal and cut off after [`MOST_SHOWN`] characters.
fn quote(text: &str) -> String {
    match text.char_indices().nth(MOST_SHOWN) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", &text[..end]),
    }
}

/// Reads a text that is not blank.
pub(crate) fn text(value: &Value) -> Option<String> {
    argument(value).filter(|text| !text.trim().is_empty())
}

/// Reads a text that may be empty. Arguments and variables cannot hold the character 0.
pub(crate) fn argument(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    (!text.contains('\0')).then(|| text.to_owned())
}

/// Reads a word in lower case.
pub(crate) fn word(value: &Value) -> Option<String> {
    Some(value.as_str()?.trim().to_ascii_lowercase())
}

/// Reads a whole number in a range.
pub(crate) fn whole<T: TryFrom<i128>>(value: &Value, range: RangeInclusive<i128>) -> Option<T> {
    let number = match value {
        Value::Num(_, number) => number.to_i128()?,
        _ => value.as_str()?.trim().parse().ok()?,
    };
    T::try_from(number).ok().filter(|_| range.contains(&number))
}

/// Reads a number in a range, whole or not.
pub(crate) fn number(value: &Value, range: RangeInclusive<f64>) -> Option<f64> {
    let number = match value {
        Value::Num(_, number) => match number.to_i128() {
            Some(whole) => whole as f64,
            None => number.to_f64()?,
        },
        _ => value.as_str()?.trim().parse().ok()?,
    };
    // No range contains NaN, which both notations can write.
    range.contains(&number).then_some(number)
}

/// Reads a duration of at least `least` seconds: `90`, `"90"`, `"15m"`, `"1.5h"`, `"30d"`.
pub(crate) fn duration(value: &Value, least: f64) -> Option<Duration> {
    let duration = match value.as_str() {
        Some(text) => parse_duration(text)?,
        None => Duration::from_secs_f64(number(value, least..=MOST_SECONDS)?),
    };
    let fits = (least..=MOST_SECONDS).contains(&duration.as_secs_f64());
    fits.then_some(duration)
}
