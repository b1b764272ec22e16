//! Repairs JSON whose texts were truncated inside a character. Pure.
//!
//! JSON writes a character such as an emoji as two escapes, `\ud83d\ude00`. A server that truncates its answer
//! between them sends two texts, and a strict parser accepts neither.

const UNKNOWN: &str = "\\ufffd";

/// Replaces each half that stands alone by U+FFFD.
pub(crate) fn repair(json: &str) -> String {
    let mut mended = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        mended.push_str(&rest[..at]);
        rest = &rest[at..];
        let (taken, kept) = escape(rest);
        mended.push_str(kept);
        rest = &rest[taken..];
    }
    mended + rest
}

/// Returns the length of the escape at the beginning, and its replacement.
fn escape(text: &str) -> (usize, &str) {
    match (unit(text), text.get(6..).and_then(unit)) {
        (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => (12, &text[..12]),
        (Some(0xD800..=0xDFFF), _) => (6, UNKNOWN),
        _ => {
            let length = text.chars().take(2).map(char::len_utf8).sum();
            (length, &text[..length])
        }
    }
}

/// Returns the number in an escape such as `\ud83d`.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_that_stand_alone_are_replaced_and_nothing_else() {
        for (json, expected) in [
            (r#""\ud83d""#, r#""\ufffd""#),
            (r#""\uDE00 x""#, r#""\ufffd x""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\\ud83d \n \u00e4""#, r#""\\ud83d \n \u00e4""#),
            (r#""\ud8"#, r#""\ud8"#),
            ("\"\\ä", "\"\\ä"),
            ("\\", "\\"),
        ] {
            assert_eq!(repair(json), expected);
        }
    }
}
