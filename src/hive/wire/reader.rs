//! Reads bytes from the front of a message, never past its end.

use crate::hive::wire::codec::Codec;
use crate::hive::wire::error::Error;

/// The unread part of a message.
#[derive(Debug)]
pub(crate) struct ByteReader<'a> {
    bytes: &'a [u8],
    at: usize,
    codec: Codec,
}

impl<'a> ByteReader<'a> {
    pub(crate) fn new(bytes: &'a [u8], codec: Codec) -> Self {
        let at = 0;
        Self { bytes, at, codec }
    }

    /// Takes the next `length` bytes.
    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let rest = &self.bytes[self.at..];
        let taken = rest
            .get(..length)
            .ok_or_else(|| self.wrong("it ends too early"))?;
        self.at += length;
        Ok(taken)
    }

    /// Takes as many bytes as an earlier length says.
    pub(crate) fn take_counted(&mut self, length: u64) -> Result<&'a [u8], Error> {
        let length =
            usize::try_from(length).map_err(|_| self.wrong("a length that nothing can have"))?;
        self.take(length)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Error> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Takes the bytes before the next line feed, and the line feed.
    pub(crate) fn line(&mut self) -> Result<&'a [u8], Error> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|byte| *byte == b'\n');
        let length = length.ok_or_else(|| self.wrong("a line that does not end"))?;
        self.at += length + 1;
        Ok(&rest[..length])
    }

    /// Takes a line of ASCII or UTF-8.
    pub(crate) fn text_line(&mut self) -> Result<&'a str, Error> {
        let line = self.line()?;
        std::str::from_utf8(line).map_err(|_| self.wrong("a line that is not text"))
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Returns an error at this position.
    pub(crate) fn wrong(&self, reason: impl std::fmt::Display) -> Error {
        Error::malformed(self.codec, format!("{reason}, at byte {}", self.at))
    }
}
