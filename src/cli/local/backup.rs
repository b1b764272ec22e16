//! `venom backup`: copies the database into one file, and checks the copy before it gets its name.
//!
//! The command reads the database file in one read transaction, so it needs no service and delays none.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::drop_privileges::OwnerPrivileges;
use crate::cli::args::database_file::{DatabaseArgs, is_same_file};
use crate::cli::error::Error;
use crate::cli::output::print::say;
use crate::dump::{Draft, remove_leftover_backups};
use crate::state;
use crate::state::{Audit, OpenError, Source, beside};

const EXAMPLES: &str = "\
Examples:
  venom backup backup.db
  venom backup /mnt/backups/venom-$(date +%F).db
  venom backup --force latest.db

Run it on the machine of the database, whether the service runs or not. The copy holds one committed state of
the database; it is synced and checked before it gets its name, and only its owner can read it. `venom restore`
puts it back. Exit code 1 with a written file means that rows of the database violate invariants; `venom doctor`
lists them.";

/// The most violated invariants that are printed.
const SHOWN_PROBLEMS: usize = 5;

/// Back up the database into one file, also while the service runs.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BackupArgs {
    /// Write the backup to this file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Replace FILE if it exists
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// Copies the database, checks the copy, and gives it its name.
pub(crate) async fn run(backup: &BackupArgs) -> Result<(), Error> {
    let (database, file) = (backup.database.existing()?, &backup.file);
    check_target(&database, file, backup.force)?;
    let source = open(&database).await?;
    let _privileges = OwnerPrivileges::of(file)?;
    let name = file.display();
    let failed = |error| Error::Failed(format!("cannot write {name}: {error}"));
    remove_leftover_backups(file);
    let draft = Draft::create_backup(file).map_err(failed)?;
    let audit = copy_checked(source, &draft).await?;
    let bytes = draft.path().metadata().map_err(failed)?.len();
    let published = match backup.force {
        true => draft.publish(&CancellationToken::new()),
        false => draft.publish_new(),
    };
    published.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => already_exists(file),
        _ => failed(error),
    })?;
    say(format_args!(
        "{name} written and checked: {} tasks, {bytes} bytes",
        audit.tasks
    ));
    if audit.broken.is_empty() {
        return Ok(());
    }
    for problem in audit.problems().take(SHOWN_PROBLEMS) {
        say(format_args!("warning: {problem}"));
    }
    Err(Error::Failed(format!(
        "the backup is complete, but rows of {} violate invariants; `venom doctor` lists them",
        database.display()
    )))
}

/// Opens the database with the privileges of the owner of its folder.
async fn open(database: &Path) -> Result<Source, Error> {
    let _privileges = OwnerPrivileges::of(database)?;
    let opened = Source::open(database).await;
    opened.map_err(|error| Error::Failed(error.to_string()))
}

/// Copies a database into a draft and checks the whole copy. Damage is an error.
pub(crate) async fn copy_checked(mut source: Source, draft: &Draft) -> Result<Audit, Error> {
    let failed = |error: OpenError| match error {
        // The draft has a temporary name, so the error names its target.
        OpenError::Copy { reason, .. } => {
            let target = draft.target().display();
            Error::Failed(format!("cannot write {target}: {reason}"))
        }
        other => Error::Failed(other.to_string()),
    };
    source.copy_to(draft.path()).await.map_err(failed)?;
    let audit = state::audit(draft.path()).await.map_err(failed)?;
    match audit.damage.first() {
        None => Ok(audit),
        Some(damage) => Err(Error::Failed(format!(
            "{} is damaged; SQLite reports about its copy: {damage}. No file was written",
            source.path().display()
        ))),
    }
}

/// Rejects target files that a backup would harm.
fn check_target(database: &Path, file: &Path, force: bool) -> Result<(), Error> {
    if file == Path::new("-") {
        return Err(Error::Usage(
            "FILE: expected a file to write, found \"-\"; a backup cannot be written to stdout"
                .to_owned(),
        ));
    }
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(Error::Failed(format!(
            "folder {} does not exist; create it, or mount its file system",
            folder.display()
        )));
    }
    let database = &state::behind_links(database);
    let own = ["", "-wal", "-shm", "-journal", ".lock"];
    let name = file.display();
    if own
        .iter()
        .any(|suffix| is_same_file(file, &beside(database, suffix)))
    {
        return Err(Error::Usage(format!(
            "{name} is a file of the database itself; name another file"
        )));
    }
    if file.is_dir() {
        return Err(Error::Usage(format!(
            "{name} is a folder; name a file in it"
        )));
    }
    // SQLite reads files of these names as part of the database beside them.
    for suffix in ["-wal", "-journal"] {
        let stray = beside(file, suffix);
        if stray.exists() {
            return Err(Error::Failed(format!(
                "{} exists: {name} is or was a database in use; choose another name",
                stray.display()
            )));
        }
    }
    match file.exists() && !force {
        true => Err(already_exists(file)),
        false => Ok(()),
    }
}

fn already_exists(file: &Path) -> Error {
    Error::Failed(format!(
        "{} already exists; --force replaces it",
        file.display()
    ))
}
