//! The limits of one message, and the budget that a reader keeps.

use crate::hive::wire::error::Error;

/// The depth that fits into a thread's stack of 2 MiB, even in a debug build.
const DEEPEST: usize = 200;

/// The limits of a reader, whatever the bytes claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReadLimits {
    /// Bytes of the message, and separately bytes of all texts and byte strings in the value: a pickle can name one
    /// text many times.
    pub(crate) bytes: usize,
    /// The nesting of values; never more than 200, so that no stack overflows.
    pub(crate) depth: usize,
    /// The number of values; one that is named many times counts each time.
    pub(crate) items: usize,
    /// The number of entries of a pickle's memo.
    pub(crate) memo: usize,
}

impl Default for ReadLimits {
    /// Returns 64 MiB, a depth of 100, 1,000,000 values and as many memo entries.
    fn default() -> Self {
        Self {
            bytes: 64 * 1024 * 1024,
            depth: 100,
            items: 1_000_000,
            memo: 1_000_000,
        }
    }
}

impl ReadLimits {
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

/// The use of one reading so far.
#[derive(Debug)]
pub(crate) struct ReadBudget {
    limits: ReadLimits,
    bytes: usize,
    items: usize,
}

impl ReadBudget {
    pub(crate) fn new(limits: &ReadLimits) -> Self {
        Self {
            limits: *limits,
            bytes: 0,
            items: 0,
        }
    }

    /// Counts one value at `depth`; the outermost is at depth 1.
    pub(crate) fn value(&mut self, depth: usize) -> Result<(), Error> {
        self.limits.check_depth(depth)?;
        self.items += 1;
        within(self.items, self.limits.items, "values")
    }

    /// Counts the content of a text or a byte string.
    pub(crate) fn content(&mut self, length: usize) -> Result<(), Error> {
        self.bytes = self.bytes.saturating_add(length);
        within(self.bytes, self.limits.bytes, "bytes in texts")
    }
}
