//! Server-sent events out of bytes: pure, and bounded whatever comes.
//!
//! Only `data` matters here. Lines end with LF, CR or CRLF, chunks end anywhere.

/// An event that takes more is no part of an answer. A document that is not streamed may hold all of it.
const LIMIT_BYTES: usize = 32 << 20;

/// What may stand before the first line of a text.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Cuts a stream into the data of its events.
#[derive(Default)]
pub(super) struct Events {
    line: Vec<u8>,
    data: Vec<u8>,
    /// The event has a `data` line, perhaps an empty one.
    has_data: bool,
    after_cr: bool,
    /// The first line has ended.
    has_begun: bool,
    /// All of it is the data of one event.
    is_one: bool,
}

impl Events {
    /// Takes everything as it is, for one event at the end.
    pub fn of_one() -> Self {
        Self {
            is_one: true,
            has_data: true,
            ..Self::default()
        }
    }

    /// Takes a chunk; the data of each event that it completes.
    ///
    /// # Errors
    /// When an event is larger than any that belongs here.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Vec<String>, &'static str> {
        if self.line.len() + self.data.len() + chunk.len() > LIMIT_BYTES {
            return Err("the answer has an event of more than 32 MiB in it");
        }
        let mut events = Vec::new();
        if self.is_one {
            self.data.extend_from_slice(chunk);
            return Ok(events);
        }
        for &byte in chunk {
            let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => events.extend(self.end_line()),
                _ => self.line.push(byte),
            }
        }
        Ok(events)
    }

    /// What stands at the end without the empty line that should follow it.
    pub fn rest(&mut self) -> Option<String> {
        let event = match self.line.is_empty() {
            true => None,
            false => self.end_line(),
        };
        event.or_else(|| self.end_event())
    }

    fn end_line(&mut self) -> Option<String> {
        let mut line = std::mem::take(&mut self.line);
        if !std::mem::replace(&mut self.has_begun, true) && line.starts_with(BYTE_ORDER_MARK) {
            line.drain(..BYTE_ORDER_MARK.len());
        }
        if line.is_empty() {
            return self.end_event();
        }
        let value = match line.strip_prefix(b"data")? {
            [] => &[],
            [b':', b' ', value @ ..] | [b':', value @ ..] => value,
            _ => return None,
        };
        if std::mem::replace(&mut self.has_data, true) {
            self.data.push(b'\n');
        }
        self.data.extend_from_slice(value);
        None
    }

    fn end_event(&mut self) -> Option<String> {
        let data = std::mem::take(&mut self.data);
        let has_data = std::mem::take(&mut self.has_data);
        let is_marked = self.is_one && data.starts_with(BYTE_ORDER_MARK);
        let begin = if is_marked { BYTE_ORDER_MARK.len() } else { 0 };
        has_data.then(|| String::from_utf8_lossy(&data[begin..]).into_owned())
    }
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
        found
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
        let mut document = Events::of_one();
        document.push("\u{feff}{}".as_bytes()).unwrap();
        assert_eq!(document.rest().as_deref(), Some("{}"));
    }

    #[test]
    fn an_event_without_end_is_refused() {
        let mut events = Events::default();
        let chunk = vec![b'x'; 1 << 20];
        let refused = (0..64).find_map(|_| events.push(&chunk).err());
        assert!(refused.is_some());
    }

    #[test]
    fn a_document_is_one_event() {
        let mut events = Events::of_one();
        assert_eq!(events.push(b"{\n\n").unwrap(), [""; 0]);
        assert_eq!(events.push(b"}").unwrap(), [""; 0]);
        assert_eq!(events.rest().as_deref(), Some("{\n\n}"));
    }
}
