//! Foreign bytes as text that JSON and SQLite hold without loss.

/// The same with U+FFFD for NUL, which cuts a string short in many a reader of the database.
pub(crate) fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

/// The bytes as text of at most `limit` bytes, and whether that took a cut. Never cuts a character.
/// Bytes that are not UTF-8, and NUL, become U+FFFD.
pub(crate) fn text(bytes: &[u8], limit: usize) -> (String, bool) {
    let mut text = without_nul(&String::from_utf8_lossy(bytes));
    let cut = text.len() > limit;
    text.truncate(text.floor_char_boundary(limit));
    (text, cut)
}

/// The bytes as a result of at most `limit` bytes, with a closing line that says so if it was cut.
pub(crate) fn result(bytes: &[u8], limit: usize) -> String {
    let (mut text, cut) = text(bytes, limit);
    if cut {
        text.push_str(&format!("\n[result cut at {limit} bytes]"));
    }
    text
}
