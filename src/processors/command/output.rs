//! What a program's output means: lines for the log, progress, the result.
//!
//! Pure: bytes in, text out, and bounded whatever comes. A line is held until it ends, but no
//! longer than [`LINE_LIMIT_BYTES`]; what follows in the same line goes to the result alone.
//! Everything that leaves is text that JSON and SQLite hold without loss: bytes that are not UTF-8,
//! and NUL, which cuts a string short in many a reader of the database, become U+FFFD.

use std::ops::RangeInclusive;

use crate::processors::text::{result, text};

/// The log takes this much of one line.
pub(super) const LINE_LIMIT_BYTES: usize = 64 * 1024;

/// The result takes this much of standard output.
pub(super) const RESULT_LIMIT_BYTES: usize = 1024 * 1024;

/// What is kept beyond a limit: a line end that will be stripped must not count as "too long", and
/// a character that straddles the limit is then seen as one and left out whole.
const SLACK_BYTES: usize = 2;

const PROGRESS_PREFIX: &[u8] = b"::progress ";
const PROGRESS_RANGE: RangeInclusive<f64> = 0.0..=1.0;

/// Cuts a stream into [`Piece`]s.
#[derive(Default)]
pub(super) struct Lines {
    buffer: Vec<u8>,
    /// The buffer was handed out as a piece, and the next call begins with an empty one.
    handed_out: bool,
    /// The head of the current line has gone out already.
    in_long_line: bool,
}

/// A stretch of output, with its line end if it has one.
#[derive(Debug, PartialEq)]
pub(super) struct Piece<'a> {
    pub(super) raw: &'a [u8],
    kind: Kind,
}

#[derive(Debug, PartialEq)]
enum Kind {
    /// A whole line, or what stood after the last line end.
    Line,
    /// The beginning of a line longer than the limit.
    Head,
    /// More of the line whose head was given.
    Rest,
}

impl Lines {
    /// Takes bytes from the front of `chunk` up to the end of a piece; `None` when the chunk is used
    /// up and no piece is complete.
    pub(super) fn next(&mut self, chunk: &mut &[u8]) -> Option<Piece<'_>> {
        if std::mem::take(&mut self.handed_out) {
            self.buffer.clear();
        }
        let room = LINE_LIMIT_BYTES + SLACK_BYTES - self.buffer.len();
        let line_end = chunk.iter().position(|&byte| byte == b'\n');
        let taken = line_end.map_or(chunk.len(), |at| at + 1).min(room);
        self.buffer.extend_from_slice(&chunk[..taken]);
        *chunk = &chunk[taken..];

        let ended = self.buffer.ends_with(b"\n");
        let full = taken == room;
        let complete = ended || full || (self.in_long_line && taken > 0);
        complete.then(|| self.hand_out(ended))
    }

    /// The last line, if the stream did not end with a line end.
    pub(super) fn last(&mut self) -> Option<Piece<'_>> {
        let unfinished = !self.handed_out && !self.buffer.is_empty();
        unfinished.then(|| self.hand_out(true))
    }

    fn hand_out(&mut self, ended: bool) -> Piece<'_> {
        let kind = match (self.in_long_line, ended) {
            (true, _) => Kind::Rest,
            (false, true) => Kind::Line,
            (false, false) => Kind::Head,
        };
        self.in_long_line = !ended;
        self.handed_out = true;
        Piece {
            raw: &self.buffer,
            kind,
        }
    }
}

impl Piece<'_> {
    /// The progress that this line reports. `None` for anything but a well-formed
    /// `::progress <0 to 1>`: a mistyped one is more useful to its author in the log.
    pub(super) fn progress(&self) -> Option<f64> {
        if self.kind != Kind::Line {
            return None;
        }
        let number = str::from_utf8(self.raw.strip_prefix(PROGRESS_PREFIX)?).ok()?;
        let progress = number.trim().parse().ok()?;
        PROGRESS_RANGE.contains(&progress).then_some(progress)
    }

    /// The line as the log has it, without its line end; `None` for the rest of a long line.
    pub(super) fn log_line(&self) -> Option<String> {
        if self.kind == Kind::Rest {
            return None;
        }
        let line = self.raw.strip_suffix(b"\n").unwrap_or(self.raw);
        let printed = line.iter().rposition(|&byte| byte != b'\r');
        let (mut text, cut) = text(&line[..printed.map_or(0, |at| at + 1)], LINE_LIMIT_BYTES);
        if cut {
            text.push_str(&format!(" [line cut at {LINE_LIMIT_BYTES} bytes]"));
        }
        Some(text)
    }
}

/// Collects standard output into a task's result.
#[derive(Default)]
pub(super) struct ResultText {
    bytes: Vec<u8>,
    overflowed: bool,
}

impl ResultText {
    pub(super) fn push(&mut self, raw: &[u8]) {
        let room = RESULT_LIMIT_BYTES + SLACK_BYTES - self.bytes.len();
        self.overflowed |= raw.len() > room;
        self.bytes.extend_from_slice(&raw[..raw.len().min(room)]);
    }

    /// The result: without the one line end that nearly every program prints last (`echo hi` means
    /// `hi`), and with a closing line that says so if it was cut.
    pub(super) fn finish(self) -> String {
        let bytes = if self.overflowed {
            &self.bytes
        } else {
            without_line_end(&self.bytes)
        };
        result(bytes, RESULT_LIMIT_BYTES)
    }
}

fn without_line_end(bytes: &[u8]) -> &[u8] {
    let Some(line) = bytes.strip_suffix(b"\n") else {
        return bytes;
    };
    line.strip_suffix(b"\r").unwrap_or(line)
}
