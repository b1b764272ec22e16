//! Data to stdout, words to stderr; neither panics when nobody listens.

use std::fmt::Display;
use std::io::{self, Write};

use serde_json::Value;

use crate::cli::error::Error;

/// Says something to the person at the terminal. Text of others may be part of it: control characters
/// besides line ends are shown, not obeyed.
pub(crate) fn say(words: impl Display) {
    // In one piece, so that lines of two programs do not mix; with nobody there, it is lost.
    let line = format!("{}\n", shown(&words.to_string(), &['\t', '\n']));
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// Prints data, ended by a line end if it has none.
pub(crate) fn print(data: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    let end = if data.ends_with('\n') { "" } else { "\n" };
    out.write_all(data.as_bytes())
        .and_then(|()| out.write_all(end.as_bytes()))
        .and_then(|()| out.flush())
        .map_err(|error| Error::of_stdout(&error))
}

/// Prints JSON for machines, on one line.
pub(crate) fn print_json(data: &Value) -> Result<(), Error> {
    print(&data.to_string())
}

/// Text of others on one line of a terminal: control characters are shown, not obeyed.
pub(crate) fn one_line(text: &str) -> String {
    shown(text, &['\t'])
}

/// The text with its control characters written out, except for those that are `obeyed`.
fn shown(text: &str, obeyed: &[char]) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match is_command(letter) && !obeyed.contains(&letter) {
            true => shown.extend(letter.escape_default()),
            false => shown.push(letter),
        }
    }
    shown
}

/// Whether a terminal does something else for this character than show it: control characters, line and
/// paragraph separators, and those that change the direction of the text after them.
fn is_command(letter: char) -> bool {
    let turns = matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::{one_line, shown};

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(one_line("a\tb\nc\u{1b}[31mé"), "a\tb\\nc\\u{1b}[31mé");
        assert_eq!(shown("a\tb\nc\u{7}", &['\n']), "a\\tb\nc\\u{7}");
        let turned = "a\u{202e}b\u{2066}c\u{2028}d\u{9b}e";
        assert_eq!(one_line(turned), "a\\u{202e}b\\u{2066}c\\u{2028}d\\u{9b}e");
        // Letters that are joined, or written from right to left, are no commands.
        let letters = "\u{1f468}\u{200d}\u{1f469} e\u{301} \u{5d0}";
        assert_eq!(one_line(letters), letters);
    }
}
