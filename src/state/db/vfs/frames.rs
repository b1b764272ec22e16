//! Gathers the frames that a transaction appends to the WAL, so that a commit is one write.
//!
//! SQLite writes each frame in two calls: a header of 24 bytes, and the page. Nobody needs a frame in the file before
//! its transaction commits: other connections read no further than the last commit that the WAL's index names. So the
//! frames stay here until the page of a commit frame has arrived, or until SQLite does anything else with the file.
//!
//! - Frames are gathered only while the connection holds the WAL's write lock. What is left when it releases the lock
//!   belongs to a transaction that was rolled back. Another program may write at the same offsets from then on, so the
//!   rest is dropped.
//! - Only headers that begin a new frame are gathered. When a transaction has overwritten one of its own frames, SQLite
//!   reads each later frame and writes its header alone, with the new checksum. Such a header goes to the file at once.
//! - A commit ends with the page of its commit frame. SQLite pads it to a sector only where a write may harm the bytes
//!   beside it; its VFS for Unix says that none does (`SQLITE_POWERSAFE_OVERWRITE`).
//! - SQLite was told that gathered frames are written. After a failure, whatever needs them fails with the same code,
//!   until the transaction is rolled back and the lock released.

use std::ffi::c_int;

use crate::state::db::vfs::base_file::Done;

/// Bytes of a frame's header.
const HEADER: usize = 24;
/// The most bytes that SQLite's VFS for Unix can write in one call; it mistakes a longer write for a full disk.
const MOST: usize = 0x1_FFFF;

/// Frames that are not in the file yet.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// Whether the connection holds the write lock.
    is_locked: bool,
    /// The offset of the first gathered byte.
    start: i64,
    bytes: Vec<u8>,
    /// Whether the last header is that of a commit frame; `None` if its page has arrived.
    header: Option<bool>,
    /// The length of the last page.
    page: usize,
    /// The offset of the last read.
    last_read: Option<i64>,
    lost: Option<Lost>,
}

/// Gathered frames that could not be written.
#[derive(Clone, Copy, Debug)]
struct Lost {
    start: i64,
    code: c_int,
}

impl Frames {
    /// Begins to gather: the connection has taken the write lock.
    pub(super) fn lock(&mut self) {
        self.is_locked = true;
    }

    /// Forgets everything: the connection releases the write lock.
    pub(super) fn unlock(&mut self) {
        self.is_locked = false;
        self.bytes.clear();
        self.header = None;
        self.last_read = None;
        self.lost = None;
    }

    /// Gathers `data`, or writes it by `write` after what was gathered.
    pub(super) fn write(
        &mut self,
        data: &[u8],
        offset: i64,
        mut write: impl FnMut(&[u8], i64) -> Done,
    ) -> Done {
        if !self.continues(data, offset) {
            self.flush(&mut write)?;
            if !self.begins(data, offset) {
                return write(data, offset);
            }
            self.start = offset;
        }
        self.bytes.extend_from_slice(data);
        let Some(is_commit) = self.header.take() else {
            // The size of the database after the commit.
            self.header = Some(data[4..8] != [0; 4]);
            return Ok(());
        };
        self.page = data.len();
        match is_commit {
            true => self.flush(write),
            false => Ok(()),
        }
    }

    /// Writes what was gathered before a read of `length` bytes.
    pub(super) fn before_read(
        &mut self,
        offset: i64,
        length: usize,
        write: impl FnOnce(&[u8], i64) -> Done,
    ) -> Done {
        self.last_read = Some(offset);
        match self.lost {
            Some(lost) if end(offset, length) <= lost.start => Ok(()),
            _ => self.flush(write),
        }
    }

    /// Writes what was gathered.
    pub(super) fn flush(&mut self, write: impl FnOnce(&[u8], i64) -> Done) -> Done {
        if let Some(lost) = self.lost {
            return Err(lost.code);
        }
        if self.bytes.is_empty() {
            return Ok(());
        }
        let start = self.start;
        let written = write(&self.bytes, start);
        self.lost = written.err().map(|code| Lost { start, code });
        self.bytes.clear();
        self.header = None;
        written
    }

    /// Returns whether `data` follows the gathered bytes, and fits.
    fn continues(&self, data: &[u8], offset: i64) -> bool {
        let room = MOST.saturating_sub(self.bytes.len());
        let fits = match self.header {
            Some(_) => data.len() <= room,
            None => data.len() == HEADER && HEADER + self.page <= room,
        };
        fits && !self.bytes.is_empty() && offset == end(self.start, self.bytes.len())
    }

