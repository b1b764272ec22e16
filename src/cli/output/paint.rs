//! Log lines of tasks on a terminal: with their colours, and the unfinished line that is drawn over.
//!
//! The client filters escape sequences again, so that only colours reach the terminal, whatever server answers.

use std::io::{self, IsTerminal, Write};

use ratatui::crossterm::terminal;
use serde_json::Value;

use super::print::one_line;
use crate::terminal as text;

/// What stdout can display.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    /// Stdout is a terminal, so a line can be drawn over.
    pub(crate) is_terminal: bool,
    has_colors: bool,
}

impl Paint {
    /// Looks at stdout, `TERM` and `NO_COLOR`.
    pub(crate) fn of_stdout() -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let is_terminal = io::stdout().is_terminal() && !is_dumb;
        Self {
            is_terminal,
            has_colors: is_terminal && !is_set("NO_COLOR"),
        }
    }

    /// Returns the text of a log line: the field `ansi` where stdout shows colours, else `line`.
    pub(crate) fn line(self, fields: &impl TextFields) -> String {
        let ansi = fields.field("ansi").filter(|_| self.has_colors);
        let colored = ansi.and_then(|ansi| text::line(ansi.replace('\n', " "))?.ansi);
        colored.unwrap_or_else(|| one_line(fields.field("line").unwrap_or_default()))
    }
}

/// A JSON object whose text fields can be read by name.
pub(crate) trait TextFields {
    fn field(&self, name: &str) -> Option<&str>;
}

impl TextFields for Value {
    fn field(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }
}

impl TextFields for serde_json::Map<String, Value> {
    fn field(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }
}

/// The unfinished line at the bottom of the terminal, which the next output draws over.
#[derive(Debug, Default)]
pub(crate) struct LiveLine {
    is_shown: bool,
}

impl LiveLine {
    /// Draws the line over the one before, cut to the width of the terminal.
    pub(crate) fn show(&mut self, out: &mut impl Write, words: &str) -> io::Result<()> {
        self.clear(out)?;
        let columns = terminal::size().map_or(80, |(columns, _)| usize::from(columns));
        let mut line = text::TerminalLine::default();
        line.feed(words);
        let shown = line.shown(columns.saturating_sub(1));
        write!(out, "{}", shown.ansi.unwrap_or(shown.text))?;
        self.is_shown = true;
        out.flush()
    }

    /// Erases the line, if one is shown.
    pub(crate) fn clear(&mut self, out: &mut impl Write) -> io::Result<()> {
        if std::mem::take(&mut self.is_shown) {
            write!(out, "\r\u{1b}[K")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_but_colours_reaches_a_terminal() {
        let paint = |has_colors| Paint {
            is_terminal: true,
            has_colors,
        };
        let line = json!({"line": "red", "ansi": "\u{1b}[31mred\u{1b}[5A\u{1b}]0;x\u{7}"});
        assert_eq!(paint(true).line(&line), "\u{1b}[0;31mred\u{1b}[0m");
        assert_eq!(paint(false).line(&line), "red");
        let plain = json!({"line": "a\u{1b}[31mb"});
        assert_eq!(paint(true).line(&plain), "a\\u{1b}[31mb");
    }

    #[test]
    fn a_live_line_is_taken_away() {
        let mut out = Vec::new();
        let mut live = LiveLine::default();
        live.show(&mut out, &"10%".repeat(500)).unwrap();
        live.show(&mut out, "20%").unwrap();
        live.clear(&mut out).unwrap();
        live.clear(&mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(out.len() < 1000, "{out}");
        assert!(out.ends_with("\r\u{1b}[K20%\r\u{1b}[K"), "{out:?}");
    }
}
