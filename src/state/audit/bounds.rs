//! The bounds of an audit beside a running service: it stops when it takes too long or the write-ahead log grows too
//! much.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::state::db::files::wal_bytes;

/// SQLite instructions between two checks whether a bounded audit may continue.
pub(super) const STEPS: i32 = 1000;
/// Time between two checks of the clock and of the write-ahead log.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// What an audit may cost the service that runs on the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) time: Duration,
    /// Bytes by which the write-ahead log may grow during the audit.
    pub(crate) wal_growth_bytes: u64,
}

/// The bound that stopped an audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuditStopped {
    TooLong,
    WalTooLarge,
}

/// Stops an audit that exceeds its bounds or whose caller is gone.
#[derive(Default)]
pub(super) struct Leash {
    given_up: Arc<AtomicBool>,
    pub(super) stopped: Arc<OnceLock<AuditStopped>>,
}

impl Leash {
    /// Returns the progress handler of SQLite, which returns whether to continue.
    pub(super) fn watch(
        &self,
        path: PathBuf,
        bounds: Bounds,
    ) -> impl FnMut() -> bool + Send + 'static {
        let (given_up, stopped) = (Arc::clone(&self.given_up), Arc::clone(&self.stopped));
        let start = Instant::now();
        let largest = wal_bytes(&path).saturating_add(bounds.wal_growth_bytes);
        let mut next_check = start;
        move || {
            let now = Instant::now();
            if now >= next_check {
                next_check = now + CHECK_INTERVAL;
                if now.duration_since(start) >= bounds.time {
                    let _ = stopped.set(AuditStopped::TooLong);
                } else if wal_bytes(&path) > largest {
                    let _ = stopped.set(AuditStopped::WalTooLarge);
                }
            }
            stopped.get().is_none() && !given_up.load(Ordering::Relaxed)
        }
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        self.given_up.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_growing_log_stops_an_audit_and_so_does_a_dropped_leash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("venom.db");
        let bounds = Bounds {
            time: Duration::from_hours(1),
            wal_growth_bytes: 10,
        };
        let leash = Leash::default();
        let mut goes_on = leash.watch(path.clone(), bounds);
        assert!(goes_on());
        std::fs::write(folder.path().join("venom.db-wal"), [0; 10]).unwrap();
        let mut again = leash.watch(path.clone(), bounds);
        assert!(again(), "it had that size before");
        let mut watch = Leash::default().watch(path.clone(), bounds);
        assert!(!watch(), "the leash is dropped");
        let leash = Leash::default();
        std::fs::remove_file(folder.path().join("venom.db-wal")).unwrap();
        let mut goes_on = leash.watch(path, bounds);
        std::fs::write(folder.path().join("venom.db-wal"), [0; 11]).unwrap();
        assert!(!goes_on());
        assert_eq!(leash.stopped.get(), Some(&AuditStopped::WalTooLarge));
    }
}
