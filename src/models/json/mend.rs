//! Mends JSON text so that every reader takes it, with the least possible loss.

use std::convert::Infallible;
use std::ops::Range;

use super::scan::{Fault, Items, Limits, scan};
use super::{COLUMN_NESTING_LIMIT, NUMBER_DIGITS};

/// The escape of U+FFFD: as long as the half of a surrogate pair that it replaces.
const REPLACEMENT: &[u8] = b"\\ufffd";

/// The stored text with everything replaced that some readers cannot take, and what that was; `None` if
/// nothing had to be.
///
/// Half a surrogate pair becomes U+FFFD. A number that is too long or too large becomes a text with its
/// digits, and what is nested too deep a text with its JSON.
pub(crate) fn mended(text: &str) -> Option<(String, String)> {
    let mut edits: Vec<(Fault, Range<usize>)> = Vec::new();
    let scanned = scan(text.as_bytes(), any_size(COLUMN_NESTING_LIMIT), |found| {
        edits.push((found.fault, found.span));
        Ok::<(), Infallible>(())
    });
    let Ok(()) = scanned;
    let first = edits.first()?.0;
    let mut mended = String::with_capacity(text.len() + 16);
    let mut done = 0;
    for (fault, span) in edits {
        mended.push_str(&text[done..span.start]);
        done = span.end;
        match fault {
            Fault::Surrogate => mended.push_str("\\ufffd"),
            _ => {
                let text = serde_json::to_string(&text[span]);
                mended.push_str(&text.expect("a text always encodes"));
            }
        }
    }
    mended.push_str(&text[done..]);
    Some((mended, describe(first)))
}

fn describe(fault: Fault) -> String {
    match fault {
        Fault::Number => {
            format!(
                "a number with more than {NUMBER_DIGITS} digits or beyond the range of a double"
            )
        }
        Fault::Surrogate => "an escape such as \\ud83d without its other half".to_owned(),
        Fault::TooDeep | Fault::TooManyValues | Fault::TooManyItems => {
            format!("lists or objects more than {COLUMN_NESTING_LIMIT} levels deep")
        }
    }
}

/// The JSON text with U+FFFD for each half of a surrogate pair, and how many there were; `None` if there was
/// none.
pub(crate) fn with_whole_characters(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut halves = Vec::new();
    let scanned = scan(text, any_size(usize::MAX), |found| {
        if found.fault == Fault::Surrogate {
            halves.push(found.span);
        }
        Ok::<(), Infallible>(())
    });
    let Ok(()) = scanned;
    if halves.is_empty() {
        return None;
    }
    let mut whole = text.to_vec();
    let count = halves.len();
    for half in halves {
        whole[half].copy_from_slice(REPLACEMENT);
    }
    Some((whole, count))
}

/// The JSON text without the blanks between its values.
pub(crate) fn compact(text: &str) -> String {
    let mut compact = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c == '"' || c.is_ascii_whitespace()) {
        let (before, after) = rest.split_at(at);
        compact.push_str(before);
        let end = match after.starts_with('"') {
            true => end_of_text(after),
            false => 1,
        };
        if after.starts_with('"') {
            compact.push_str(&after[..end]);
        }
        rest = &after[end..];
    }
    compact.push_str(rest);
    compact
}

/// Where the string ends with which the text begins.
fn end_of_text(text: &str) -> usize {
    let mut is_escaped = true;
    let end = text.bytes().position(|byte| match (is_escaped, byte) {
        (true, _) => {
            is_escaped = false;
            false
        }
        (false, b'\\') => {
            is_escaped = true;
            false
        }
        (false, byte) => byte == b'"',
    });
    end.map_or(text.len(), |end| end + 1)
}

fn any_size(depth: usize) -> Limits {
    Limits {
        depth,
        values: usize::MAX,
        items: Items::Whole,
        uncounted: None,
    }
}
