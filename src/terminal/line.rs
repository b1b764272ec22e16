//! Builds one line from the parts that a program prints, as a terminal would.

use super::escape::{Escape, read_escape};
use super::is_plain;
use super::style::Style;

/// A line of a task's output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OutputLine {
    pub(crate) text: String,
    /// The text with colours, which only `ESC [ … m` encodes; `None` without colours.
    pub(crate) ansi: Option<String>,
    /// True if the line replaces the unfinished line that was shown before.
    pub(crate) replaces: bool,
}

impl OutputLine {
    /// Returns a line without colours.
    pub(crate) fn plain(text: String) -> Self {
        Self {
            text,
            ..Self::default()
        }
    }

    /// Sets whether the line replaces the unfinished line.
    #[must_use]
    pub(crate) fn replacing(self, replaces: bool) -> Self {
        Self { replaces, ..self }
    }

    /// Returns the size of its texts.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len() + self.ansi.as_ref().map_or(0, String::len)
    }
}

/// An unfinished line. Colours continue in the next line, as on a terminal.
#[derive(Clone, Debug, Default)]
pub(crate) struct TerminalLine {
    text: String,
    /// The first byte of each style; empty without styles.
    spans: Vec<(usize, Style)>,
    style: Style,
    /// The cursor is at the beginning, so the next character replaces the text.
    returned: bool,
    /// Text was printed and then replaced or erased.
    replaced: bool,
}