    /// Returns whether `data` is the header of a new frame.
    fn begins(&self, data: &[u8], offset: i64) -> bool {
        self.is_locked && data.len() == HEADER && self.last_read != Some(offset)
    }
}

fn end(offset: i64, length: usize) -> i64 {
    offset.saturating_add_unsigned(length as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 4096;
    const FRAME: i64 = 4120;

    /// A WAL that records the writes that reach the file.
    #[derive(Default)]
    struct Log {
        frames: Frames,
        writes: Vec<(i64, usize)>,
        code: Option<c_int>,
    }

    impl Log {
        fn locked() -> Self {
            let mut log = Self::default();
            log.frames.lock();
            log
        }

        fn write(&mut self, data: &[u8], offset: i64) -> Done {
            let (writes, code) = (&mut self.writes, self.code);
            self.frames.write(data, offset, |bytes, offset| {
                writes.push((offset, bytes.len()));
                code.map_or(Ok(()), Err)
            })
        }

        fn frame(&mut self, number: i64, is_commit: bool) -> Done {
            let mut header = [0; HEADER];
            header[7] = u8::from(is_commit);
            let offset = 32 + number * FRAME;
            self.write(&header, offset)?;
            self.write(&[1; PAGE], offset + 24)
        }

        fn read(&mut self, offset: i64) -> Done {
            let writes = &mut self.writes;
            self.frames.before_read(offset, PAGE, |bytes, offset| {
                writes.push((offset, bytes.len()));
                Ok(())
            })
        }
    }

    #[test]
    fn a_commit_is_one_write() {
        let mut log = Log::locked();
        log.frame(0, false).unwrap();
        log.frame(1, false).unwrap();
        assert_eq!(log.writes, []);
        log.frame(2, true).unwrap();
        assert_eq!(log.writes, [(32, 3 * 4120)]);
        log.frame(3, true).unwrap();
        assert_eq!(log.writes[1..], [(32 + 3 * FRAME, 4120)]);
    }

    #[test]
    fn a_read_and_a_write_elsewhere_come_after_the_frames() {
        let mut log = Log::locked();
        log.frame(0, false).unwrap();
        log.read(56).unwrap();
        log.frame(1, false).unwrap();
        log.write(&[2; PAGE], 56).unwrap();
        let expected = [(32, 4120), (32 + FRAME, 4120), (56, PAGE)];
        assert_eq!(log.writes, expected);
    }

    #[test]
    fn a_header_with_a_new_checksum_is_written_at_once() {
        let mut log = Log::locked();
        log.frame(0, true).unwrap();
        log.read(32).unwrap();
        log.write(&[1; HEADER], 32).unwrap();
        assert_eq!(log.writes, [(32, 4120), (32, HEADER)]);
    }

    #[test]
    fn no_write_is_longer_than_sqlite_can_write() {
        let mut log = Log::locked();
        for number in 0..100 {
            log.frame(number, number == 99).unwrap();
        }
        let lengths: Vec<_> = log.writes.iter().map(|(_, length)| *length).collect();
        assert_eq!(lengths, [31 * 4120, 31 * 4120, 31 * 4120, 7 * 4120]);
    }

    #[test]
    fn without_the_lock_nothing_is_gathered_and_a_rollback_leaves_nothing() {
        let mut log = Log::default();
        log.frame(0, false).unwrap();
        assert_eq!(log.writes, [(32, HEADER), (56, PAGE)]);
        log.frames.lock();
        log.frame(1, false).unwrap();
        log.frames.unlock();
        log.read(56).unwrap();
        assert_eq!(log.writes.len(), 2);
    }

    #[test]
    fn a_lost_frame_fails_everything_until_the_rollback() {
        let mut log = Log::locked();
        log.frame(0, true).unwrap();
        log.frame(1, false).unwrap();
        log.code = Some(10);
        assert_eq!(log.write(&[2; PAGE], 56), Err(10));
        log.code = None;
        assert_eq!(log.frame(2, true), Err(10));
        assert_eq!(log.read(56 + FRAME), Err(10));
        assert_eq!(log.read(56), Ok(()), "it is there");
        log.frames.unlock();
        log.frames.lock();
        log.frame(1, true).unwrap();
        assert_eq!(log.writes.last(), Some(&(32 + FRAME, 4120)));
    }
}
