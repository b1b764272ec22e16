//! `venom restore`: a backup in the place of the database.
//!
//! The lock of the database is held throughout, so no service runs on it meanwhile. The backup is copied
//! and checked first; what was there is moved aside at the end, and never deleted.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::backup::copy_checked;
use super::database_file::{DatabaseFile, beside, is_same_file};
use super::error::Error;
use super::output::say;
use crate::dump::{Draft, put_aside};
use crate::state::{self, Lock, OpenError};

const EXAMPLES: &str = "\
Examples:
  venom restore backup.db
  venom restore backup.db --database /srv/venom/venom.db

Stop the service first. The backup is checked before anything is changed, and the database that was
there is kept beside the new one, under the name that is printed. What was accepted after the backup is
not in it, and what has run since runs again.";

/// Put a backup in the place of the database.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Restore {
    /// Backup to take
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    database: DatabaseFile,
}

/// Copies the backup, checks the copy, and swaps.
pub(super) async fn run(restore: &Restore) -> Result<(), Error> {
    let (file, database) = (&restore.file, restore.database.path()?);
    let (from, to) = (file.display(), database.display());
    if !file.is_file() {
        return Err(Error::Failed(format!("there is no file {from}")));
    }
    if is_same_file(file, &database) {
        return Err(Error::Usage(format!("{from} is the database itself")));
    }
    let failed = |error| Error::Failed(format!("cannot write {to}: {error}"));
    // Makes the folder too, which the lock needs.
    let draft = Draft::create(&database).map_err(failed)?;
    let _lock = Lock::take(&database).map_err(|error| match error {
        OpenError::InUse { .. } => Error::Failed(format!(
            "{to} is in use by a venom process; stop it, then restore"
        )),
        other => Error::Failed(other.to_string()),
    })?;
    let audit = copy_checked(file, &draft).await?;
    let aside = match database.exists() {
        true => Some(move_aside(&database).await?),
        false => None,
    };
    give_to_owner_of_folder(draft.path(), &database);
    give_to_owner_of_folder(&Lock::path_of(&database), &database);
    if let Err(error) = draft.publish(&CancellationToken::new()) {
        let kept = match &aside {
            Some(aside) => format!("; what was there is in {}", aside.display()),
            None => String::new(),
        };
        return Err(Error::Failed(format!("cannot write {to}: {error}{kept}")));
    }
    say(format_args!("{to} is restored: {} tasks", audit.tasks));
    if let Some(aside) = aside {
        say(format_args!("what was there is in {}", aside.display()));
    }
    for problem in audit.problems() {
        say(format_args!("warning: {problem}"));
    }
    Ok(())
}

/// Lets the service's own user have what root restores. Whoever is not root keeps it, and needs no more.
fn give_to_owner_of_folder(file: &Path, database: &Path) {
    let absolute = std::path::absolute(database).unwrap_or_default();
    let folder = absolute.parent().and_then(|folder| folder.metadata().ok());
    if let Some(folder) = folder {
        let _ = std::os::unix::fs::chown(file, Some(folder.uid()), Some(folder.gid()));
    }
}

/// Moves the database aside, all of it; its new name.
async fn move_aside(database: &Path) -> Result<PathBuf, Error> {
    let wal = beside(database, "-wal");
    // A damaged one cannot be folded, and goes aside with its log.
    let is_sound = state::fold(database).await.is_ok();
    if is_sound && wal.exists() {
        return Err(Error::Failed(format!(
            "another program has {} open; close it, then restore",
            database.display()
        )));
    }
    let name = database.display();
    let failed = |error| Error::Failed(format!("cannot move {name} aside: {error}"));
    let aside = put_aside(database, "before-restore").map_err(failed)?;
    if wal.exists() {
        fs::rename(&wal, beside(&aside, "-wal")).map_err(failed)?;
    }
    let _ = fs::remove_file(beside(database, "-shm"));
    Ok(aside)
}
