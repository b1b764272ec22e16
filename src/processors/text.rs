//! Converts foreign bytes to text that JSON and SQLite store without loss.

/// Replaces NUL, at which many readers of the database end a string, by U+FFFD.
pub(crate) fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

/// Returns the bytes as text of at most `limit` bytes, and whether it was cut, never inside a character. U+FFFD
/// replaces NUL and bytes that are not UTF-8.
pub(crate) fn text(bytes: &[u8], limit: usize) -> (String, bool) {
    let mut text = without_nul(&String::from_utf8_lossy(bytes));
    let cut = text.len() > limit;
    text.truncate(text.floor_char_boundary(limit));
    (text, cut)
}

/// Returns the bytes as a result of at most `limit` bytes; a result that was cut ends with a line that says so.
pub(crate) fn result(bytes: &[u8], limit: usize) -> String {
    let (mut text, cut) = text(bytes, limit);
    if cut {
        text.push_str(&format!("\n[result cut at {limit} bytes]"));
    }
    text
}
