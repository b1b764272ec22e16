//! The file system's side of a dump: a file appears whole or not at all, and none is lost.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::Utc;
use tempfile::NamedTempFile;
use tokio_util::sync::CancellationToken;

use crate::state::behind_links;

/// A draft that nobody has written to for so long is a crashed service's.
const LEFTOVER_AGE: Duration = Duration::from_secs(600);
/// The same of a backup, which is read through for long after the last write.
const LEFTOVER_BACKUP_AGE: Duration = Duration::from_secs(3600);
/// Of the drafts of backups, which mostly have a new name each time.
const BACKUP_PREFIX: &str = ".venom-backup.tmp-";

/// Runs file work where it holds up nobody; the token tells the work that nobody waits for it any
/// more.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce(&CancellationToken) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let dropped = CancellationToken::new();
    let _guard = dropped.clone().drop_guard();
    let work = tokio::task::spawn_blocking(move || work(&dropped));
    work.await.map_err(io::Error::other)?
}

/// Opens a file to read it; waits for nobody, as a pipe would.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(not_a_file());
    }
    File::open(path)
}

fn not_a_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")
}

/// A file in the making, beside the one whose place it takes. Dropping it removes it.
pub(crate) struct Draft {
    file: NamedTempFile,
    target: PathBuf,
    _journal: Journal,
}

/// What SQLite keeps beside a draft while it writes there, and leaves behind when it fails.
struct Journal(PathBuf);

impl Drop for Journal {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Draft {
    /// An empty file for its owner's eyes only, in the folder of `path`, which is made if there is
    /// none.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let target = resolve(path)?;
        fs::create_dir_all(folder_of(&target))?;
        let prefix = draft_prefix(&target);
        Self::begin(target, &prefix)
    }

    /// The same for a backup, whose folder has to be there: an empty one may be where a disk belongs that is not
    /// mounted.
    pub(crate) fn create_backup(path: &Path) -> io::Result<Self> {
        Self::begin(resolve(path)?, BACKUP_PREFIX)
    }

    fn begin(target: PathBuf, prefix: &str) -> io::Result<Self> {
        let file = tempfile::Builder::new()
            .prefix(prefix)
            .tempfile_in(folder_of(&target))?;
        let mut journal = file.path().as_os_str().to_owned();
        journal.push("-journal");
        Ok(Self {
            file,
            target,
            _journal: Journal(journal.into()),
        })
    }

    /// Where the draft is until it is published.
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// The file whose place it will take; no link.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Brings what is written to the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.as_file().sync_all()
    }

    /// A handle to write through.
    pub(crate) fn handle(&self) -> io::Result<File> {
        self.file.as_file().try_clone()
    }

    /// Puts the file, on disk to its last byte, in the place of the one that was there; not if
    /// `dropped` meanwhile, as a later draft may already be on its way there.
    pub(crate) fn publish(self, dropped: &CancellationToken) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        if dropped.is_cancelled() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        self.file.persist(&self.target)?;
        sync_folder(folder_of(&self.target))
    }

    /// The same, but it takes no other file's place: [`io::ErrorKind::AlreadyExists`].
    pub(crate) fn publish_new(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist_noclobber(&self.target)?;
        sync_folder(folder_of(&self.target))
    }
}

/// Names beside `source` for it to be kept under: `<name>.<label>-<UTC time>`, and more if that is taken.
fn names_beside(source: &Path, label: &str) -> impl Iterator<Item = PathBuf> {
    let time = Utc::now().format("%Y%m%dT%H%M%SZ");
    let wanted = format!("{}.{label}-{time}", file_name(source));
    (1..).map(move |number| match number {
        1 => source.with_file_name(&wanted),
        number => source.with_file_name(format!("{wanted}-{number}")),
    })
}

