//! What a program's output means: lines for the log, progress, the result.
//!
//! Pure: bytes in, text out, and bounded whatever comes. A line is held until it ends, but no
//! longer than [`LINE_LIMIT_BYTES`]; what follows in the same line goes to the result alone. A carriage
//! return begins the line anew, so a progress bar is one line however often it is printed.
//! Everything that leaves is text that JSON and SQLite hold without loss: bytes that are not UTF-8,
//! and NUL, which cuts a string short in many a reader of the database, become U+FFFD.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::processors::text::{result, text};
use crate::terminal::{OutputLine, TerminalLine, data_without_escapes};

/// The largest line of the log, in bytes.
pub(crate) const LINE_LIMIT_BYTES: usize = 64 * 1024;

/// The largest result, in bytes.
pub(crate) const RESULT_LIMIT_BYTES: usize = 1024 * 1024;

/// A larger result is finished on a thread that may block.
const LARGE_BYTES: usize = 64 * 1024;

/// The bytes kept beyond a limit: a line end that will be stripped must not count as "too long", and a character that
/// straddles the limit is recognised and left out whole.
const SLACK_BYTES: usize = 2;

/// A line with this prefix is a message to the service.
const COMMAND_PREFIX: &[u8] = b"::";
const PROGRESS_PREFIX: &[u8] = b"::progress ";
const PROGRESS_RANGE: RangeInclusive<f64> = 0.0..=1.0;

/// The number of characters of an unfinished line that are shown.
const SHOWN_CHARS: usize = 1000;

/// Cuts a stream into [`Piece`]s.
#[derive(Default)]
pub(crate) struct Lines {
    buffer: Vec<u8>,
    /// True if the buffer was returned as a piece; the next call begins with an empty one.
    handed_out: bool,
    /// True if the head of the current line has already been returned.
    in_long_line: bool,
}

/// A part of the output, with its line end if it has one.
#[derive(Debug, PartialEq)]
pub(crate) struct Piece<'a> {
    pub(crate) raw: &'a [u8],
    kind: Kind,
}

#[derive(Debug, PartialEq)]
enum Kind {
    /// A whole line, or what follows the last line end.
    Line,
    /// The beginning of a line that is longer than the limit.
    Head,
    /// More of the line whose head was returned.
    Rest,
    /// A state of a line that the next one replaces: it ends in a carriage return.
    Replaced,
}

impl Lines {
    /// Takes bytes from the front of `chunk` up to the end of a piece; `None` when the chunk is used up and no piece
    /// is complete.
    pub(crate) fn next(&mut self, chunk: &mut &[u8]) -> Option<Piece<'_>> {
        if std::mem::take(&mut self.handed_out) {
            self.buffer.clear();
        }
        // A carriage return is half of a line end if a line feed follows, perhaps in the next chunk.
        if self.buffer.ends_with(b"\r") && chunk.first().is_some_and(|&byte| byte != b'\n') {
            return Some(self.hand_out(End::Return));
        }
        let room = LINE_LIMIT_BYTES + SLACK_BYTES - self.buffer.len();
        let (taken, end) = match end_of_piece(chunk) {
            Some((at, end)) if at <= room => (at, end),
            _ => (chunk.len().min(room), End::None),
        };
        self.buffer.extend_from_slice(&chunk[..taken]);
        *chunk = &chunk[taken..];

        let full = taken == room;
        let complete = end != End::None || full || (self.in_long_line && taken > 0);
        complete.then(|| self.hand_out(end))
    }

    /// Returns the last line if the stream does not end with a line end.
    pub(crate) fn last(&mut self) -> Option<Piece<'_>> {
        let unfinished = !self.handed_out && !self.buffer.is_empty();
        unfinished.then(|| self.hand_out(End::Line))
    }

    /// Returns the beginning of an unfinished line.
    fn unfinished(&self) -> &[u8] {
        match self.handed_out || self.in_long_line {
            true => &[],
            false => &self.buffer,
        }
    }

    fn hand_out(&mut self, end: End) -> Piece<'_> {
        let kind = match (self.in_long_line, end) {
            (true, _) => Kind::Rest,
            (false, End::Line) => Kind::Line,
            (false, End::Return) => Kind::Replaced,
            (false, End::None) => Kind::Head,
        };
        self.in_long_line = end == End::None;
        self.handed_out = true;
        Piece {
            raw: &self.buffer,
            kind,
        }
    }
}

/// How a piece ends.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Line,
    Return,
    None,
}

