//! Splits a response into events. Pure, and bounded for every input.
//!
//! Servers name one content type and send another, so the first byte decides: `{` and `[` begin JSON, one document or
//! one for each line, and all of it is one event at the end. Everything else is a stream of server-sent events, of
//! which only `data` and a name or field that reports a failure matter. Lines end with LF, CR or CRLF, and chunks end
//! anywhere.

/// The largest event, in bytes. A response that is not streamed is one event.
const LIMIT_BYTES: usize = 32 << 20;

/// The number of bytes from the beginning that the error of an unusable response shows.
const BEGINNING_BYTES: usize = 1024;

/// The mark that may stand before the first line of a text.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// One event of a response.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct AnswerEvent {
    pub(crate) data: String,
    /// True if its name reports a failure.
    pub(crate) is_failure: bool,
    /// True if it is a whole response that is not streamed.
    pub(crate) is_document: bool,
}

/// Splits a response into its events.
#[derive(Default)]
pub(crate) struct Events {
    shape: Shape,
    line: Vec<u8>,
    data: Vec<u8>,
    /// True if the event has a `data` line, perhaps an empty one.
    has_data: bool,
    is_failure: bool,
    after_cr: bool,
    beginning: Vec<u8>,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Shape {
    /// Only white space has arrived.
    #[default]
    Unknown,
    Stream,
    Document,
}

impl Events {
    /// Adds a chunk; returns the events that it completes.
    ///
    /// # Errors
    /// If an event is too large.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<Vec<AnswerEvent>, &'static str> {
        if self.line.len() + self.data.len() + chunk.len() > LIMIT_BYTES {
            return Err("the response contains an event of more than 32 MiB");
        }
        let room = BEGINNING_BYTES - self.beginning.len();
        self.beginning
            .extend_from_slice(&chunk[..chunk.len().min(room)]);
        if self.shape == Shape::Stream {
            return Ok(self.push_lines(chunk));
        }
        self.data.extend_from_slice(chunk);
        if self.shape == Shape::Unknown
            && let Some(first) = first_byte(&self.data)
        {
            self.shape = match first {
                b'{' | b'[' => Shape::Document,
                _ => Shape::Stream,
            };
        }
        if self.shape != Shape::Stream {
            return Ok(Vec::new());
        }
        let all = std::mem::take(&mut self.data);
        Ok(self.push_lines(all.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&all)))
    }

    /// Returns the unfinished event at the end, or the whole document.
    pub(crate) fn rest(&mut self) -> Option<AnswerEvent> {
        if self.shape == Shape::Document {
            let data = std::mem::take(&mut self.data);
            let data = data.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&data);
            return Some(AnswerEvent {
                data: String::from_utf8_lossy(data).into_owned(),
                is_failure: false,
                is_document: true,
            });
        }
        let event = match self.line.is_empty() {
            true => None,
            false => self.end_line(),
        };
        event.or_else(|| self.end_event())
    }

    /// Returns true if the response is a stream, so that its last event may be incomplete.
    pub(crate) fn is_stream(&self) -> bool {
        self.shape != Shape::Document
    }

    /// Returns the beginning of the response.
    pub(crate) fn beginning(&self) -> String {
        String::from_utf8_lossy(&self.beginning).into_owned()
    }

    fn push_lines(&mut self, bytes: &[u8]) -> Vec<AnswerEvent> {
        let mut events = Vec::new();
        for &byte in bytes {
            let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => events.extend(self.end_line()),
                _ => self.line.push(byte),
            }
        }
        events
    }

    fn end_line(&mut self) -> Option<AnswerEvent> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return self.end_event();
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => self.is_failure = names_a_failure(value),
            b"data" => self.add_data(value),
            // llama.cpp reports its failures in a field of this name.
            b"error" => {
                self.is_failure = true;
                self.add_data(value);
            }
            _ => {}
        }
        None
    }

    fn add_data(&mut self, value: &[u8]) {
        if std::mem::replace(&mut self.has_data, true) {
            self.data.push(b'\n');
        }
        self.data.extend_from_slice(value);
    }

    fn end_event(&mut self) -> Option<AnswerEvent> {
        let data = std::mem::take(&mut self.data);
        let is_failure = std::mem::take(&mut self.is_failure);
        let has_data = std::mem::take(&mut self.has_data);
        (has_data || is_failure).then(|| AnswerEvent {
            data: String::from_utf8_lossy(&data).into_owned(),
            is_failure,
            is_document: false,
        })
    }
}

