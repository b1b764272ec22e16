//! Detects responses that are compressed although no request asks for that.
//!
//! The client decompresses gzip and deflate and then removes `Content-Encoding`. Any encoding that is left cannot be
//! decoded here, and unreadable bytes must not become a result.

use reqwest::header::{CONTENT_ENCODING, HeaderMap};

/// The number of characters of an encoding's name that a message shows.
const SHOWN: usize = 40;

/// The first bytes of compressed files, for responses whose headers do not name an encoding.
const BEGINNINGS: [(&[u8], &str); 4] = [
    (&[0x1F, 0x8B], "gzip"),
    (&[0x28, 0xB5, 0x2F, 0xFD], "zstd"),
    (&[0xFD, b'7', b'z', b'X', b'Z', 0], "xz"),
    (b"BZh", "bzip2"),
];

/// Returns the encoding that a body still has.
pub(crate) fn encoding_left(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(CONTENT_ENCODING).iter();
    let names = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let names = names.map(|name| String::from_utf8_lossy(name).trim().to_owned());
    let mut left = names.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity"));
    let name: String = left.next()?.chars().take(SHOWN).collect();
    Some(name.replace(char::is_control, " "))
}

/// Returns the format of a body that is a compressed file, by its first bytes.
pub(crate) fn compressed_as(body: &[u8]) -> Option<&'static str> {
    let is_text = std::str::from_utf8(body).is_ok();
    let mut found = BEGINNINGS
        .iter()
        .filter(|(begin, _)| body.starts_with(begin));
    found.next().filter(|_| !is_text).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_is_no_encoding() {
        let left = |value: &str| {
            let value = value.parse().unwrap();
            encoding_left(&HeaderMap::from_iter([(CONTENT_ENCODING, value)]))
        };
        assert_eq!(left("identity"), None);
        assert_eq!(left(""), None);
        assert_eq!(left("br").as_deref(), Some("br"));
        assert_eq!(left("Identity, zstd").as_deref(), Some("zstd"));
        assert_eq!(encoding_left(&HeaderMap::new()), None);
    }

    #[test]
    fn a_text_that_begins_like_a_compressed_file_is_a_text() {
        assert_eq!(compressed_as(b"BZhello"), None);
        assert_eq!(compressed_as(b"BZh91AY&SY\xFF\xFE"), Some("bzip2"));
        assert_eq!(compressed_as(&[0x1F, 0x8B, 8, 0]), Some("gzip"));
        assert_eq!(compressed_as(b""), None);
    }
}
