//! `venom restore`: a backup in the place of the database.
//!
//! The lock of the database is held throughout, so no service runs on it meanwhile. The backup is copied
//! and checked first; what was there is moved aside at the end, and never deleted.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::backup::copy_checked;
use super::drop_privileges::AsOwner;
use crate::cli::args::database_file::{DatabaseFile, is_same_file};
use crate::cli::error::Error;
use crate::cli::output::confirm::{confirm, must_ask};
use crate::cli::output::print::say;
use crate::dump;
use crate::dump::{Draft, remove_all_leftovers};
use crate::state;
use crate::state::{Lock, OpenError, RestoredTokens, Source, beside};

/// In the name of what was there.
const LABEL: &str = "before-restore";

const EXAMPLES: &str = "\
Examples:
  venom restore backup.db
  venom restore backup.db --database /srv/venom/venom.db

Stop the service first. The backup is checked before anything is changed, and the database that was
there is kept beside the new one, under the name that is printed. It asks before it takes the place of one; where
there is no terminal to ask at, it needs --yes. What was accepted after the backup is
not in it, and what has run since runs again. Tokens stay those that are there, so that none comes back
that was revoked after the backup; where there is no database yet, or none was ever made, they are those of
the backup. `venom token list` shows them.";

/// Put a backup in the place of the database.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RestoreArgs {
    /// Backup to take
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Take the tokens of the backup too, also those that were revoked since
    #[arg(long)]
    with_tokens: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    database: DatabaseFile,
}

/// Copies the backup, checks the copy, and swaps.
pub(crate) async fn run(restore: &RestoreArgs) -> Result<(), Error> {
    let (file, database) = (&restore.file, restore.database.path()?);
    let (from, to) = (file.display(), database.display());
    if !file.is_file() {
        return Err(Error::Failed(format!("there is no file {from}")));
    }
    if is_same_file(file, &database) {
        return Err(Error::Usage(format!("{from} is the database itself")));
    }
    if database.exists() && must_ask(restore.yes, "to put a backup in the place of a database")? {
        let question =
            format!("Put {from} in the place of {to}, which is kept under another name?");
        if !confirm(&question)? {
            return Err(Error::Failed("nothing was restored".to_owned()));
        }
    }
    let failed = |error| Error::Failed(format!("cannot write {to}: {error}"));
    state::check_in_place(file).map_err(|error| Error::Failed(error.to_string()))?;
    let source = Source::open(file).await;
    let source = source.map_err(|error| Error::Failed(error.to_string()))?;
    let _rights = AsOwner::of(&database)?;
    // The lock needs it.
    if let Some(folder) = state::behind_links(&database).parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let _lock = Lock::take(&database).map_err(|error| match error {
        OpenError::InUse { .. } => Error::Failed(format!(
            "{to} is in use by a venom process; stop it, then restore"
        )),
        other => Error::Failed(other.to_string()),
    })?;
    // Nobody else makes any while this holds the lock.
    remove_all_leftovers(&database);
    let draft = Draft::create(&database).map_err(failed)?;
    let audit = copy_checked(source, &draft).await?;
    let tokens = match restore.with_tokens {
        true => RestoredTokens::OfBackup,
        false => state::keep_tokens(draft.target(), draft.path())
            .await
            .map_err(|error| Error::Failed(error.to_string()))?,
    };
    // A full disk is found before anything is moved.
    draft.sync().map_err(failed)?;
    let aside = keep_aside(draft.target()).await?;
    if let Err(error) = draft.publish(&CancellationToken::new()) {
        let kept = match &aside {
            Some(aside) => format!("; what was there is also in {}", aside.display()),
            None => String::new(),
        };
        return Err(Error::Failed(format!("cannot write {to}: {error}{kept}")));
    }
    say(format_args!("{to} is restored: {} tasks", audit.tasks));
    say(format_args!("{}", words_of(tokens)));
    if let Some(aside) = aside {
        say(format_args!("what was there is in {}", aside.display()));
    }
    for problem in audit.problems() {
        say(format_args!("warning: {problem}"));
    }
    Ok(())
}

fn words_of(tokens: RestoredTokens) -> &'static str {
    match tokens {
        RestoredTokens::Kept => {
            "its tokens are those that were here before, not those of the backup"
        }
        RestoredTokens::OfBackup => {
            "its tokens are those of the backup: venom token list shows them"
        }
        RestoredTokens::Unknown => {
            "warning: its tokens are those of the backup, as those that were here cannot be read: \
             revoke again what was revoked since"
        }
    }
}

/// Gives the database another name beside its own, under which it stays, and takes away the logs that SQLite would
/// apply to the next file of its name; the new name, if there is a database. `database` is no link.
async fn keep_aside(database: &Path) -> Result<Option<PathBuf>, Error> {
    let name = database.display();
    let failed = |error| Error::Failed(format!("cannot move {name} aside: {error}"));
    let logs = ["-wal", "-journal"].map(|end| (end, beside(database, end)));
    // A damaged one cannot be folded, and goes aside with its logs.
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