/// Returns where the first line or state of a line certainly ends: after its line feed, or after a carriage return
/// that another byte follows.
fn end_of_piece(chunk: &[u8]) -> Option<(usize, End)> {
    let mut from = 0;
    loop {
        let at = chunk[from..]
            .iter()
            .position(|byte| matches!(byte, b'\n' | b'\r'))?
            + from;
        match (chunk[at], chunk.get(at + 1)) {
            (b'\n', _) => return Some((at + 1, End::Line)),
            (_, Some(b'\n')) => return Some((at + 2, End::Line)),
            (_, Some(_)) => return Some((at + 1, End::Return)),
            (_, None) => from = at + 1,
        }
    }
}

/// Builds the lines of one stream as the log shows them.
#[derive(Default)]
pub(crate) struct ScreenLine {
    line: TerminalLine,
    /// True if live viewers see the current state of the line.
    is_live: bool,
}

impl ScreenLine {
    /// Applies a piece; returns the line that it completes, if that is to be logged.
    pub(crate) fn print(&mut self, piece: &Piece<'_>) -> Option<OutputLine> {
        match piece.kind {
            Kind::Rest => return None,
            Kind::Replaced => {
                self.line.feed(&text(piece.raw, LINE_LIMIT_BYTES).0);
                return None;
            }
            Kind::Line | Kind::Head => {}
        }
        let raw = piece.raw.strip_suffix(b"\n").unwrap_or(piece.raw);
        let printed = raw.iter().rposition(|&byte| byte != b'\r');
        let (text, cut) = text(&raw[..printed.map_or(0, |at| at + 1)], LINE_LIMIT_BYTES);
        self.line.feed(&text);
        if cut {
            self.line
                .feed(&format!(" [line cut at {LINE_LIMIT_BYTES} bytes]"));
        }
        let replaces = self.is_live;
        let line = self.line.end()?;
        self.is_live = false;
        Some(line.replacing(replaces))
    }

    /// Returns the line that remains when the stream ends after a carriage return.
    pub(crate) fn end(&mut self) -> Option<OutputLine> {
        match self.line.is_empty() {
            true => None,
            false => Some(self.line.end()?.replacing(self.is_live)),
        }
    }

    /// Returns the unfinished line for live viewers; `None` if they already see it.
    pub(crate) fn live(&mut self, lines: &Lines) -> Option<OutputLine> {
        let mut line = self.line.clone();
        let unfinished = lines.unfinished();
        if unfinished.starts_with(COMMAND_PREFIX) {
            return None;
        }
        line.feed(&text(unfinished, LINE_LIMIT_BYTES).0);
        let was_live = std::mem::replace(&mut self.is_live, !line.is_empty());
        (was_live || self.is_live).then(|| line.shown(SHOWN_CHARS))
    }
}

impl Piece<'_> {
    /// Returns the progress that this line reports. `None` for anything but a well-formed `::progress <0 to 1>`: the
    /// log shows its author a mistyped one.
    pub(crate) fn progress(&self) -> Option<f64> {
        if !matches!(self.kind, Kind::Line | Kind::Replaced) {
            return None;
        }
        let number = str::from_utf8(self.raw.strip_prefix(PROGRESS_PREFIX)?).ok()?;
        let progress = number.trim().parse().ok()?;
        PROGRESS_RANGE.contains(&progress).then_some(progress)
    }
}

/// Collects standard output into a task's result.
#[derive(Default)]
pub(crate) struct ResultText {
    bytes: Vec<u8>,
    overflowed: bool,
}

impl ResultText {
    pub(crate) fn push(&mut self, raw: &[u8]) {
        let room = RESULT_LIMIT_BYTES + SLACK_BYTES - self.bytes.len();
        self.overflowed |= raw.len() > room;
        self.bytes.extend_from_slice(&raw[..raw.len().min(room)]);
    }

    /// Returns true if finishing it would block other tasks for a noticeable time.
    pub(crate) fn is_large(&self) -> bool {
        self.bytes.len() > LARGE_BYTES
    }

    /// Returns the result: without the one line end that nearly every program prints last (`echo hi` means `hi`),
    /// without escape sequences, and, if it was cut, with a closing line that says so.
    pub(crate) fn finish(self) -> String {
        let bytes = if self.overflowed {
            &self.bytes
        } else {
            without_line_end(&self.bytes)
        };
        let text = result(bytes, RESULT_LIMIT_BYTES);
        match data_without_escapes(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(text) => text,
        }
    }
}

fn without_line_end(bytes: &[u8]) -> &[u8] {
    let Some(line) = bytes.strip_suffix(b"\n") else {
        return bytes;
    };
    line.strip_suffix(b"\r").unwrap_or(line)
}
