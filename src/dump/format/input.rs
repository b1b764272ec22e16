//! Reads a dump's bytes for the parser.
//!
//! Python writes and reads `NaN`, `Infinity` and `-Infinity`, which are no JSON: outside of strings
//! they become `null`, as in the original's own HTTP answers. Python also writes halves of surrogate
//! pairs, which are no characters: they become U+FFFD, so that one of them does not cost the whole
//! file. A byte order mark is dropped. A [`Meter`] counts what was read and can bound it, for what has to be held in memory.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];
const BUFFER_BYTES: usize = 64 * 1024;

/// How much of the file was read, in bytes; ahead of the parser by the size of the buffers.
#[derive(Default)]
pub(crate) struct Meter {
    read: Cell<u64>,
    limit: Cell<Option<u64>>,
    exceeded: Cell<bool>,
    has_text: Cell<bool>,
    replaced: Cell<u64>,
}

impl Meter {
    /// Bytes read so far.
    pub(crate) fn read(&self) -> u64 {
        self.read.get()
    }

    /// From here on, reading fails once more than `bytes` and the buffers were read.
    pub(crate) fn allow(&self, bytes: u64) {
        let buffered = 2 * BUFFER_BYTES as u64;
        self.limit.set(Some(self.read.get() + bytes + buffered));
    }

    /// From here on, any amount may be read.
    pub(crate) fn allow_all(&self) {
        self.limit.set(None);
    }

    /// Whether there was anything but white space and a byte order mark.
    pub(crate) fn has_text(&self) -> bool {
        self.has_text.get()
    }

    fn look_for_text(&self, bytes: &[u8]) {
        if !self.has_text.get() {
            self.has_text
                .set(!bytes.iter().all(u8::is_ascii_whitespace));
        }
    }

    /// Whether reading failed because of the limit.
    pub(crate) fn exceeded(&self) -> bool {
        self.exceeded.get()
    }

    /// Halves of surrogate pairs that became U+FFFD.
    pub(crate) fn replaced(&self) -> u64 {
        self.replaced.get()
    }

    fn count(&self, bytes: usize) -> io::Result<()> {
        let read = self.read.get() + bytes as u64;
        self.read.set(read);
        if self.limit.get().is_some_and(|limit| read > limit) {
            self.exceeded.set(true);
            return Err(io::Error::other("more than may be held in memory"));
        }
        Ok(())
    }
}

/// The file as strict JSON.
pub(crate) struct Input<R> {
    inner: R,
    meter: Rc<Meter>,
    filter: Filter,
    raw: Box<[u8]>,
    ready: Vec<u8>,
    taken: usize,
}

impl<R: Read> Input<R> {
    /// Reads from `inner`, counting on `meter`; buffered, for byte-wise reading through a
    /// `BufReader`.
    pub(crate) fn new(inner: R, meter: Rc<Meter>) -> io::BufReader<Self> {
        let input = Self {
            inner,
            meter,
            filter: Filter::default(),
            raw: vec![0; BUFFER_BYTES].into(),
            ready: Vec::with_capacity(BUFFER_BYTES),
            taken: 0,
        };
        // Not for fewer system calls but for serde_json, which takes single bytes: the standard
        // library has a fast path for that in `BufReader` alone.
        io::BufReader::with_capacity(BUFFER_BYTES, input)
    }
}

impl<R: Read> Read for Input<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.ready.len() {
            let read = self.inner.read(&mut self.raw)?;
            if read == 0 {
                return Ok(0);
            }
            self.meter.count(read)?;
            self.ready.clear();
            self.taken = 0;
            self.filter.push(&self.raw[..read], &mut self.ready);
            self.meter.look_for_text(&self.ready);
            self.meter.replaced.set(self.filter.replaced);
        }
        let rest = &self.ready[self.taken..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.taken += count;
        Ok(count)
    }
}

/// Where in the text the filter stands; a word may be cut by the end of a buffer.
#[derive(Clone, Copy)]
enum State {
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

struct Filter {
    state: State,
    /// The digits of the escape that is being read.
    digits: [u8; 4],
    /// The digits of a first half whose second one may come.
    first_half: Option<[u8; 4]>,
    replaced: u64,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            state: State::Start(0),
            digits: [0; 4],
            first_half: None,
            replaced: 0,
        }
    }
}