impl TerminalLine {
    /// Prints a part of the line.
    pub(crate) fn feed(&mut self, text: &str) {
        let is_styled = self.style != Style::default() || !self.spans.is_empty();
        if !self.returned && !is_styled && is_plain(text) {
            return self.text.push_str(text);
        }
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            if let Some((escape, length)) = read_escape(rest) {
                self.apply(&escape);
                rest = &rest[length..];
                continue;
            }
            match letter {
                '\r' => self.returned = true,
                '\u{8}' => self.step_back(1),
                // Many readers of the database end a text at NUL.
                '\0' => self.print(char::REPLACEMENT_CHARACTER),
                '\t' | '\n' => self.print(letter),
                _ if letter.is_control() => {}
                _ => self.print(letter),
            }
            rest = &rest[letter.len_utf8()..];
        }
    }

    fn apply(&mut self, escape: &Escape<'_>) {
        match escape {
            Escape::Style(parameters) => self.style = self.style.after(parameters),
            Escape::Return => self.returned = true,
            Escape::Left(columns) => self.step_back(*columns),
            Escape::EraseToEnd if self.returned => self.erase(),
            Escape::EraseLine => self.erase(),
            Escape::EraseToEnd | Escape::Other => {}
        }
    }

    fn print(&mut self, letter: char) {
        if std::mem::take(&mut self.returned) {
            self.erase();
        }
        let shown = self.spans.last().map_or(Style::default(), |span| span.1);
        if shown != self.style {
            self.spans.push((self.text.len(), self.style));
        }
        self.text.push(letter);
    }

    /// A spinner prints over its last letters.
    fn step_back(&mut self, columns: usize) {
        for _ in 0..columns {
            if self.text.pop().is_none() {
                break;
            }
            self.replaced = true;
        }
        // They stand in order. Not all of them are looked at: that would be a look at each per step.
        let end = self.text.len();
        while self.spans.pop_if(|span| span.0 >= end).is_some() {}
    }

    fn erase(&mut self) {
        self.replaced |= !self.text.is_empty();
        self.text.clear();
        self.spans.clear();
        self.returned = false;
    }

    /// Returns true if only white space is shown.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// Returns the present text, cut to `limit` characters.
    pub(crate) fn shown(&self, limit: usize) -> OutputLine {
        let end = self.text.char_indices().nth(limit);
        self.render(end.map_or(self.text.len(), |(end, _)| end))
    }

    /// Returns the finished line and starts the next one. `None` if everything that was printed was erased.
    pub(crate) fn end(&mut self) -> Option<OutputLine> {
        if self.replaced {
            // Progress bars overwrite a longer state with blanks.
            self.text.truncate(self.text.trim_end().len());
            let end = self.text.len();
            self.spans.retain(|span| span.0 < end);
        }
        let is_erased = self.replaced && self.text.is_empty();
        let ansi = self.render(self.text.len()).ansi;
        let text = std::mem::take(&mut self.text);
        self.spans.clear();
        (self.returned, self.replaced) = (false, false);
        (!is_erased).then_some(OutputLine {
            text,
            ansi,
            replaces: false,
        })
    }

    fn render(&self, end: usize) -> OutputLine {
        let text = &self.text[..end];
        let has_style = self.spans.iter().any(|span| span.0 < end);
        OutputLine {
            text: text.to_owned(),
            ansi: has_style.then(|| self.with_styles(text)),
            replaces: false,
        }
    }

    fn with_styles(&self, text: &str) -> String {
        let mut styled = String::with_capacity(text.len() + 16 * self.spans.len());
        let (mut style, mut from) = (Style::default(), 0);
        for (at, next) in self.spans.iter().filter(|span| span.0 < text.len()) {
            styled.push_str(&text[from..*at]);
            next.write(style, &mut styled);
            (style, from) = (*next, *at);
        }
        styled.push_str(&text[from..]);
        Style::default().write(style, &mut styled);
        styled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line_of(parts: &[&str]) -> Option<(String, Option<String>)> {
        let mut line = TerminalLine::default();
        for part in parts {
            line.feed(part);
        }
        line.end().map(|line| (line.text, line.ansi))
    }

    #[test]
    fn the_last_state_remains() {
        for (parts, expected) in [
            (&["10%\r20%"][..], Some("20%")),
            (&["10%\r", "20%\r"], Some("20%")),
            (&["long line\rshort   \r"], Some("short")),
            (&["bar\r\u{1b}[K"], None),
            (&["bar\r     \r"], None),
            (&["bar\u{1b}[2K\u{1b}[1Gdone"], Some("done")),
            (&["wait |\u{8}/\u{8}-"], Some("wait -")),
            (&["bar\u{1b}[1000Ddone"], Some("done")),
            (&["\u{1b}[1A\u{1b}[?25lup"], Some("up")),
            (&[""], Some("")),
            (&["   "], Some("   ")),
            (&["a\0b\u{7}"], Some("a\u{FFFD}b")),
            (&["Ã\u{9b}1Ã\u{9d}é\u{85}"], Some("Ã1Ãé")),
        ] {
            let found = line_of(parts).map(|(text, ansi)| {
                assert_eq!(ansi, None, "{parts:?}");
                text
            });
            assert_eq!(found.as_deref(), expected, "{parts:?}");
        }
    }

    #[test]
    fn colours_are_kept_apart() {
        for (text, plain, ansi) in [
            (
                "a \u{1b}[31mred\u{1b}[0m b",
                "a red b",
                Some("a \u{1b}[0;31mred\u{1b}[0m b"),
            ),
            ("\u{1b}[1;32mok", "ok", Some("\u{1b}[0;1;32mok\u{1b}[0m")),
            (
                "a\u{1b}[31mb\u{1b}[32mc\u{1b}[33md\u{8}\u{8}\u{1b}[0me",
                "abe",
                Some("a\u{1b}[0;31mb\u{1b}[0me"),
            ),
            ("\u{1b}[31ma\u{1b}[32mb\u{1b}[2D\u{1b}[0mc", "c", None),
            ("plain\u{1b}[0m\u{1b}[m", "plain", None),
            ("\u{1b}[31m\u{1b}[0mplain", "plain", None),
            (
                "\u{1b}[31mred\rplain?",
                "plain?",
                Some("\u{1b}[0;31mplain?\u{1b}[0m"),
            ),
        ] {
            assert_eq!(
                line_of(&[text]),
                Some((plain.to_owned(), ansi.map(str::to_owned))),
                "{text:?}"
            );
        }
    }

    #[test]
    fn colours_go_on_in_the_next_line() {
        let mut line = TerminalLine::default();
        line.feed("\u{1b}[33mone");
        line.end();
        line.feed("two\u{1b}[0m");
        let ansi = line.end().and_then(|line| line.ansi);
        assert_eq!(ansi.as_deref(), Some("\u{1b}[0;33mtwo\u{1b}[0m"));
    }

    #[test]
    fn what_is_shown_has_an_end() {
        let mut line = TerminalLine::default();
        line.feed("ab\u{1b}[1mcdef");
        let shown = line.shown(3);
        assert_eq!(shown.text, "abc");
        assert_eq!(shown.ansi.as_deref(), Some("ab\u{1b}[0;1mc\u{1b}[0m"));
        assert_eq!(line.shown(2).ansi, None);
    }
}
