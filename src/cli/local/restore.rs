//! `venom restore`: replaces the database by a backup.
//!
//! The command holds the lock of the database throughout, so no service can start meanwhile. It copies and checks
//! the backup first, then renames the old database; it never deletes one.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::backup::copy_checked;
use super::drop_privileges::OwnerPrivileges;
use crate::cli::args::database_file::{DatabaseArgs, is_same_file};
use crate::cli::error::Error;
use crate::cli::output::confirm::{confirm, must_ask};
use crate::cli::output::print::say;
use crate::dump;
use crate::dump::{Draft, remove_all_leftovers};
use crate::state;
use crate::state::{Lock, OpenError, RestoredTokens, Source, beside};

/// Part of the name under which the old database is kept.
const LABEL: &str = "before-restore";

const EXAMPLES: &str = "\
Examples:
  venom restore backup.db
  venom restore backup.db --database /srv/venom/venom.db

Stop the service first. The backup is checked before anything changes, and the old database is kept beside the
new one under the printed name. The command asks for confirmation before it replaces a database; without a
terminal it needs --yes. Tasks accepted after the backup are not in it; tasks that ran after it run again. The
tokens of the old database stay valid, so that no token comes back that was revoked after the backup; without
an old database, or if it never had a token, those of the backup are used. `venom token list` shows them.";

/// Restore the database from a backup.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RestoreArgs {
    /// Restore this backup
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Restore the tokens of the backup too, including those revoked since
    #[arg(long)]
    with_tokens: bool,
    /// Skip the confirmation
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// Copies the backup, checks the copy, and exchanges the files.
pub(crate) async fn run(restore: &RestoreArgs) -> Result<(), Error> {
    let (file, database) = (&restore.file, restore.database.path()?);
    let (from, to) = (file.display(), database.display());
    if !file.is_file() {
        return Err(Error::Failed(format!("file {from} does not exist")));
    }
    if is_same_file(file, &database) {
        return Err(Error::Usage(format!("{from} is the database itself")));
    }
    if database.exists() && must_ask(restore.yes, "a restore over a database")? {
        let question =
            format!("Replace {to} by {from}? The old database is kept under another name.");
        if !confirm(&question)? {
            return Err(Error::Failed("cancelled; nothing was restored".to_owned()));
        }
    }
    let failed = |error| Error::Failed(format!("cannot write {to}: {error}"));
    state::check_in_place(file).map_err(|error| Error::Failed(error.to_string()))?;
    let source = Source::open(file).await;
    let source = source.map_err(|error| Error::Failed(error.to_string()))?;
    let _privileges = OwnerPrivileges::of(&database)?;
    // The lock file needs the folder.
    if let Some(folder) = state::behind_links(&database).parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let _lock = Lock::take(&database).map_err(|error| match error {
        OpenError::InUse { .. } => Error::Failed(format!(
            "{to} is in use by a venom process; stop it, then restore"
        )),
        other => Error::Failed(other.to_string()),
    })?;
    // No other process creates drafts while this one holds the lock.
    remove_all_leftovers(&database);
    let draft = Draft::create(&database).map_err(failed)?;
    let audit = copy_checked(source, &draft).await?;
    let tokens = match restore.with_tokens {
        true => RestoredTokens::OfBackup,
        false => state::keep_tokens(draft.target(), draft.path())
            .await
            .map_err(|error| Error::Failed(error.to_string()))?,
    };
    // A full disk fails here, before any file is renamed.
    draft.sync().map_err(failed)?;
    let aside = keep_aside(draft.target()).await?;
    if let Err(error) = draft.publish(&CancellationToken::new()) {
        let kept = match &aside {
            Some(aside) => format!("; the old database is in {}", aside.display()),
            None => String::new(),
        };
        return Err(Error::Failed(format!("cannot write {to}: {error}{kept}")));
    }
    say(format_args!("{to} restored: {} tasks", audit.tasks));
    say(format_args!("{}", token_message(tokens)));
    if let Some(aside) = aside {
        say(format_args!("the old database is in {}", aside.display()));
    }
    for problem in audit.problems() {
        say(format_args!("warning: {problem}"));
    }
    Ok(())
}

fn token_message(tokens: RestoredTokens) -> &'static str {
    match tokens {
        RestoredTokens::Kept => "tokens: those of the old database are kept",
        RestoredTokens::OfBackup => "tokens: those of the backup; `venom token list` shows them",
        RestoredTokens::Unknown => {
            "warning: tokens are those of the backup, because the old database cannot be read; revoke again the \
             tokens that were revoked since"
        }
    }
}

/// Renames the database and its logs, which SQLite would apply to the next file of that name. Returns the new name,
/// or `None` without a database. `database` must not be a link.
async fn keep_aside(database: &Path) -> Result<Option<PathBuf>, Error> {
    let name = database.display();
    let failed = |error| Error::Failed(format!("cannot move {name} aside: {error}"));
    let logs = ["-wal", "-journal"].map(|end| (end, beside(database, end)));
    // A damaged database cannot be checkpointed, so it keeps its logs.
    let is_sound = database.exists() && state::fold(database).await.is_ok();
    if is_sound && logs.iter().any(|(_, log)| log.exists()) {
        return Err(Error::Failed(format!(
            "another program has {name} open; close it, then restore"
        )));
    }
    let aside = match database.exists() {
        true => Some(dump::keep_aside(database, LABEL).map_err(failed)?),
        false => None,
    };
    for (end, log) in logs.iter().filter(|(_, log)| log.exists()) {
        match &aside {
            Some(aside) => fs::rename(log, beside(aside, end)).map_err(failed)?,
            None => drop(dump::put_aside(log, LABEL).map_err(failed)?),
        }
    }
    let _ = fs::remove_file(beside(database, "-shm"));
    Ok(aside)
}
