//! Exports a dump to a stream, a writer or a file. The file appears whole or not at all.
//!
//! Tasks are read in pages, in order of arrival, on the connections for reading: the Writer never
//! waits. A dump is no snapshot: a task that moves on meanwhile is in it as it was when its page
//! was read. Tasks that arrive meanwhile are not in it.

use std::io;
use std::path::{Path, PathBuf};
use std::vec;

use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::files::{Draft, blocking};
use crate::dump::format::write::DumpWriter;
use crate::dump::store::Store;
use crate::models::Task;
use crate::state;

/// Tasks of one page.
const PAGE_TASKS: u32 = 200;
/// A chunk of the stream has at least this many bytes, but for the last one …
const CHUNK_BYTES: usize = 64 * 1024;
/// … and at most this many.
const CHUNK_LIMIT_BYTES: usize = 256 * 1024;

/// Why a dump was not written to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The tasks could not be read.
    #[error(transparent)]
    State(#[from] state::Error),
    /// What it was written to took no more.
    #[error("{0}")]
    Write(#[from] io::Error),
    /// The file could not be written; what was there before still is.
    #[error("cannot write {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
}

/// What an export did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExportReport {
    pub(crate) tasks: u64,
    pub(crate) bytes: u64,
}

/// The dump as chunks of 64 to 256 KiB, made as they are asked for.
pub(crate) fn export_stream<S: Store>(
    store: S,
) -> impl Stream<Item = Result<Bytes, Error>> + Send + use<S> {
    stream::try_unfold(Exporter::new(store), |mut exporter| async move {
        let chunk = exporter.next_chunk().await?;
        Ok(chunk.map(|chunk| (chunk, exporter)))
    })
}

/// Writes the dump to `out` and flushes it.
pub(crate) async fn export<S: Store>(
    store: &S,
    mut out: impl AsyncWrite + Unpin,
) -> Result<ExportReport, Error> {
    let mut exporter = Exporter::new(store.clone());
    let mut bytes = 0;
    while let Some(chunk) = exporter.next_chunk().await? {
        out.write_all(&chunk).await?;
        bytes += chunk.len() as u64;
    }
    out.flush().await?;
    let tasks = exporter.writer.tasks();
    Ok(ExportReport { tasks, bytes })
}

/// Writes the dump to a file beside `path`, to be published.
pub(crate) async fn draft<S: Store>(
    store: &S,
    path: &Path,
) -> Result<(Draft, ExportReport), Error> {
    let failed = |source| Error::File {
        path: path.to_owned(),
        source,
    };
    let target = path.to_owned();
    let opened = blocking(move |_| {
        let draft = Draft::create(&target)?;
        let handle = draft.handle()?;
        Ok((draft, handle))
    });
    let (draft, handle) = opened.await.map_err(failed)?;
    match export(store, tokio::fs::File::from_std(handle)).await {
        Ok(report) => Ok((draft, report)),
        Err(Error::Write(source)) => Err(failed(source)),
        Err(error) => Err(error),
    }
}

/// Puts a finished draft in its place.
pub(crate) async fn publish(draft: Draft, path: &Path) -> Result<(), Error> {
    let published = blocking(move |dropped| draft.publish(dropped)).await;
    published.map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })
}

/// A dump on its way out: what has been read, what has been written of it.
struct Exporter<S> {
    store: S,
    writer: DumpWriter<Vec<u8>>,
    /// Tasks that were read and not yet written.
    page: vec::IntoIter<(i64, Task)>,
    /// The row number of the last task read.
    after: i64,
    /// The newest row when it began: under load a dump that also took what arrives meanwhile would not end.
    newest: Option<i64>,
    /// Written and not yet given out.
    ready: Bytes,
    finished: bool,
}

impl<S: Store> Exporter<S> {
    fn new(store: S) -> Self {
        Self {
            store,
            writer: DumpWriter::new(Vec::new()),
            page: Vec::new().into_iter(),
            after: 0,
            newest: None,
            ready: Bytes::new(),
            finished: false,
        }
    }

    /// The next piece of the file; `None` after the last.
    async fn next_chunk(&mut self) -> Result<Option<Bytes>, Error> {
        while self.ready.is_empty() {
            if self.finished {
                return Ok(None);
            }
            self.fill().await?;
        }
        let size = self.ready.len().min(CHUNK_LIMIT_BYTES);
        Ok(Some(self.ready.split_to(size)))
    }

