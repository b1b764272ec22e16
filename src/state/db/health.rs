//! What is wrong with the storage, for those who must not wait for it: probes, the doctor, the status calls.
//!
//! The Writer notes here what it meets; everybody else only reads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::models::Timestamp;
use crate::state::db::open_files::{LostFile, OpenFiles};
use crate::state::error::Error;

/// A write that takes longer keeps its clients waiting.
const SLOW_WRITE: Duration = Duration::from_secs(1);

/// The storage's condition; clone it freely.
#[derive(Clone, Debug)]
pub(crate) struct StorageHealth(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    files: OpenFiles,
    failure: Mutex<Option<Failure>>,
    /// When the write began that is under way.
    write_begun: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct Failure {
    reason: String,
    since: Timestamp,
}

impl StorageHealth {
    pub(crate) fn new(files: OpenFiles) -> Self {
        Self(Arc::new(Inner {
            files,
            failure: Mutex::default(),
            write_begun: Mutex::default(),
        }))
    }

    /// A file of the database that is no longer at its path.
    pub(crate) fn lost_file(&self) -> Option<LostFile> {
        self.0.files.lost()
    }

    /// The files of the database.
    pub(crate) fn files(&self) -> &OpenFiles {
        &self.0.files
    }

    /// Why no task is accepted at this moment, as a sentence without a full stop; `None` while tasks are.
    pub(crate) fn problem(&self) -> Option<String> {
        if let Some(lost) = self.lost_file() {
            return Some(format!(
                "{}; `venom doctor` says what to do",
                lost.what_briefly()
            ));
        }
        if let Some(Failure { reason, since }) = &*locked(&self.0.failure) {
            return Some(format!("{reason} (since {since})"));
        }
        let begun = (*locked(&self.0.write_begun))?;
        let waited = begun.elapsed();
        (waited >= SLOW_WRITE).then(|| {
            format!(
                "the storage is slow: a write has taken {} s so far; another program may be writing to the \
                 database, or the disk does not answer",
                waited.as_secs()
            )
        })
    }

    /// A write begins; it is under way until the guard is dropped.
    pub(crate) fn write(&self) -> Write<'_> {
        *locked(&self.0.write_begun) = Some(Instant::now());
        Write(self)
    }

    /// A write has failed: for the storage, or only for what was written.
    pub(crate) fn failed(&self, error: &Error) {
        if let Error::Unavailable(_) = error {
            locked(&self.0.failure).get_or_insert_with(|| Failure {
                reason: error.to_string(),
                since: Timestamp::now(),
            });
        }
    }

    /// A write has been stored.
    pub(crate) fn succeeded(&self) {
        locked(&self.0.failure).take();
    }
}

/// A write that is under way.
pub(crate) struct Write<'a>(&'a StorageHealth);

impl Drop for Write<'_> {
    fn drop(&mut self) {
        locked(&self.0.0.write_begun).take();
    }
}

/// What is guarded is replaced as a whole, so a panic leaves nothing half done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
