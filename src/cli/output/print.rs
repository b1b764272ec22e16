//! Prints data to stdout and messages to stderr; neither panics when the stream is closed.
//!
//! Text of tasks and services is untrusted: control characters are written out, so no terminal obeys them.

use std::fmt::Display;
use std::io::{self, Write};

use serde_json::Value;

use crate::cli::error::Error;

/// Prints a message to stderr. Control characters other than line ends and tabs are written out.
pub(crate) fn say(message: impl Display) {
    // One write, so that lines of two programs do not mix. A closed stderr loses the message.
    let line = format!("{}\n", escaped(&message.to_string(), &['\t', '\n']));
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// Prints data to stdout, followed by a line end if it has none.
pub(crate) fn print(data: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    let end = if data.ends_with('\n') { "" } else { "\n" };
    out.write_all(data.as_bytes())
        .and_then(|()| out.write_all(end.as_bytes()))
        .and_then(|()| out.flush())
        .map_err(|error| Error::of_stdout(&error))
}

/// Prints JSON to stdout on one line.
pub(crate) fn print_json(data: &Value) -> Result<(), Error> {
    print(&data.to_string())
}

/// Returns untrusted text as one line for a terminal, with control characters written out.
pub(crate) fn one_line(text: &str) -> String {
    escaped(text, &['\t'])
}

/// Returns the text with its control characters written out, except for those in `allowed`.
fn escaped(text: &str, allowed: &[char]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match controls_terminal(letter) && !allowed.contains(&letter) {
            true => escaped.extend(letter.escape_default()),
            false => escaped.push(letter),
        }
    }
    escaped
}

/// Returns true for characters that control a terminal: control characters, line and paragraph separators, and
/// those that change the direction of the text.
fn controls_terminal(letter: char) -> bool {
    let turns = matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::{escaped, one_line};

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(one_line("a\tb\nc\u{1b}[31mé"), "a\tb\\nc\\u{1b}[31mé");
        assert_eq!(escaped("a\tb\nc\u{7}", &['\n']), "a\\tb\nc\\u{7}");
        let turned = "a\u{202e}b\u{2066}c\u{2028}d\u{9b}e";
        assert_eq!(one_line(turned), "a\\u{202e}b\\u{2066}c\\u{2028}d\\u{9b}e");
        // Joiners and letters of right-to-left scripts stay.
        let letters = "\u{1f468}\u{200d}\u{1f469} e\u{301} \u{5d0}";
        assert_eq!(one_line(letters), letters);
    }
}
