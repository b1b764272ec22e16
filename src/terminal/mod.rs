//! Turns program output for a terminal into text that is safe in logs, pages and other terminals.
//!
//! Escape sequences and control characters are removed, because they move cursors, set titles and clear screens. Colours
//! are kept separately, in a few fixed forms (`style`). A carriage return overwrites the line, as on a terminal, so a
//! progress bar leaves its last state.

mod escape;
mod line;
mod style;

use std::borrow::Cow;

pub(crate) use self::line::{OutputLine, TerminalLine};

use self::escape::read_escape;

/// Returns one line as a terminal shows it at the end. `None` if everything was erased.
pub(crate) fn line(text: String) -> Option<OutputLine> {
    if is_plain(&text) {
        return Some(OutputLine::plain(text));
    }
    let mut line = TerminalLine::default();
    line.feed(&text);
    line.end()
}

/// Removes escape sequences and control characters, except for line ends, carriage returns and tabs.
pub(crate) fn without_escapes(text: &str) -> Cow<'_, str> {
    keeping(text, |control| matches!(control, '\n' | '\r' | '\t'))
}

/// Removes escape sequences and control characters from data, and keeps the separators of pages, fields and records
/// too: `pdftotext` ends a page by a form feed, and U+001C to U+001F are separators.
pub(crate) fn data_without_escapes(text: &str) -> Cow<'_, str> {
    keeping(
        text,
        |control| matches!(control, '\t'..='\r' | '\u{1c}'..='\u{1f}'),
    )
}

/// Removes escape sequences, and the control characters that `is_kept` rejects.
fn keeping(text: &str, is_kept: impl Fn(char) -> bool) -> Cow<'_, str> {
    if is_plain(text) {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        if let Some((_, length)) = read_escape(rest) {
            rest = &rest[length..];
            continue;
        }
        if !letter.is_control() || is_kept(letter) {
            kept.push(letter);
        }
        rest = &rest[letter.len_utf8()..];
    }
    Cow::Owned(kept)
}

/// Returns true if the text has no escape sequences and no control characters but line ends and tabs.
fn is_plain(text: &str) -> bool {
    // U+0080 to U+009F are control characters too; in UTF-8 their first byte is C2.
    let is_special = |byte: u8| (byte < 0x20 && byte != b'\n' && byte != b'\t') || byte == 0x7f;
    !text.bytes().any(|byte| is_special(byte) || byte == 0xc2)
        || !text
            .chars()
            .any(|letter| letter.is_control() && !matches!(letter, '\n' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_controls_are_removed() {
        for (text, expected) in [
            ("plain\ttext\r\nnext", "plain\ttext\r\nnext"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}shown", "shown"),
            ("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}]never ended\nnext", "never ended\nnext"),
            ("\u{1b}(Bcharset\u{1b}=\u{1b}7", "charset"),
            ("\u{1b}]one\u{1b}]0;two\u{7}\u{1b}[1mshown", "oneshown"),
            (
                "Ã\u{9c}ber, Ã\u{9b}1mC1\u{85}\u{7f}\u{7}\u{8}",
                "Ãber, Ã1mC1",
            ),
            ("page\u{c}\u{b}\u{1e}page", "pagepage"),
            ("end\u{1b}", "end"),
            ("cut\u{1b}[3", "cut"),
            ("£ é 你 \u{1b}[1m€", "£ é 你 €"),
        ] {
            assert_eq!(without_escapes(text), expected, "{text:?}");
        }
        assert!(matches!(without_escapes("£ é"), Cow::Borrowed(_)));
    }

    #[test]
    fn separators_of_data_stay() {
        let data = "page\u{c}\u{b}next\u{1c}a\u{1d}b\u{1e}c\u{1f}d\t\r\n";
        assert_eq!(data_without_escapes(data), data);
        let printed = "\u{1b}[1mpage\u{c}\u{7}\u{8}\u{1b}]0;title\u{7}\u{9b}\u{7f}next";
        assert_eq!(data_without_escapes(printed), "page\u{c}next");
    }
}
