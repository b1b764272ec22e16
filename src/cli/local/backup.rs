//! `venom backup`: a whole copy of the database as one file, checked before it gets its name.
//!
//! It reads the database file itself, in one read transaction of SQLite's, so it needs no service and
//! holds none up.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::drop_privileges::AsOwner;
use crate::cli::args::database_file::{DatabaseFile, is_same_file};
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

It works while the service runs and while it does not, on the machine where the database is. The copy
is what was committed at one moment; it is synced and checked before it gets its name, and only its
owner can read it. `venom restore` takes it back. Exit code 1 with a file that is written says that the
database breaks rules of its own; `venom doctor` says which.";

/// Problems of a copy that are named.
const NAMED_PROBLEMS: usize = 5;

/// Copy the database into one file, also while the service runs.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BackupArgs {
    /// File to write
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Replace FILE if it is there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    database: DatabaseFile,
}

/// Copies, checks, and puts the copy in its place.
pub(crate) async fn run(backup: &BackupArgs) -> Result<(), Error> {
    let (database, file) = (backup.database.existing()?, &backup.file);
    check_place(&database, file, backup.force)?;
    let source = open(&database).await?;
    let _rights = AsOwner::of(file)?;
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
        ErrorKind::AlreadyExists => there_already(file),
        _ => failed(error),
    })?;
    say(format_args!(
        "{name} is written and checked: {} tasks, {bytes} bytes",
        audit.tasks
    ));
    if audit.broken.is_empty() {
        return Ok(());
    }
    for problem in audit.problems().take(NAMED_PROBLEMS) {
        say(format_args!("warning: {problem}"));
    }
    Err(Error::Failed(format!(
        "the copy is whole, but {} breaks rules of its own; `venom doctor` says which",
        database.display()
    )))
}

/// Opens the database, with no more rights than the owner of its folder has.
async fn open(database: &Path) -> Result<Source, Error> {
    let _rights = AsOwner::of(database)?;
    let opened = Source::open(database).await;
    opened.map_err(|error| Error::Failed(error.to_string()))
}

/// Copies a database into a draft and reads the copy from end to end. A damaged one is an error.
pub(crate) async fn copy_checked(mut source: Source, draft: &Draft) -> Result<Audit, Error> {
    let failed = |error: OpenError| match error {
        // Nobody knows the draft's own name.
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
            "{} is damaged: SQLite says of its copy: {damage}; nothing was written",
            source.path().display()
        ))),
    }
}

/// Refuses places where a backup would do harm.
fn check_place(database: &Path, file: &Path, force: bool) -> Result<(), Error> {
    if file == Path::new("-") {
        return Err(Error::Usage(
            "FILE: expected a file to write, found \"-\"; a database cannot go to stdout"
                .to_owned(),
        ));
    }
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(Error::Failed(format!(
            "there is no folder {}; make it, or mount what belongs there",
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
            "{name} belongs to the database itself; name another file"
        )));
    }
    if file.is_dir() {
        return Err(Error::Usage(format!(
            "{name} is a folder; name a file in it"
        )));
    }
    // What SQLite finds beside a database under these names it takes for a part of it.
    for suffix in ["-wal", "-journal"] {
        let stray = beside(file, suffix);
        if stray.exists() {
            return Err(Error::Failed(format!(
                "{} is there: {name} is in use as a database, or was; choose another name",
                stray.display()
            )));
        }
    }
    match file.exists() && !force {
        true => Err(there_already(file)),
        false => Ok(()),
    }
}

fn there_already(file: &Path) -> Error {
    Error::Failed(format!(
        "{} is there already; --force replaces it",
        file.display()
    ))
}