impl Filter {
    fn push(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while let [first, rest @ ..] = bytes {
            if matches!(self.state, State::Text) {
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
    fn mark(mark: u8, out: &mut Vec<u8>) -> State {
        match mark {
            b'"' => {
                out.push(mark);
                State::Outside
            }
            _ => State::Escape,
        }
    }

    fn step(&mut self, byte: u8, out: &mut Vec<u8>) -> State {
        match self.state {
            State::Start(count) if BYTE_ORDER_MARK.get(count) == Some(&byte) => {
                State::Start(count + 1)
            }
            State::Word([next, rest @ ..]) if *next == byte => match rest {
                [] => State::Outside,
                rest => State::Word(rest),
            },
            State::Word(_) => {
                // No word of Python's: leave something behind that no parser takes.
                out.push(b'?');
                Self::outside(byte, out)
            }
            State::Minus if byte == b'I' => Self::outside(byte, out),
            State::Minus => {
                out.push(b'-');
                Self::outside(byte, out)
            }
            State::Escape if byte == b'u' => State::Unit(0),
            State::Escape => {
                self.end_half(out);
                out.extend([b'\\', byte]);
                State::Text
            }
            State::Unit(count) if byte.is_ascii_hexdigit() => {
                self.digits[count] = byte;
                match count {
                    3 => self.unit(out),
                    _ => State::Unit(count + 1),
                }
            }
            State::Unit(count) => {
                // No escape: the parser's to refuse.
                self.end_half(out);
                out.extend_from_slice(b"\\u");
                out.extend_from_slice(&self.digits[..count]);
                Self::inside(byte, out)
            }
            State::FirstHalf if byte == b'\\' => State::Escape,
            State::FirstHalf => {
                self.end_half(out);
                Self::inside(byte, out)
            }
            State::Start(_) | State::Outside | State::Text => Self::outside(byte, out),
        }
    }

    /// A byte of a string that belongs to no escape.
    fn inside(byte: u8, out: &mut Vec<u8>) -> State {
        if matches!(byte, b'"' | b'\\') {
            return Self::mark(byte, out);
        }
        out.push(byte);
        State::Text
    }

    /// An escape `\uXXXX` is complete.
    fn unit(&mut self, out: &mut Vec<u8>) -> State {
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
                return State::FirstHalf;
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
        State::Text
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

    fn outside(byte: u8, out: &mut Vec<u8>) -> State {
        let word: &[u8] = match byte {
            b'N' => b"aN",
            b'I' => b"nfinity",
            b'-' => return State::Minus,
            other => {
                out.push(other);
                return if other == b'"' {
                    State::Text
                } else {
                    State::Outside
                };
            }
        };
        out.extend_from_slice(b"null");
        State::Word(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives at most `step` bytes at a time.
    struct Dribble<'a>(&'a [u8], usize);

    impl Read for Dribble<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            let (now, later) = self.0.split_at(count);
            buffer[..count].copy_from_slice(now);
            self.0 = later;
            Ok(count)
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        for step in [1, 2, 3, 7, 1000] {
            let mut read = String::new();
            Input::new(Dribble(text.as_bytes(), step), Rc::default())
                .read_to_string(&mut read)
                .unwrap();
            assert_eq!(read, expected, "in steps of {step}");
        }
    }

    #[test]
    fn numbers_that_only_python_knows_become_null() {
        check(
            r#"{"a": NaN, "b": [Infinity,-Infinity,-1.5]}"#,
            r#"{"a": null, "b": [null,null,-1.5]}"#,
        );
    }

    #[test]
    fn strings_stay_as_they_are() {
        for text in [
            r#"["NaN", "-Infinity \" NaN", "\\", "Infinity"]"#,
            r#"{"Na\u004e \\\" Infinity": true, "żółw 🐢": -1}"#,
        ] {
            check(text, text);
        }
    }

    #[test]
    fn halves_of_surrogate_pairs_become_the_replacement_character() {
        check(
            r#"["\ud83d\ude00 \uD83D\uDE00"]"#,
            r#"["\ud83d\ude00 \uD83D\uDE00"]"#,
        );
        check(r#"["\ud83d"]"#, r#"["\ufffd"]"#);
        check(r#"["\ude00x", "\ud83dx"]"#, r#"["\ufffdx", "\ufffdx"]"#);
        check(r#"["\ud83d\ud83d\ude00"]"#, r#"["\ufffd\ud83d\ude00"]"#);
        check(
            r#"["\ud83d\n\ud83d\u00e9\ud83d\\"]"#,
            r#"["\ufffd\n\ufffd\u00e9\ufffd\\"]"#,
        );
        check(r#"["\\ud83d", "\u12"]"#, r#"["\\ud83d", "\u12"]"#);
        check(r#"{"\udbff": 1}"#, r#"{"\ufffd": 1}"#);
    }

    #[test]
    fn other_words_stay_unreadable() {
        check("[Nil]", "[null?il]");
        check("[Info]", "[null?o]");
        check("[N]", "[null?]");
    }

    #[test]
    fn a_byte_order_mark_is_dropped() {
        check("\u{feff}{}", "{}");
        check("\u{feff}", "");
    }

    #[test]
    fn reading_fails_beyond_the_limit() {
        let meter = Rc::new(Meter::default());
        meter.allow(1000);
        let mut input = Input::new(io::repeat(b' '), Rc::clone(&meter));
        io::copy(&mut input, &mut io::sink()).unwrap_err();
        assert!(meter.exceeded());
        assert!(meter.read() < 1_000_000);
    }
}
