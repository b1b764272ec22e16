//! The file at `STATE_FILE_PATH`: imported at the first start, then rewritten periodically.
//!
//! Its invariant: nothing that this service did not write is ever overwritten. A damaged file and
//! the original's own are put aside before the first dump of a run; one that cannot be read stays
//! where it is, and no dump is written.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::files::blocking;
use super::format;
use super::format::error::Stopped;
use super::import::{self, import_file};
use super::{export, files};
use crate::dump::format::inspect::Author;
use crate::dump::store::Store;
use crate::state;

/// What became of the file at the start.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FirstStart {
    /// There is no file, there is nothing in it, or this is not the first start.
    NothingToDo,
    /// It was imported.
    Imported(import::ImportReport),
    /// It is no dump and was put aside, to this path.
    PutAside(PathBuf),
    /// It could not be read or put aside: it is left alone for as long as this service runs.
    LeftAlone,
}

/// Why the file was not written. What was there before is still there, here or aside.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It holds what could not be imported at the start.
    #[error("{} was left alone at the start and is not overwritten", path.display())]
    LeftAlone { path: PathBuf },
    /// Nobody can say what would be overwritten.
    #[error("cannot read {}, so it is not overwritten: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// A damaged or foreign file is in the way.
    #[error("cannot put {} aside, so it is not overwritten: {source}", path.display())]
    InTheWay { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Export(#[from] export::Error),
}

/// What is known of the file that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Unknown,
    /// Written by this service, in this run.
    Ours,
    /// Not to be touched.
    LeftAlone,
}

/// What has to happen to a file before another one takes its place.
#[derive(Debug)]
enum Found {
    /// None there, one without anything in it, or one that is out of date.
    Replaceable,
    Damaged(format::Error),
    Foreign,
}

/// The service's own dump.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    standing: Standing,
}

impl StateFile {
    /// The file at `path`, which need not exist.
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            standing: Standing::Unknown,
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Imports the file if no task was ever stored, or if the last start was cut short doing so.
    ///
    /// Has to be over before any task runs. What is wrong with the file is logged here and is no
    /// error: the service starts with what it has.
    pub(crate) async fn first_start<S: Store>(
        &mut self,
        store: &S,
        default_processor: &str,
    ) -> Result<FirstStart, state::Error> {
        let (path, marker) = (self.path.clone(), files::marker(&self.path));
        if is_missing(&path) {
            let _ = fs::remove_file(&marker);
            return Ok(FirstStart::NothingToDo);
        }
        let cut_short = marker.exists();
        if !cut_short && !store.is_empty().await? {
            return Ok(FirstStart::NothingToDo);
        }
        // By this mark the next start goes on if this one dies between two chunks. Where it cannot
        // be made, in a folder that is read-only, no dump can be written over the file either.
        let _ = File::create(&marker);
        let imported = import_file(store, &path, default_processor, false).await;
        let done = match imported {
            Ok(report) => {
                log_import(&path, &report);
                FirstStart::Imported(report)
            }
            Err(import::Error::State(error)) => return Err(error),
            Err(import::Error::Damaged(format::Error::Empty)) => {
                tracing::info!("{} is empty: there is nothing to import", path.display());
                FirstStart::NothingToDo
            }
            Err(import::Error::Damaged(reason)) => self.put_damaged_aside(&reason).await,
            Err(import::Error::Unreadable(error)) => {
                tracing::error!(
                    "cannot read {}: {error}; it is left alone and no dump is written until the next \
                     start: make it readable and restart, or run `venom import`",
                    path.display()
                );
                FirstStart::LeftAlone
            }
        };
        if done == FirstStart::LeftAlone {
            self.standing = Standing::LeftAlone;
        }
        let _ = fs::remove_file(&marker);
        Ok(done)
    }

    async fn put_damaged_aside(&self, reason: &format::Error) -> FirstStart {
        let path = self.path.clone();
        match blocking(move |_| files::put_aside(&path, "damaged")).await {
            Ok(aside) => {
                tracing::error!(
                    "{} is damaged ({reason}) and was put aside as {}; nothing was imported",
                    self.path.display(),
                    aside.display()
                );
                FirstStart::PutAside(aside)
            }
            Err(error) => {
                tracing::error!(
                    "{} is damaged ({reason}) and cannot be put aside: {error}; nothing was imported, \
                     and no dump is written until the next start",
                    self.path.display()
                );
                FirstStart::LeftAlone
            }
        }
    }

    /// Writes the state to the file. Before the first time in a run, looks at what is there.
    ///
    /// A write that fails, or whose future is dropped, changes nothing.
    pub(crate) async fn write<S: Store>(
        &mut self,
        store: &S,
    ) -> Result<export::ExportReport, Error> {
        let found = match self.standing {
            Standing::Ours => Found::Replaceable,
            Standing::LeftAlone => {
                let path = self.path.clone();
                return Err(Error::LeftAlone { path });
            }
            Standing::Unknown => self.look().await?,
        };
        let (draft, report) = export::draft(store, &self.path).await?;
        self.make_way(found).await?;
        export::publish(draft, &self.path).await?;
        self.standing = Standing::Ours;
        Ok(report)
    }

    /// Finds out whose file is there, and removes what a crash left beside it.
    async fn look(&self) -> Result<Found, Error> {
        let path = self.path.clone();
        let found = blocking(move |dropped| {
            files::remove_leftovers(&path);
            look_at(&path, dropped)
        });
        found.await.map_err(|source| Error::Unreadable {
            path: self.path.clone(),
            source,
        })
    }

    async fn make_way(&self, found: Found) -> Result<(), Error> {
        let (label, reason) = match found {
            Found::Replaceable => return Ok(()),
            Found::Damaged(reason) => ("damaged", Some(reason)),
            Found::Foreign => ("original", None),
        };
        let path = self.path.clone();
        let aside = blocking(move |_| files::put_aside(&path, label)).await;
        let aside = aside.map_err(|source| Error::InTheWay {
            path: self.path.clone(),
            source,
        })?;
        let (path, aside) = (self.path.display(), aside.display());
        match reason {
            Some(reason) => {
                tracing::error!("{path} was damaged ({reason}) and was put aside as {aside}");
            }
            None => tracing::info!(
                "{path} was not written by this service and is kept as {aside}; what of it was never \
                 imported comes in with `venom import`"
            ),
        }
        Ok(())
    }
}

fn look_at(path: &Path, dropped: &CancellationToken) -> io::Result<Found> {
    let file = match files::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Replaceable),
        file => file?,
    };
    let author = format::inspect(file, || {
        if dropped.is_cancelled() {
            return Err(Stopped);
        }
        Ok(())
    });
    match author {
        Ok(Author::Ours) | Err(format::Error::Empty) => Ok(Found::Replaceable),
        Ok(Author::Foreign) => Ok(Found::Foreign),
        Err(format::Error::Io(error)) => Err(error),
        Err(error) => Ok(Found::Damaged(error)),
    }
}

fn is_missing(path: &Path) -> bool {
    matches!(fs::metadata(path), Err(error) if error.kind() == io::ErrorKind::NotFound)
}

fn log_import(path: &Path, report: &import::ImportReport) {
    tracing::info!("imported {} tasks from {}", report.imported, path.display());
    if report.conflict_count > 0 {
        tracing::warn!(
            "{} tasks of {} were left out, as others have their ids",
            report.conflict_count,
            path.display()
        );
    }
    if report.replaced_characters > 0 {
        tracing::warn!(
            "{} escapes such as \\ud83d without their other half in {} became U+FFFD",
            report.replaced_characters,
            path.display()
        );
    }
}

#[cfg(test)]
mod tests;
