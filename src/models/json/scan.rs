//! One pass over JSON text, which builds nothing: it finds what some readers cannot take, and stops at the
//! first value beyond a limit. Whether the text is JSON at all is the parser's to say.

use std::ops::Range;

use super::NUMBER_DIGITS;

/// What a text may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Lists and objects within each other, the outermost counted.
    pub(crate) depth: usize,
    /// Values within one item.
    pub(crate) values: usize,
    pub(crate) items: Items,
    /// A field of the outermost object whose values are not counted.
    pub(crate) uncounted: Option<&'static str>,
}

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Items {
    /// The whole text is one.
    Whole,
    /// The entries of a list in the outermost object, such as `{"tasks": [ … ]}`: at most so many.
    InList(usize),
}

/// What is wrong at some place of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A number with too many digits, or beyond the range of a double.
    Number,
    /// An escape such as `\ud83d` without its other half.
    Surrogate,
    TooDeep,
    TooManyValues,
    TooManyItems,
}

/// A fault and its place.
pub(crate) struct Found<'a> {
    pub(crate) fault: Fault,
    /// The bytes of it: the number, the escape, the list or object, or the first value too many.
    pub(crate) span: Range<usize>,
    text: &'a [u8],
    frames: &'a [Frame],
}

/// A step on the way to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Field(String),
    Index(usize),
}

/// A list or object that is open.
struct Frame {
    is_object: bool,
    /// The next text is a field's name.
    expects_name: bool,
    /// The bytes of the last field's name, with its quotes.
    name: Range<usize>,
    index: usize,
}

impl Found<'_> {
    /// The bytes of it.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.text.get(self.span.clone()).unwrap_or_default()
    }

    /// The way from the outermost value to the place of the fault.
    pub(crate) fn path(&self) -> Vec<Step> {
        let frames = self.frames.iter();
        let steps = frames.filter_map(|frame| match frame.is_object {
            true if frame.expects_name => None,
            true => Some(Step::Field(name_of(self.text, frame))),
            false => Some(Step::Index(frame.index)),
        });
        steps.collect()
    }
}

fn name_of(text: &[u8], frame: &Frame) -> String {
    let name = text.get(frame.name.clone()).unwrap_or_default();
    serde_json::from_slice(name).unwrap_or_else(|_| {
        let name = name.strip_prefix(b"\"").unwrap_or(name);
        String::from_utf8_lossy(name.strip_suffix(b"\"").unwrap_or(name)).into_owned()
    })
}

/// Goes through `text` and hands each fault to `found`, which says whether to go on.
///
/// # Errors
/// The first error of `found`.
pub(crate) fn scan<E>(
    text: &[u8],
    limits: Limits,
    found: impl FnMut(Found<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut scanner = Scanner {
        text,
        limits,
        found,
        frames: Vec::new(),
        counts: true,
        values: 0,
        outside: 0,
        items: 0,
    };
    scanner.run()
}

struct Scanner<'a, F> {
    text: &'a [u8],
    limits: Limits,
    found: F,
    frames: Vec<Frame>,
    /// Values are counted here.
    counts: bool,
    /// Values of the item so far.
    values: usize,
    /// Values outside of items so far.
    outside: usize,
    items: usize,
}