/// Returns the first byte that is not white space, after a byte order mark.
fn first_byte(bytes: &[u8]) -> Option<u8> {
    if BYTE_ORDER_MARK.starts_with(bytes) {
        return None;
    }
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    text.iter()
        .copied()
        .find(|byte| !byte.is_ascii_whitespace())
}

/// Returns true if this event name reports a failure: `error`, `exception`, `response.failed`.
fn names_a_failure(name: &[u8]) -> bool {
    let name = name.trim_ascii().to_ascii_lowercase();
    let ends = [b"error".as_slice(), b"exception", b"failed"];
    ends.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(chunks: &[&[u8]]) -> Vec<String> {
        let mut events = Events::default();
        let mut found = Vec::new();
        for chunk in chunks {
            found.extend(events.push(chunk).unwrap());
        }
        found.extend(events.rest());
        found.into_iter().map(|event| event.data).collect()
    }

    #[test]
    fn an_event_is_the_same_wherever_it_is_cut() {
        let text = "\u{feff}: hello\r\n\r\ndata: {\"ä\":\r\ndata: 1}\r\nid: 7\r\n\r\n\
                    : comment\n\ndata:two\n\ndatabase: no\ndata\n\nevent: x\rdata:  three\r\rdata: [DONE]";
        let expected = ["{\"ä\":\n1}", "two", "", " three", "[DONE]"];
        let bytes = text.as_bytes();
        assert_eq!(all(&[bytes]), expected);
        let single: Vec<_> = bytes.chunks(1).collect();
        assert_eq!(all(&single), expected);
        for at in 0..bytes.len() {
            assert_eq!(all(&[&bytes[..at], &bytes[at..]]), expected, "cut at {at}");
        }
    }

    #[test]
    fn a_mark_before_the_first_line_belongs_to_no_event() {
        let text = "\u{feff}data: one\n\n\u{feff}data: none\n\ndata: \u{feff}two\n\n";
        assert_eq!(all(&[text.as_bytes()]), ["one", "\u{feff}two"]);
        assert_eq!(all(&["\u{feff}{}".as_bytes()]), ["{}"]);
    }

    #[test]
    fn an_event_without_end_is_refused() {
        let mut events = Events::default();
        let chunk = vec![b'x'; 1 << 20];
        let refused = (0..64).find_map(|_| events.push(&chunk).err());
        assert!(refused.is_some());
    }

    #[test]
    fn what_begins_as_json_is_one_event_wherever_it_is_cut() {
        for text in [
            "{\n\n}",
            " \r\n [1,\n\n2]",
            "\u{feff}\n{\"data\": \"data: x\"}",
        ] {
            let expected = [text.trim_start_matches('\u{feff}')];
            assert_eq!(all(&[text.as_bytes()]), expected);
            let single: Vec<_> = text.as_bytes().chunks(1).collect();
            assert_eq!(all(&single), expected);
        }
        assert_eq!(all(&[b" \n \n"]), [""; 0]);
        assert_eq!(all(&[]), [""; 0]);
    }

    #[test]
    fn names_and_fields_tell_of_failures() {
        let failures = |text: &str| {
            let mut events = Events::default();
            let mut found = events.push(text.as_bytes()).unwrap();
            found.extend(events.rest());
            let found = found.into_iter();
            let failures: Vec<_> = found.map(|event| (event.data, event.is_failure)).collect();
            failures
        };
        let told = |data: &str, is_failure| (data.to_owned(), is_failure);
        let text = "event: error\ndata: x\n\ndata: y\n\nerror: z\n\nevent: message\ndata: w\n\n";
        let expected = [
            told("x", true),
            told("y", false),
            told("z", true),
            told("w", false),
        ];
        assert_eq!(failures(text), expected);
        assert_eq!(failures("event:Error\n\n"), [told("", true)]);
        assert_eq!(
            failures("event: response.failed\ndata: 1"),
            [told("1", true)]
        );
    }
}
