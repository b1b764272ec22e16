//! Tables and moments for people, who may not have colours or a wide terminal.

use std::time::Duration;

use chrono::{DateTime, Local};
use serde_json::Value;

use super::output::one_line;
use super::period::short;
use crate::models::Timestamp;

/// Two blanks between columns, each as wide as its widest cell; the last column is not filled up.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cell =
        |row: &Vec<String>, column: usize| row.get(column).map_or(0, |it| it.chars().count());
    let width = |column| rows.iter().map(|row| cell(row, column)).max().unwrap_or(0);
    let widths: Vec<_> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths);
        let cells: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The first of a text's words, on one line of at most this many characters.
pub(super) fn first_words(text: &str, characters: usize) -> String {
    // Far more than is shown, and not the whole of a text of megabytes.
    let beginning: String = text.chars().take(characters * 4).collect();
    let words = beginning.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = one_line(&words);
    if words.chars().count() <= characters && text.chars().nth(characters * 4).is_none() {
        return words;
    }
    let mut cut: String = words.chars().take(characters - 1).collect();
    cut.push('…');
    cut
}

/// How long ago the time was; a dash if it is none.
pub(super) fn age(time: &Value, now: Timestamp) -> String {
    let time = time.as_str().and_then(|text| text.parse().ok());
    let seconds = time.map(|time: Timestamp| now.seconds_since(time).max(0.0));
    let age = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    age.map_or_else(|| "-".to_owned(), short)
}

/// The time by the clock on the wall; as it is if it is none.
pub(super) fn wall_clock(time: &str) -> String {
    match DateTime::parse_from_rfc3339(time) {
        Ok(time) => {
            let time = time.with_timezone(&Local);
            time.format("%Y-%m-%d %H:%M:%S").to_string()
        }
        Err(_) => one_line(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_need() {
        let rows = [["a", "é", "x"], ["long", "b", ""]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows), "a     é  x\nlong  b");
        assert_eq!(table(&[]), "");
    }

    #[test]
    fn texts_are_cut_where_they_are_too_long() {
        assert_eq!(first_words("one\n  two", 20), "one two");
        assert_eq!(first_words("abcdef", 6), "abcdef");
        assert_eq!(first_words("abcdefg", 6), "abcde…");
        assert_eq!(first_words(&format!("a{}b", " ".repeat(99)), 6), "a…");
        assert_eq!(first_words("a\u{1b}b", 20), "a\\u{1b}b");
    }

    #[test]
    fn ages_have_one_unit() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        let of = |text: &str| age(&Value::from(text), now);
        assert_eq!(of("2026-01-31T11:54:01.000000Z"), "5m");
        assert_eq!(of("2026-01-31T12:00:01.000000Z"), "0s");
        assert_eq!(age(&Value::Null, now), "-");
    }
}
