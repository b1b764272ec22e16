//! The health of the storage, for readers that must not wait for it: probes, the doctor, the status calls.
//!
//! The Writer records its failures here; everyone else only reads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::models::Timestamp;
use crate::state::db::open_files::{LostFile, OpenFiles};
use crate::state::error::Error;

/// A write that takes longer is reported as slow.
const SLOW_WRITE: Duration = Duration::from_secs(1);

/// The health of the storage; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct StorageHealth(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    files: OpenFiles,
    failure: Mutex<Option<Failure>>,
    /// When the running write began.
    write_begun: Mutex<Option<Instant>>,
    /// When the running sync of the log began.
    sync_begun: Mutex<Option<Instant>>,
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
            sync_begun: Mutex::default(),
        }))
    }

    /// Returns a database file that is not at its path, if there is one.
    pub(crate) fn lost_file(&self) -> Option<LostFile> {
        self.0.files.lost()
    }

    /// The files of the database.
    pub(crate) fn files(&self) -> &OpenFiles {
        &self.0.files
    }

    /// Returns why the service accepts no tasks, as a sentence without a full stop; `None` while it accepts them.
    pub(crate) fn problem(&self) -> Option<String> {
        if let Some(lost) = self.lost_file() {
            return Some(format!(
                "{}; run `venom doctor` to see what to do",
                lost.what_briefly()
            ));
        }
        if let Some(Failure { reason, since }) = &*locked(&self.0.failure) {
            return Some(format!("{reason} (since {since})"));
        }
        let begun = [&self.0.write_begun, &self.0.sync_begun].map(|begun| *locked(begun));
        let begun = begun.into_iter().flatten().min()?;
        let waited = begun.elapsed();
        (waited >= SLOW_WRITE).then(|| {
            format!(
                "the storage is slow: a write has been running for {} s; check whether another program is writing to \
                 the database, and whether the disk responds",
                waited.as_secs()
            )
        })
    }

    /// Records that a write runs, until the guard is dropped.
    pub(crate) fn write(&self) -> Write<'_> {
        Write::begin(&self.0.write_begun)
    }

    /// Records that a sync of the log runs, until the guard is dropped.
    pub(crate) fn sync(&self) -> Write<'_> {
        Write::begin(&self.0.sync_begun)
    }

    /// Records a failed write, if the storage is the cause.
    pub(crate) fn failed(&self, error: &Error) {
        if let Error::Unavailable(_) = error {
            locked(&self.0.failure).get_or_insert_with(|| Failure {
                reason: error.to_string(),
                since: Timestamp::now(),
            });
        }
    }

    /// Records a successful write.
    pub(crate) fn succeeded(&self) {
        locked(&self.0.failure).take();
    }
}

/// A running write.
pub(crate) struct Write<'a>(&'a Mutex<Option<Instant>>);

impl<'a> Write<'a> {
    fn begin(begun: &'a Mutex<Option<Instant>>) -> Self {
        *locked(begun) = Some(Instant::now());
        Self(begun)
    }
}

impl Drop for Write<'_> {
    fn drop(&mut self) {
        locked(self.0).take();
    }
}

/// Locks the mutex even after a panic: its value is always replaced as a whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
