//! Decodes texts as protocol 0 writes them, and byte strings of Python 2.

use std::borrow::Cow;

use super::super::reader::ByteReader;
use super::nodes::PickleNode;
use crate::hive::wire::error::Error;

/// Decodes UTF-8 as Python writes it: U+FFFD replaces halves of surrogate pairs, which no Rust text can hold.
pub(crate) fn utf8(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Returns a byte string of Python 2, as text if it is UTF-8.
pub(crate) fn old_string(bytes: Cow<'_, [u8]>) -> PickleNode<'_> {
    match bytes {
        Cow::Borrowed(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => PickleNode::Str(text.into()),
            Err(_) => PickleNode::Bytes(bytes.into()),
        },
        Cow::Owned(bytes) => match String::from_utf8(bytes) {
            Ok(text) => PickleNode::Str(text.into()),
            Err(not_text) => PickleNode::Bytes(not_text.into_bytes().into()),
        },
    }
}

/// Decodes Latin-1 with `\uXXXX` and `\UXXXXXXXX`; a backslash before anything else is a backslash.
pub(crate) fn raw_unicode(line: &[u8]) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let width = match (first, after.first()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => 0,
        };
        match after.get(1..=width).and_then(hexadecimal) {
            Some(code) if width > 0 => {
                text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                rest = &after[1 + width..];
            }
            _ => text.push(char::from(*first)),
        }
    }
    text
}

/// Reads the quoted literal of a byte string of Python 2.
pub(crate) fn quoted(reader: &mut ByteReader<'_>) -> Result<Vec<u8>, Error> {
    let line = reader.line()?;
    let inside = match line {
        [first @ (b'\'' | b'"'), inside @ .., last] if first == last => inside,
        _ => return Err(reader.wrong("a string without quotes")),
    };
    unescaped(inside).ok_or_else(|| reader.wrong("a string with an unknown escape"))
}

fn unescaped(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some((first, after)) = rest.split_first() {
        if *first != b'\\' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        let (escape, after) = after.split_first()?;
        rest = after;
        bytes.push(match escape {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'\\' | b'\'' | b'"' => *escape,
            b'x' => {
                rest = after.get(2..)?;
                u8::try_from(hexadecimal(&after[..2])?).ok()?
            }
            _ => return None,
        });
    }
    Some(bytes)
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |number, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(number.checked_mul(16)? + digit)
    })
}