impl<E, F: FnMut(Found<'_>) -> Result<(), E>> Scanner<'_, F> {
    fn run(&mut self) -> Result<(), E> {
        let mut at = 0;
        while let Some(byte) = self.text.get(at) {
            at = match byte {
                b'"' if self.expects_name() => self.name(at)?,
                b'"' => {
                    self.value(at)?;
                    self.string(at)?
                }
                b'{' | b'[' => {
                    self.value(at)?;
                    self.open(at, *byte == b'{')?
                }
                b'}' | b']' => {
                    self.frames.pop();
                    at + 1
                }
                b',' => {
                    if let Some(frame) = self.frames.last_mut() {
                        frame.expects_name = frame.is_object;
                        frame.index += 1;
                    }
                    at + 1
                }
                b'-' | b'0'..=b'9' => {
                    self.value(at)?;
                    self.number(at)?
                }
                b't' | b'f' | b'n' => {
                    self.value(at)?;
                    at + length_of(&self.text[at..], u8::is_ascii_alphabetic)
                }
                _ => at + 1,
            };
        }
        Ok(())
    }

    fn report(&mut self, fault: Fault, span: Range<usize>) -> Result<(), E> {
        (self.found)(Found {
            fault,
            span,
            text: self.text,
            frames: &self.frames,
        })
    }

    fn expects_name(&self) -> bool {
        let frame = self.frames.last();
        frame.is_some_and(|frame| frame.expects_name)
    }

    /// Reads a field's name; where it ends.
    fn name(&mut self, at: usize) -> Result<usize, E> {
        let end = self.string(at)?;
        let is_outermost = self.frames.len() == 1;
        if let Some(frame) = self.frames.last_mut() {
            frame.name = at..end;
            frame.expects_name = false;
        }
        if is_outermost && let Some(uncounted) = self.limits.uncounted {
            let name = self.text.get(at + 1..end.saturating_sub(1));
            self.counts = name != Some(uncounted.as_bytes());
        }
        Ok(end)
    }

    /// Counts a value.
    fn value(&mut self, at: usize) -> Result<(), E> {
        let level = self.frames.len();
        let (item_level, most) = match self.limits.items {
            Items::Whole => (0, usize::MAX),
            Items::InList(most) => (2, most),
        };
        if level == item_level {
            self.values = 0;
            self.items += 1;
            if self.items > most {
                return self.report(Fault::TooManyItems, at..at + 1);
            }
            return Ok(());
        }
        let count = match level > item_level {
            true => &mut self.values,
            false => &mut self.outside,
        };
        *count += usize::from(self.counts);
        if *count > self.limits.values {
            return self.report(Fault::TooManyValues, at..at + 1);
        }
        Ok(())
    }

    /// Goes into a list or object, or past one that is too deep.
    fn open(&mut self, at: usize, is_object: bool) -> Result<usize, E> {
        if self.frames.len() >= self.limits.depth {
            let end = end_of(self.text, at);
            self.report(Fault::TooDeep, at..end)?;
            return Ok(end);
        }
        self.frames.push(Frame {
            is_object,
            expects_name: is_object,
            name: 0..0,
            index: 0,
        });
        Ok(at + 1)
    }

    fn number(&mut self, at: usize) -> Result<usize, E> {
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let end = at + length_of(&self.text[at..], is_part);
        if !is_common(&self.text[at..end]) {
            self.report(Fault::Number, at..end)?;
        }
        Ok(end)
    }

    /// Reads a string; where it ends.
    fn string(&mut self, start: usize) -> Result<usize, E> {
        let mut at = start + 1;
        loop {
            let rest = self.text.get(at..).unwrap_or_default();
            let Some(mark) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) else {
                return Ok(self.text.len());
            };
            at += mark;
            if self.text[at] == b'"' {
                return Ok(at + 1);
            }
            at += match escaped(self.text, at) {
                Some(0xD800..=0xDBFF)
                    if matches!(escaped(self.text, at + 6), Some(0xDC00..=0xDFFF)) =>
                {
                    12
                }
                Some(0xD800..=0xDFFF) => {
                    self.report(Fault::Surrogate, at..at + 6)?;
                    6
                }
                Some(_) => 6,
                None => 2,
            };
        }
    }
}

/// Whether each reader of JSON can take this number.
fn is_common(number: &[u8]) -> bool {
    let digits = || number.iter().filter(|byte| byte.is_ascii_digit()).count();
    if number.len() > NUMBER_DIGITS && digits() > NUMBER_DIGITS {
        return false;
    }
    // Without an exponent so few digits are always within the range of a double.
    if !number.iter().any(|byte| matches!(byte, b'e' | b'E')) {
        return true;
    }
    let number = std::str::from_utf8(number).unwrap_or_default();
    number.parse().is_ok_and(f64::is_finite)
}

/// The UTF-16 unit of an escape `\uXXXX` that begins at `at`.
fn escaped(text: &[u8], at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
    let mut digits = digits.iter().map(|digit| char::from(*digit).to_digit(16));
    digits.try_fold(0, |unit, digit| Some(unit << 4 | digit? as u16))
}

fn length_of(text: &[u8], is_part: impl Fn(&u8) -> bool) -> usize {
    let end = text.iter().position(|byte| !is_part(byte));
    end.unwrap_or(text.len())
}

/// Where the list or object ends that begins at `start`.
fn end_of(text: &[u8], start: usize) -> usize {
    let (mut at, mut open, mut is_text) = (start, 0, false);
    while let Some(byte) = text.get(at) {
        at += 1;
        match byte {
            b'\\' if is_text => at += 1,
            b'"' => is_text = !is_text,
            b'{' | b'[' if !is_text => open += 1,
            b'}' | b']' if !is_text => {
                open -= 1;
                if open == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    text.len()
}
