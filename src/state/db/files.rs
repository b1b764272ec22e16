//! The files beside a database: their paths, their sizes, and how the service creates its own.

use std::ffi::OsString;
use std::fs;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

/// Symbolic links to follow to a database, as many as the kernel follows.
const MOST_LINKS: usize = 40;

/// Returns the path of the file with `suffix` beside a database. If the database's name is a link, it is beside the
/// file itself.
pub(crate) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(behind_links(database));
    name.push(suffix);
    PathBuf::from(name)
}

/// Returns the size of the write-ahead log; 0 if there is none.
pub(crate) fn wal_bytes(database: &Path) -> u64 {
    fs::metadata(beside(database, "-wal")).map_or(0, |file| file.len())
}

/// Returns the file that `path` links to, even if it does not exist yet, so that all names of a database share one
/// lock.
pub(crate) fn behind_links(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(target) = std::fs::read_link(&path) else {
            break;
        };
        path = match path.parent() {
            Some(folder) => folder.join(target),
            None => target,
        };
    }
    path
}

/// Opens or creates a file beside the database that only its owner can read. Refuses symbolic links, because in a
/// folder of another user they could lead anywhere.
#[cfg(unix)]
pub(crate) fn open_own(path: &Path, mut options: OpenOptions) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let no_link = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    options.mode(0o600).custom_flags(no_link);
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            give_to_owner_of_folder(&file, path);
            Ok(file)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => options.open(path),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
pub(crate) fn open_own(path: &Path, mut options: OpenOptions) -> std::io::Result<File> {
    options.create(true).open(path)
}

/// Gives a file that root has created to the owner of its folder, so that a service of that user can use it. Without
/// root's rights the call fails, which does no harm.
#[cfg(unix)]
fn give_to_owner_of_folder(file: &File, path: &Path) {
    use std::os::unix::fs::{MetadataExt, fchown};
    let absolute = std::path::absolute(path).unwrap_or_default();
    let folder = absolute.parent().and_then(|folder| folder.metadata().ok());
    if let Some(folder) = folder {
        let _ = fchown(file, Some(folder.uid()), Some(folder.gid()));
    }
}
