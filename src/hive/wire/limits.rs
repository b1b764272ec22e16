//! How much one message may be, and the account that a reader keeps of it.

use crate::hive::wire::error::Error;

/// What a thread's stack of 2 MiB surely holds, even of a build for debugging.
const DEEPEST: usize = 200;

/// How much a reader accepts before it gives up, whatever the bytes claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes of the message, and apart from that bytes of all texts and byte strings in the value: a
    /// pickle can name one text many times.
    pub(crate) bytes: usize,
    /// Values inside one another; never more than 200, whatever is set, so that no stack overflows.
    pub(crate) depth: usize,
    /// Values in total, those named many times counted each time.
    pub(crate) items: usize,
    /// Entries of a pickle's memo.
    pub(crate) memo: usize,
}

impl Default for Limits {
    /// 64 MiB, 100 deep, 1,000,000 values and as many memo entries.
    fn default() -> Self {
        Self {
            bytes: 64 * 1024 * 1024,
            depth: 100,
            items: 1_000_000,
            memo: 1_000_000,
        }
    }
}

impl Limits {
    pub(crate) fn check_message(&self, message: &[u8]) -> Result<(), Error> {
        within(message.len(), self.bytes, "bytes")
    }

    pub(crate) fn check_depth(&self, depth: usize) -> Result<(), Error> {
        within(
            depth,
            self.depth.min(DEEPEST),
            "levels of values inside one another",
        )
    }

    pub(crate) fn check_memo(&self, entries: usize) -> Result<(), Error> {
        within(entries, self.memo, "entries in the memo")
    }
}

fn within(found: usize, limit: usize, what: &'static str) -> Result<(), Error> {
    if found > limit {
        return Err(Error::Limit { what, limit });
    }
    Ok(())
}

/// What one reading has used up so far.
#[derive(Debug)]
pub(crate) struct Budget {
    limits: Limits,
    bytes: usize,
    items: usize,
}

impl Budget {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            limits: *limits,
            bytes: 0,
            items: 0,
        }
    }

    /// Pays for one value at `depth`; the outermost is at depth 1.
    pub(crate) fn value(&mut self, depth: usize) -> Result<(), Error> {
        self.limits.check_depth(depth)?;
        self.items += 1;
        within(self.items, self.limits.items, "values")
    }

    /// Pays for the content of a text or a byte string.
    pub(crate) fn content(&mut self, length: usize) -> Result<(), Error> {
        self.bytes = self.bytes.saturating_add(length);
        within(self.bytes, self.limits.bytes, "bytes in texts")
    }
}
