//! The size above which the original no longer reads a dump.

use std::path::Path;

/// The largest file that the original reads. A larger one it refuses, starts with no tasks, and then writes
/// its own over it.
const ORIGINAL_LIMIT_BYTES: u64 = 10 << 20;

/// What to tell whoever means to go back to the original, if this file is too large for it.
pub(crate) fn too_large_for_the_original(path: &Path, bytes: u64) -> Option<String> {
    (bytes > ORIGINAL_LIMIT_BYTES).then(|| {
        let mib = bytes as f64 / f64::from(1 << 20);
        format!(
            "{} has {mib:.1} MiB; the original reads at most {} MiB: it would start without tasks and \
             overwrite the file",
            path.display(),
            ORIGINAL_LIMIT_BYTES >> 20
        )
    })
}
