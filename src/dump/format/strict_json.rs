//! Rewrites what Python's `json` writes as strict JSON.
//!
//! `NaN`, `Infinity` and `-Infinity` become `null` outside of strings, as in the original's own HTTP answers. Halves of
//! surrogate pairs, which are no characters, become U+FFFD, so that one of them does not make the whole file unreadable. A
//! byte order mark is dropped.

const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// Where in the text the rewriting stands; a word may be cut by the end of a buffer.
#[derive(Clone, Copy)]
enum ScanState {
    /// This many bytes of a byte order mark have come, and nothing else.
    Start(usize),
    Outside,
    /// After a minus sign that is held back until it is known whose it is.
    Minus,
    /// In a word already replaced by `null`; these bytes are still to come.
    Word(&'static [u8]),
    Text,
    /// In a string, after a backslash that is held back.
    Escape,
    /// In an escape `\uXXXX`; this many digits have come.
    Unit(usize),
    /// In a string, right after the first half of a surrogate pair, which is held back.
    FirstHalf,
}

/// Rewrites a stream of bytes, in pieces of any length.
pub(super) struct StrictJson {
    state: ScanState,
    /// The digits of the escape that is being read.
    digits: [u8; 4],
    /// The digits of a first half whose second one may come.
    first_half: Option<[u8; 4]>,
    /// Halves of surrogate pairs that became U+FFFD.
    pub(super) replaced: u64,
}

impl Default for StrictJson {
    fn default() -> Self {
        Self {
            state: ScanState::Start(0),
            digits: [0; 4],
            first_half: None,
            replaced: 0,
        }
    }
}

impl StrictJson {
    /// Appends the strict JSON of `bytes` to `out`.
    pub(super) fn push(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while let [first, rest @ ..] = bytes {
            if matches!(self.state, ScanState::Text) {
                // Most of a dump is in strings: go through them in one step.
                let end = bytes.iter().position(|b| matches!(b, b'"' | b'\\'));
                let (text, after) = bytes.split_at(end.unwrap_or(bytes.len()));
                out.extend_from_slice(text);
                bytes = after;
                if let [mark, rest @ ..] = after {
                    self.state = Self::mark(*mark, out);
                    bytes = rest;
                }
            } else {
                self.state = self.step(*first, out);
                bytes = rest;
            }
        }
    }

    /// What comes after a quote or a backslash in a string.
    fn mark(mark: u8, out: &mut Vec<u8>) -> ScanState {
        match mark {
            b'"' => {
                out.push(mark);
                ScanState::Outside
            }
            _ => ScanState::Escape,
        }
    }

    fn step(&mut self, byte: u8, out: &mut Vec<u8>) -> ScanState {
        match self.state {
            ScanState::Start(count) if BYTE_ORDER_MARK.get(count) == Some(&byte) => {
                ScanState::Start(count + 1)
            }
            ScanState::Word([next, rest @ ..]) if *next == byte => match rest {
                [] => ScanState::Outside,
                rest => ScanState::Word(rest),
            },
            ScanState::Word(_) => {
                // No word of Python's: leave something behind that no parser takes.
                out.push(b'?');
                Self::outside(byte, out)
            }
            ScanState::Minus if byte == b'I' => Self::outside(byte, out),
            ScanState::Minus => {
                out.push(b'-');
                Self::outside(byte, out)
            }
            ScanState::Escape if byte == b'u' => ScanState::Unit(0),
            ScanState::Escape => {
                self.end_half(out);
                out.extend([b'\\', byte]);
                ScanState::Text
            }
            ScanState::Unit(count) if byte.is_ascii_hexdigit() => {
                self.digits[count] = byte;
                match count {
                    3 => self.unit(out),
                    _ => ScanState::Unit(count + 1),
                }
            }
            ScanState::Unit(count) => {
                // No escape: the parser's to refuse.
                self.end_half(out);
                out.extend_from_slice(b"\\u");
                out.extend_from_slice(&self.digits[..count]);
                Self::inside(byte, out)
            }
            ScanState::FirstHalf if byte == b'\\' => ScanState::Escape,
            ScanState::FirstHalf => {
                self.end_half(out);
                Self::inside(byte, out)
            }
            ScanState::Start(_) | ScanState::Outside | ScanState::Text => Self::outside(byte, out),
        }
    }

    /// A byte of a string that belongs to no escape.
    fn inside(byte: u8, out: &mut Vec<u8>) -> ScanState {
        if matches!(byte, b'"' | b'\\') {
            return Self::mark(byte, out);
        }
        out.push(byte);
        ScanState::Text
    }

    /// An escape `\uXXXX` is complete.
    fn unit(&mut self, out: &mut Vec<u8>) -> ScanState {
        let digits = self.digits;
        // D8 to DB are first halves, DC to DF second ones.
        let kind = match digits[0] {
            b'd' | b'D' => digits[1].to_ascii_lowercase(),
            _ => b'0',
        };
        match kind {
            b'8' | b'9' | b'a' | b'b' => {
                self.end_half(out);
                self.first_half = Some(digits);
                return ScanState::FirstHalf;
            }
            b'c'..=b'f' => match self.first_half.take() {
                Some(first) => {
                    Self::write_unit(first, out);
                    Self::write_unit(digits, out);
                }
                None => self.replace(out),
            },
            _ => {
                self.end_half(out);
                Self::write_unit(digits, out);
            }
        }
        ScanState::Text
    }

    /// No second half comes for a first one that is held back.
    fn end_half(&mut self, out: &mut Vec<u8>) {
        if self.first_half.take().is_some() {
            self.replace(out);
        }
    }

    fn replace(&mut self, out: &mut Vec<u8>) {
        self.replaced += 1;
        Self::write_unit(*b"fffd", out);
    }

    fn write_unit(digits: [u8; 4], out: &mut Vec<u8>) {
        out.extend_from_slice(b"\\u");
        out.extend_from_slice(&digits);
    }

    fn outside(byte: u8, out: &mut Vec<u8>) -> ScanState {
        let word: &[u8] = match byte {
            b'N' => b"aN",
            b'I' => b"nfinity",
            b'-' => return ScanState::Minus,
            other => {
                out.push(other);
                return if other == b'"' {
                    ScanState::Text
                } else {
                    ScanState::Outside
                };
            }
        };
        out.extend_from_slice(b"null");
        ScanState::Word(word)
    }
}
