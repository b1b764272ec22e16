//! Tables, times and ages as text for people, readable without colours and on a narrow terminal.

use std::time::Duration;

use chrono::{DateTime, Local};
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::print::one_line;
use crate::models::Timestamp;

/// A wider cell does not widen its column in the other rows.
const WIDEST_COLUMN: usize = 200;

/// Lays rows out in columns with two blanks between them. A column is as wide as its widest cell, at most
/// [`WIDEST_COLUMN`]; the last one is not padded. Control characters in cells are written out.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<_>> = rows.iter().map(|row| cells(row)).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut widths = vec![0; columns];
    for row in &rows {
        for (cell, width) in row.iter().zip(&mut widths) {
            *width = cell.width().min(WIDEST_COLUMN).max(*width);
        }
    }
    let line = |row: &Vec<String>| {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line += cell;
            // `format!` panics at widths above 65,535.
            let filling = width.saturating_sub(cell.width()) + 2;
            line.extend(std::iter::repeat_n(' ', filling));
        }
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Returns the cells as they are printed. Only the last cell keeps its tabs, whose width is not known.
fn cells(row: &[String]) -> Vec<String> {
    let last = row.len().saturating_sub(1);
    let cell = |(column, cell): (usize, &String)| match column == last {
        true => one_line(cell),
        false => one_line(cell).replace('\t', " "),
    };
    row.iter().enumerate().map(cell).collect()
}

/// Returns the beginning of a text as one line of at most `columns` columns of a terminal.
pub(crate) fn first_words(text: &str, columns: usize) -> String {
    // Enough for the columns, without reading a text of megabytes.
    let beginning: String = text.chars().take(columns * 4).collect();
    let words = beginning.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = one_line(&words);
    if words.width() <= columns && text.chars().nth(columns * 4).is_none() {
        return words;
    }
    let mut cut = beginning_of(&words, columns.saturating_sub(1)).to_owned();
    cut.push('…');
    cut
}

/// Returns the longest beginning of at most `columns` columns. It ends with a whole character, including
/// accents and the parts of a joined emoji.
fn beginning_of(text: &str, columns: usize) -> &str {
    let ends = text
        .char_indices()
        .map(|(at, letter)| at + letter.len_utf8());
    let ends: Vec<_> = ends.collect();
    let fitting = ends.partition_point(|end| text[..*end].width() <= columns);
    let end = fitting.checked_sub(1).map_or(0, |last| ends[last]);
    &text[..end]
}

/// Returns the time since a timestamp, such as `5m`; a dash if the value is no timestamp.
pub(crate) fn age(time: &Value, now: Timestamp) -> String {
    let time = time.as_str().and_then(|text| text.parse().ok());
    let seconds = time.map(|time: Timestamp| now.seconds_since(time).max(0.0));
    let age = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    age.map_or_else(|| "-".to_owned(), short_duration)
}

/// Returns a timestamp in local time; a text that is no timestamp stays as it is.
pub(crate) fn local_time(time: &str) -> String {
    match DateTime::parse_from_rfc3339(time) {
        Ok(time) => {
            let time = time.with_timezone(&Local);
            time.format("%Y-%m-%d %H:%M:%S").to_string()
        }
        Err(_) => one_line(time),
    }
}

/// Formats a duration in its largest unit, rounded down: `0s`, `59s`, `5m`, `2h`, `40d`.
pub(crate) fn short_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_durations_have_one_unit() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3_599, "59m"),
            (3_600, "1h"),
            (86_399, "23h"),
            (86_400, "1d"),
            (40 * 86_400, "40d"),
        ] {
            assert_eq!(short_duration(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn columns_are_as_wide_as_they_need() {
        let rows = [["a", "é", "x"], ["long", "b", ""]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows), "a     é  x\nlong  b");
        assert_eq!(table(&[]), "");
    }

    #[test]
    fn columns_are_measured_as_a_terminal_shows_them() {
        let rows = [
            ["日本", "1"],
            ["👨‍👩‍👧", "2"],
            ["e\u{301}\u{301}", "3"],
            ["abcd", "4"],
            ["a\tb", "c\td"],
            ["\u{1b}", "\n"],
        ];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        let expected =
            "日本    1\n👨‍👩‍👧      2\ne\u{301}\u{301}       3\nabcd    4\na b     c\td\n\\u{1b}  \\n";
        assert_eq!(table(&rows), expected);
    }

    #[test]
    fn no_cell_is_too_wide() {
        let wide = "x".repeat(70_000);
        let rows = [["a", &wide, "b"], [&wide, "c", "d"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        let shown = table(&rows);
        let lines: Vec<_> = shown.lines().collect();
        let blanks = " ".repeat(WIDEST_COLUMN + 1);
        assert_eq!(lines[0], format!("a{blanks}{wide}  b"));
        assert_eq!(lines[1], format!("{wide}  c{blanks}d"));
    }

    #[test]
    fn texts_are_cut_where_they_are_too_long() {
        assert_eq!(first_words("one\n  two", 20), "one two");
        assert_eq!(first_words("abcdef", 6), "abcdef");
        assert_eq!(first_words("abcdefg", 6), "abcde…");
        assert_eq!(first_words(&format!("a{}b", " ".repeat(99)), 6), "a…");
        assert_eq!(first_words("a\u{1b}b", 20), "a\\u{1b}b");
        assert_eq!(first_words("日本語", 6), "日本語");
        assert_eq!(first_words("日本語", 5), "日本…");
        assert_eq!(first_words("日本語", 4), "日…");
        let family = "👨‍👩‍👧👨‍👩‍👧";
        assert_eq!(first_words(family, 3), "👨‍👩‍👧…");
        assert_eq!(first_words("e\u{301}bc", 2), "e\u{301}…");
        assert_eq!(first_words("abc", 0), "…");
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
