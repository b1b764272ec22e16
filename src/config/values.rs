//! What a value says, whether it came as what it is or as text, and how a message shows it.

use std::ops::RangeInclusive;
use std::time::Duration;

use figment::value::Value;

use crate::models::parse_duration;

/// Longer than anyone waits; keeps sums of times from overflowing.
const MOST_SECONDS: f64 = 1e9;
/// Characters of a text that a message shows.
const MOST_SHOWN: usize = 60;

/// Truth as pydantic reads it from a variable.
pub(crate) fn truth(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// What a message says was found. Of a private value, or of what holds others, only the type.
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

/// The text in quotes, with nothing in it that could disturb a terminal, and not too much of it.
fn quote(text: &str) -> String {
    match text.char_indices().nth(MOST_SHOWN) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", &text[..end]),
    }
}

/// A text that says something.
pub(crate) fn text(value: &Value) -> Option<String> {
    argument(value).filter(|text| !text.trim().is_empty())
}

/// A text that may be empty. No argument and no variable can hold the character 0.
pub(crate) fn argument(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    (!text.contains('\0')).then(|| text.to_owned())
}

/// One of a few words, in any case.
pub(crate) fn word(value: &Value) -> Option<String> {
    Some(value.as_str()?.trim().to_ascii_lowercase())
}

/// A whole number in a range.
pub(crate) fn whole<T: TryFrom<i128>>(value: &Value, range: RangeInclusive<i128>) -> Option<T> {
    let number = match value {
        Value::Num(_, number) => number.to_i128()?,
        _ => value.as_str()?.trim().parse().ok()?,
    };
    T::try_from(number).ok().filter(|_| range.contains(&number))
}

/// A number in a range, whole or not.
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

/// A duration of at least so many seconds: `90`, `"90"`, `"15m"`, `"1.5h"`, `"30d"`.
pub(crate) fn duration(value: &Value, least: f64) -> Option<Duration> {
    let duration = match value.as_str() {
        Some(text) => parse_duration(text)?,
        None => Duration::from_secs_f64(number(value, least..=MOST_SECONDS)?),
    };
    let fits = (least..=MOST_SECONDS).contains(&duration.as_secs_f64());
    fits.then_some(duration)
}
