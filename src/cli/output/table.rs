//! Tables and moments for people, who may not have colours or a wide terminal.

use std::time::Duration;

use chrono::{DateTime, Local};
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::print::one_line;
use crate::cli::args::duration::short;
use crate::models::Timestamp;

/// A wider cell does not push the cells after it to the right in the other rows.
const WIDEST_COLUMN: usize = 200;

/// Two blanks between columns, each as wide on a terminal as its widest cell, to [`WIDEST_COLUMN`]; the last
/// column is not filled up. Control characters in cells are shown, not obeyed.
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
            // Not by `format!`, which panics at widths above 65,535.
            let filling = width.saturating_sub(cell.width()) + 2;
            line.extend(std::iter::repeat_n(' ', filling));
        }
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A row's cells as they are printed. Only the last may have tabs, because they have no width of their own.
fn cells(row: &[String]) -> Vec<String> {
    let last = row.len().saturating_sub(1);
    let cell = |(column, cell): (usize, &String)| match column == last {
        true => one_line(cell),
        false => one_line(cell).replace('\t', " "),
    };
    row.iter().enumerate().map(cell).collect()
}

/// The first of a text's words, on one line of at most this many columns of a terminal.
pub(crate) fn first_words(text: &str, columns: usize) -> String {
    // Far more than is shown, and not the whole of a text of megabytes.
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

/// The longest beginning that takes at most this many columns. It ends with a whole character and what
/// belongs to it: accents, or the parts of a joined emoji.
fn beginning_of(text: &str, columns: usize) -> &str {
    let ends = text
        .char_indices()
        .map(|(at, letter)| at + letter.len_utf8());
    let ends: Vec<_> = ends.collect();
    let fitting = ends.partition_point(|end| text[..*end].width() <= columns);
    let end = fitting.checked_sub(1).map_or(0, |last| ends[last]);
    &text[..end]
}

/// How long ago the time was; a dash if it is none.
pub(crate) fn age(time: &Value, now: Timestamp) -> String {
    let time = time.as_str().and_then(|text| text.parse().ok());
    let seconds = time.map(|time: Timestamp| now.seconds_since(time).max(0.0));
    let age = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    age.map_or_else(|| "-".to_owned(), short)
}

/// The time by the clock on the wall; as it is if it is none.
pub(crate) fn wall_clock(time: &str) -> String {
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
