//! Escape sequences as ECMA-48 writes them: where they end, and the few that mean something here.

/// What a sequence does to the line that is being printed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Escape<'a> {
    /// Select graphic rendition, with its parameters: colours and the like.
    Style(&'a str),
    /// The cursor goes to the beginning of the line.
    Return,
    /// The cursor goes left by this many columns.
    Left(usize),
    /// What stands from the cursor on is erased.
    EraseToEnd,
    /// The whole line is erased.
    EraseLine,
    /// Anything else; ignored.
    Other,
}

/// The sequence that the text begins with, and its length in bytes; `None` if it begins with none.
///
/// Sequences begin with ESC. U+0080 to U+009F begin none here: in text that was decoded twice they stand
/// between the letters, and would take some of these along.
///
/// One that never ends is as long as the text, except for a string such as a window's title: of that the
/// introduction alone is taken, so that it does not swallow what follows.
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

/// `ESC [`, parameters, intermediates and a final byte.
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
        // A line end, or a letter that cannot be part of it: the sequence is broken off here.
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

/// Up to and including the terminator; nothing if something else ends the string before: another sequence,
/// or the line. So no letter is looked at for two introductions, and many of them cost no more than one.
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

/// More intermediates and the final byte, as in `ESC ( B`.
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
