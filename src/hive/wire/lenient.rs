//! Repairs JSON that only Python writes: `NaN`, `Infinity`, and texts with half a surrogate pair.

use std::borrow::Cow;

/// The kinds of replacements in a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Replaced {
    /// Null replaced `NaN` or an infinity.
    pub(crate) numbers: bool,
    /// U+FFFD replaced half of a surrogate pair, or bytes that are not UTF-8.
    pub(crate) halves: bool,
}

/// Returns the message as valid JSON, and the kinds of replacements.
pub(crate) fn as_json(message: &[u8]) -> (Cow<'_, [u8]>, Replaced) {
    let mut replaced = Replaced::default();
    let text = String::from_utf8_lossy(message);
    replaced.halves = matches!(text, Cow::Owned(_));
    if !text.contains("\\ud")
        && !text.contains("\\uD")
        && !text.contains("NaN")
        && !text.contains("Infinity")
    {
        let bytes = match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        return (bytes, replaced);
    }
    let mut json = Vec::with_capacity(text.len());
    let (mut rest, mut in_text) = (text.as_bytes(), false);
    while let Some(first) = rest.first() {
        let step = match in_text {
            true => text_step(rest, &mut replaced),
            false => value_step(rest, &mut replaced),
        };
        in_text ^= *first == b'"';
        json.extend_from_slice(step.written);
        rest = &rest[step.taken..];
    }
    (Cow::Owned(json), replaced)
}

/// The bytes taken from the front, and their replacement.
struct LenientStep<'a> {
    taken: usize,
    written: &'a [u8],
}

fn value_step<'a>(rest: &'a [u8], replaced: &mut Replaced) -> LenientStep<'a> {
    // Every reader takes a float beyond the largest as infinite.
    let words: [(&[u8], &[u8]); 3] = [
        (b"NaN", b"null"),
        (b"-Infinity", b"-1e999"),
        (b"Infinity", b"1e999"),
    ];
    for (word, written) in words {
        if rest.starts_with(word) {
            replaced.numbers = true;
            let taken = word.len();
            return LenientStep { taken, written };
        }
    }
    same(rest, 1)
}

fn text_step<'a>(rest: &'a [u8], replaced: &mut Replaced) -> LenientStep<'a> {
    if rest[0] != b'\\' {
        return same(rest, 1);
    }
    match surrogate(rest) {
        Some(0xd800..=0xdbff) if matches!(surrogate(&rest[6..]), Some(0xdc00..=0xdfff)) => {
            same(rest, 12)
        }
        Some(_) => {
            replaced.halves = true;
            LenientStep {
                taken: 6,
                written: b"\\ufffd",
            }
        }
        None => same(rest, 2),
    }
}

fn same(rest: &[u8], length: usize) -> LenientStep<'_> {
    let taken = length.min(rest.len());
    let written = &rest[..taken];
    LenientStep { taken, written }
}

/// Returns true if half of a surrogate pair stands there, encoded as if it were a character.
pub(crate) fn has_raw_half(message: &[u8]) -> bool {
    let mut pairs = message.windows(2);
    pairs.any(|pair| pair[0] == 0xed && pair[1] >= 0xa0)
}

/// Returns the escaped half of a surrogate pair at the front.
fn surrogate(rest: &[u8]) -> Option<u32> {
    let digits = rest.strip_prefix(b"\\u")?.get(..4)?;
    let digits = std::str::from_utf8(digits).ok()?;
    let code = u32::from_str_radix(digits, 16).ok()?;
    (0xd800..=0xdfff).contains(&code).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &[u8]) -> (String, bool, bool) {
        let (json, Replaced { numbers, halves }) = as_json(message);
        let json = String::from_utf8(json.into_owned()).unwrap();
        (json, numbers, halves)
    }

    #[test]
    fn what_is_json_stays_as_it_is() {
        for message in [
            r#"{"NaN": "Infinity \"NaN\" \\", "a": [1e5, "\ud83d\ude00 \\ud83d"]}"#,
            r#""\u00e9 ü""#,
            "",
            "\"\\",
            "\"\\u",
        ] {
            assert_eq!(read(message.as_bytes()), (message.to_owned(), false, false));
        }
    }

    #[test]
    fn what_only_python_writes_is_replaced() {
        let numbers = read(br#"[NaN, Infinity, -Infinity, "NaN"]"#);
        assert_eq!(
            numbers,
            (r#"[null, 1e999, -1e999, "NaN"]"#.to_owned(), true, false)
        );
        let halves = read(br#""\ud83d \uDE00 \ud83d\ud83d\ude00""#);
        assert_eq!(
            halves,
            (
                r#""\ufffd \ufffd \ufffd\ud83d\ude00""#.to_owned(),
                false,
                true
            )
        );
        assert_eq!(read(b"\"\xff\""), ("\"\u{fffd}\"".to_owned(), false, true));
    }
}