    /// Writes tasks until there is enough for a chunk, or all.
    async fn fill(&mut self) -> Result<(), Error> {
        while self.writer.get_mut().len() < CHUNK_BYTES && !self.finished {
            if let Some((seq, task)) = self.page.next() {
                self.after = seq;
                self.writer.task(&task)?;
                continue;
            }
            let newest = match self.newest {
                Some(newest) => newest,
                None => *self.newest.insert(self.store.newest_row().await?),
            };
            let mut page = self.store.tasks_after(self.after, PAGE_TASKS).await?;
            page.retain(|(row, _)| *row <= newest);
            self.finished = page.is_empty();
            self.page = page.into_iter();
        }
        if self.finished {
            self.writer.finish(&self.store.dump_fields().await?)?;
        }
        self.ready = std::mem::take(self.writer.get_mut()).into();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use futures_util::TryStreamExt;
    use serde_json::{Value, json};

    use super::super::import::import_file;
    use super::super::test_store::{TestStore, task};
    use super::*;

    async fn export_file(store: &TestStore, path: &Path) -> Result<ExportReport, Error> {
        let (draft, report) = draft(store, path).await?;
        publish(draft, path).await?;
        Ok(report)
    }

    #[tokio::test]
    async fn what_goes_out_comes_in_again() {
        let mut tasks: Vec<_> = (0..1001).map(|n| task(n, "hello")).collect();
        let unknown = json!({"colour": "red"});
        tasks[7].extra = unknown.into();
        let store = TestStore::holding(tasks.clone());
        store.set_fields(json!({"autonomy_level": 20, "theme": {"dark": true}}));

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/state_dump.json");
        let report = export_file(&store, &path).await.unwrap();
        assert_eq!(report.tasks, 1001);
        assert_eq!(report.bytes, fs::metadata(&path).unwrap().len());

        let other = TestStore::default();
        import_file(&other, &path, "echo", false).await.unwrap();
        assert_eq!(other.tasks(), tasks);
        assert_eq!(
            Value::Object(other.fields()),
            json!({"paid_mode_enabled": false, "autonomy_level": 20, "theme": {"dark": true}})
        );
    }

    #[tokio::test]
    async fn chunks_are_neither_small_nor_large() {
        let mut tasks: Vec<_> = (0..1000).map(|n| task(n, "hello")).collect();
        tasks[500].content = "x".repeat(1_000_000);
        let store = TestStore::holding(tasks);
        let chunks: Vec<_> = export_stream(store).try_collect().await.unwrap();
        let sizes: Vec<_> = chunks.iter().map(Bytes::len).collect();
        assert!(sizes.iter().all(|size| *size <= CHUNK_LIMIT_BYTES));
        assert!(sizes.len() < 40, "{sizes:?}");
        let file: Value = serde_json::from_slice(&chunks.concat()).unwrap();
        assert_eq!(file["tasks"].as_array().unwrap().len(), 1000);
    }

    #[tokio::test]
    async fn short_pages_are_not_the_end() {
        let tasks: Vec<_> = (0..10).map(|n| task(n, "hello")).collect();
        let store = TestStore::holding(tasks).with_pages_of(3);
        let report = export(&store, &mut Vec::new()).await.unwrap();
        assert_eq!(report.tasks, 10);
    }

    #[tokio::test]
    async fn tasks_that_arrive_meanwhile_do_not_prolong_it() {
        let tasks: Vec<_> = (0..10).map(|n| task(n, "hello")).collect();
        let arriving = (100..200).map(|n| task(n, "later")).collect();
        let store = TestStore::holding(tasks).with_pages_of(1);
        let store = store.while_these_arrive(arriving);
        let report = export(&store, &mut Vec::new()).await.unwrap();
        assert_eq!(report.tasks, 10);
    }

    #[tokio::test]
    async fn a_failed_export_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("taken");
        fs::write(&taken, "a file, no folder").unwrap();
        for path in [folder.path().to_owned(), taken.join("state_dump.json")] {
            let error = export_file(&TestStore::default(), &path).await.unwrap_err();
            assert!(matches!(error, Error::File { .. }), "{error:?}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_dropped_export_leaves_the_old_file_and_no_draft() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state_dump.json");
        fs::write(&path, "old").unwrap();
        let tasks: Vec<_> = (0..2000).map(|n| task(n, "hello")).collect();
        let store = TestStore::holding(tasks).that_stops_answering_after(1000);
        tokio::select! {
            _ = export_file(&store, &path) => panic!("it waits for a page"),
            () = store.stopped_answering() => {}
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
