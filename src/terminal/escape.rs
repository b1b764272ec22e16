//! Parses escape sequences of ECMA-48: finds their end, and recognises the few that change the line.

/// The effect of a sequence on the line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Escape<'a> {
    /// Select graphic rendition (colours, bold), with its parameters.
    Style(&'a str),
    /// Moves the cursor to the beginning of the line.
    Return,
    /// Moves the cursor left by this many columns.
    Left(usize),
    /// Erases from the cursor to the end of the line.
    EraseToEnd,
    /// Erases the whole line.
    EraseLine,
    /// Any other sequence; ignored.
    Other,
}

/// Returns the sequence at the beginning of the text and its length in bytes; `None` if there is none.
///
/// Sequences begin with ESC. U+0080 to U+009F do not begin one here: text that was decoded twice has them between
/// letters, which would be removed with them.
///
/// An unfinished sequence extends to the end of the text. Of an unfinished string, such as a window title, only the
/// introduction is removed, so that the text after it stays.
pub(crate) fn read_escape(text: &str) -> Option<(Escape<'_>, usize)> {
    let mut letters = text.chars();
    if letters.next()? != '\u{1b}' {
        return None;
    }
    let Some(kind) = letters.next() else {
        return Some((Escape::Other, 1));
    };
    let start = 1 + kind.len_utf8();
    Some(match kind {
        '[' => read_control_sequence(text, start),
        ']' | 'P' | 'X' | '^' | '_' => {
            let letters = text[start..].char_indices();
            (Escape::Other, start + string_length(letters))
        }
        ' '..='/' => (Escape::Other, start + intermediate_length(&text[start..])),
        '0'..='~' => (Escape::Other, start),
        // No sequence: ESC alone is removed, and what follows counts.
        _ => (Escape::Other, 1),
    })
}

/// Reads `ESC [`, parameters, intermediates and a final byte.
fn read_control_sequence(text: &str, start: usize) -> (Escape<'_>, usize) {
    let rest = &text.as_bytes()[start..];
    let count = |from: usize, range: std::ops::RangeInclusive<u8>| {
        rest[from..]
            .iter()
            .take_while(|byte| range.contains(byte))
            .count()
    };
    let parameters_end = count(0, b'0'..=b'?');
    let end = parameters_end + count(parameters_end, b' '..=b'/');
    match rest.get(end) {
        Some(last @ b'@'..=b'~') => {
            let parameters = &text[start..start + parameters_end];
            let has_intermediates = end > parameters_end;
            let escape = match has_intermediates {
                true => Escape::Other,
                false => meaning(parameters, *last),
            };
            (escape, start + end + 1)
        }
        // A line end, or a character that cannot be part of the sequence, ends it.
        _ => (Escape::Other, start + end),
    }
}

fn meaning(parameters: &str, last: u8) -> Escape<'_> {
    match (last, parameters) {
        (b'm', _) => Escape::Style(parameters),
        (b'G' | b'H' | b'f', "" | "0" | "1" | "1;1" | ";") => Escape::Return,
        (b'D', _) => Escape::Left(parameters.parse().unwrap_or(1).max(1)),
        (b'K' | b'J', "" | "0") => Escape::EraseToEnd,
        (b'K' | b'J', "2") => Escape::EraseLine,
        _ => Escape::Other,
    }
}

/// Returns the length up to and including the terminator; 0 if another sequence or the line ends the string first.
/// Reads each character once, even after many introductions, so the time is linear.
fn string_length(letters: impl Iterator<Item = (usize, char)>) -> usize {
    let mut letters = letters.peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\u{7}' | '\u{9c}' => return at + letter.len_utf8(),
            '\u{1b}' => {
                let is_terminator = letters.peek().is_some_and(|(_, next)| *next == '\\');
                return if is_terminator { at + 2 } else { 0 };
            }
            '\u{80}'..='\u{9f}' | '\n' => return 0,
            _ => {}
        }
    }
    0
}

/// Returns the length of further intermediates and the final byte, as in `ESC ( B`.
fn intermediate_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let more = bytes
        .iter()
        .take_while(|byte| (b' '..=b'/').contains(byte))
        .count();
    more + usize::from(
        bytes
            .get(more)
            .is_some_and(|byte| (b'0'..=b'~').contains(byte)),
    )
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn introductions_without_an_end_are_read_in_linear_time() {
        for introduction in ["\u{1b}]", "\u{1b}Ptitle", "\u{1b}_\u{9b}"] {
            let text = introduction.repeat((1 << 20) / introduction.len());
            let looked_at = Cell::new(0);
            let mut rest = text.as_str();
            while let Some((_, length)) = read_escape(rest) {
                assert_eq!(length, 2);
                let letters = rest[length..].char_indices();
                string_length(letters.inspect(|_| looked_at.set(looked_at.get() + 1)));
                assert!(looked_at.get() <= 2 * text.len(), "{introduction:?}");
                rest = &rest[introduction.len()..];
            }
            assert_eq!(rest, "");
        }
    }
}
