//! Reads a dump's bytes for the parser, as strict JSON (`strict_json`).
//!
//! A [`Meter`] counts what was read and can bound it, for what has to be held in memory.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use super::strict_json::StrictJson;

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
    rewriter: StrictJson,
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
            rewriter: StrictJson::default(),
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
            self.rewriter.push(&self.raw[..read], &mut self.ready);
            self.meter.look_for_text(&self.ready);
            self.meter.replaced.set(self.rewriter.replaced);
        }
        let rest = &self.ready[self.taken..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.taken += count;
        Ok(count)
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