/// Gives the file at `path` the name `<name>.<label>-<UTC time>` besides its own, or the next free name after that,
/// and says which. Where a file cannot have two names it loses its own.
pub(crate) fn keep_aside(path: &Path, label: &str) -> io::Result<PathBuf> {
    let source = resolve(path)?;
    for aside in names_beside(&source, label) {
        match fs::hard_link(&source, &aside) {
            Ok(()) => {
                sync_folder(folder_of(&source))?;
                return Ok(aside);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(_) => break,
        }
    }
    put_aside(&source, label)
}

/// Moves the file at `path` to `<name>.<label>-<UTC time>` beside it, or the next free name after
/// that, and says which.
pub(crate) fn put_aside(path: &Path, label: &str) -> io::Result<PathBuf> {
    let source = resolve(path)?;
    for aside in names_beside(&source, label) {
        // Taking the name first makes the rename safe: what it overwrites is this empty file.
        match OpenOptions::new().write(true).create_new(true).open(&aside) {
            Ok(_) => {
                if let Err(error) = fs::rename(&source, &aside) {
                    fs::remove_file(&aside)?;
                    return Err(error);
                }
                sync_folder(folder_of(&source))?;
                return Ok(aside);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    unreachable!("the names never end")
}

/// Removes drafts of `path` that a crash left behind, as far as they can be removed.
pub(crate) fn remove_leftovers(path: &Path) {
    let Ok(target) = resolve(path) else { return };
    remove_drafts(&target, &draft_prefix(&target), LEFTOVER_AGE);
}

/// Removes all drafts of `path`: the caller alone may make some.
pub(crate) fn remove_all_leftovers(path: &Path) {
    let Ok(target) = resolve(path) else { return };
    remove_drafts(&target, &draft_prefix(&target), Duration::ZERO);
}

/// Removes what killed backups have left beside `path`, whatever names they were to have.
pub(crate) fn remove_leftover_backups(path: &Path) {
    let Ok(target) = resolve(path) else { return };
    remove_drafts(&target, BACKUP_PREFIX, LEFTOVER_BACKUP_AGE);
}

fn remove_drafts(target: &Path, prefix: &str, least_age: Duration) {
    let entries = fs::read_dir(folder_of(target)).into_iter().flatten();
    for entry in entries.flatten() {
        let is_draft = entry.file_name().to_string_lossy().starts_with(prefix);
        let age = entry.metadata().and_then(|file| file.modified());
        let age = age.ok().and_then(|time| time.elapsed().ok());
        if is_draft && age.is_some_and(|age| age >= least_age) {
            // Not worth a word: it will be tried again at the next start.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A hidden file beside `path` by which a start finds out that the one before was cut short.
pub(crate) fn marker(path: &Path) -> PathBuf {
    path.with_file_name(format!(".{}.importing", file_name(path)))
}

/// The file itself where `path` is a link to it: what is replaced is the file, not the link.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Ok(found) if fs::metadata(&found)?.is_file() => Ok(found),
        Ok(_) => Err(not_a_file()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(behind_links(path)),
        Err(error) => Err(error),
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn draft_prefix(target: &Path) -> String {
    format!(".{}.tmp-", file_name(target))
}

/// Makes renames in `folder` outlast a power cut.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| file_name(&entry.unwrap().path()))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn putting_aside_never_overwrites() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state_dump.json");
        for text in ["one", "two", "three"] {
            fs::write(&path, text).unwrap();
            put_aside(&path, "damaged").unwrap();
        }
        let mut texts: Vec<_> = names(folder.path())
            .iter()
            .map(|name| {
                assert!(name.starts_with("state_dump.json.damaged-2"), "{name}");
                fs::read_to_string(folder.path().join(name)).unwrap()
            })
            .collect();
        texts.sort();
        assert_eq!(texts, ["one", "three", "two"]);
    }

    #[test]
    fn only_old_drafts_are_leftovers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state_dump.json");
        for (name, age) in [
            (".state_dump.json.tmp-old", 3600),
            (".state_dump.json.tmp-new", 1),
            (".other.json.tmp-old", 3600),
        ] {
            let file = File::create(folder.path().join(name)).unwrap();
            let time = std::time::SystemTime::now() - Duration::from_secs(age);
            file.set_modified(time).unwrap();
        }
        remove_leftovers(&path);
        assert_eq!(
            names(folder.path()),
            [".other.json.tmp-old", ".state_dump.json.tmp-new"]
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let draft = Draft::create(&link).unwrap();
        draft.handle().unwrap().write_all(b"new").unwrap();
        draft.publish(&CancellationToken::new()).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
    }

    #[cfg(unix)]
    #[test]
    fn a_draft_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/down/state_dump.json");
        let draft = Draft::create(&path).unwrap();
        draft.publish(&CancellationToken::new()).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_is_no_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Draft::create(folder.path()).is_err());
        assert!(put_aside(folder.path(), "damaged").is_err());
        #[cfg(unix)]
        assert!(Draft::create(Path::new("/dev/null")).is_err());
    }
}
