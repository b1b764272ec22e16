//! Imports a dump.
//!
//! The file is read twice on a thread of its own: once to see that all of it can be read, once to
//! send its tasks in chunks to the [`Store`]. So a damaged file imports nothing, and neither pass
//! holds more than a chunk. A crash in between leaves some chunks imported; importing again does
//! the rest.

use std::fs::File;
use std::io::{self, Seek};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use utoipa::ToSchema;

use super::files::{self, blocking};
use super::format::{self, error::Stopped};
use crate::dump::store::Store;
use crate::models::{Task, TaskId};
use crate::state;

/// One transaction imports this many tasks at most, so that it holds up nobody else's for long.
const CHUNK_TASKS: usize = 500;
/// And so much of the file, give or take a buffer and the last task.
const CHUNK_BYTES: u64 = 4 * 1024 * 1024;
/// A report names this many conflicting ids at most.
const NAMED_CONFLICTS: usize = 1000;

/// Why nothing, or not everything, was imported.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file was read and is no dump. Nothing was imported.
    #[error(transparent)]
    Damaged(format::Error),
    /// The file could not be read.
    #[error("{0}")]
    Unreadable(io::Error),
    /// The database did not take a chunk; those before it were imported.
    #[error(transparent)]
    State(#[from] state::Error),
}

impl From<format::Error> for Error {
    fn from(error: format::Error) -> Self {
        match error {
            format::Error::Io(error) => Self::Unreadable(error),
            damaged => Self::Damaged(damaged),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ImportReport)]
pub(crate) struct ImportReport {
    /// Tasks that were not there before.
    pub(crate) imported: u64,
    /// Tasks that were there already, with the same content and creation time.
    pub(crate) unchanged: u64,
    /// Tasks that took another one's place, as asked.
    pub(crate) replaced: u64,
    /// How many tasks were left out because another one has their id, or their unique key while it is
    /// not finished.
    pub(crate) conflict_count: u64,
    /// The ids of the first 1000 of them.
    #[schema(value_type = Vec<Uuid>)]
    pub(crate) conflicts: Vec<TaskId>,
    /// Escapes such as `\ud83d` without their other half, which are no characters: they became U+FFFD.
    #[serde(default)]
    #[schema(required)]
    pub(crate) replaced_characters: u64,
}

impl ImportReport {
    fn add(&mut self, chunk: state::ImportReport) {
        self.imported += chunk.imported;
        self.unchanged += chunk.unchanged;
        self.replaced += chunk.replaced;
        // Complete, as a chunk has fewer tasks than the 1000 that it names.
        self.conflict_count += chunk.conflicts.len() as u64;
        let room = NAMED_CONFLICTS - self.conflicts.len();
        self.conflicts
            .extend(chunk.conflicts.into_iter().take(room));
    }
}

/// Imports the dump at `path`; see [`import_open`].
pub(crate) async fn import_file<S: Store>(
    store: &S,
    path: &Path,
    default_processor: &str,
    replace: bool,
) -> Result<ImportReport, Error> {
    let path = path.to_owned();
    let file = blocking(move |_| files::open(&path)).await?;
    import_open(store, file, default_processor, replace).await
}

/// Imports the dump in `file` from its beginning; it has to be a file proper, which can be read
/// twice.
///
/// Tasks that name no processor get `default_processor`. A task whose id is taken by another one is
/// a conflict and left out, or with `replace` put in the other's place. The fields beside the tasks
/// join those of earlier imports. Dropping the future ends the import between two chunks.
pub(crate) async fn import_open<S: Store>(
    store: &S,
    file: File,
    default_processor: &str,
    replace: bool,
) -> Result<ImportReport, Error> {
    let default_processor = default_processor.to_owned();
    let (sender, mut chunks) = mpsc::channel(1);
    let reader = spawn_blocking(move || read_twice(file, &default_processor, &sender));
    let mut report = ImportReport::default();
    while let Some(chunk) = chunks.recv().await {
        report.add(store.import(chunk, replace).await?);
    }
    let rest = reader.await.map_err(io::Error::other)??;
    store.end_import().await?;
    keep_fields(store, rest.fields).await?;
    report.replaced_characters = rest.replaced_characters;
    Ok(report)
}

async fn keep_fields<S: Store>(store: &S, fields: Map<String, Value>) -> Result<(), state::Error> {
    let before = store.dump_fields().await?;
    let mut kept = before.clone();
    kept.extend(fields);
    if kept == before {
        return Ok(());
    }
    store.set_dump_fields(kept).await
}

fn read_twice(
    mut file: File,
    default_processor: &str,
    chunks: &mpsc::Sender<Vec<Task>>,
) -> Result<format::Rest, format::Error> {
    file.rewind().map_err(format::Error::Io)?;
    format::read(&file, default_processor, |_, _| {
        if chunks.is_closed() {
            return Err(Stopped);
        }
        Ok(())
    })?;
    file.rewind().map_err(format::Error::Io)?;
    let mut chunk = Chunk::default();
    let rest = format::read(&file, default_processor, |task, bytes| {
        chunk.tasks.push(task);
        chunk.bytes += bytes;
        if chunk.is_full() {
            return chunk.send(chunks);
        }
        Ok(())
    })?;
    match chunk.send(chunks) {
        Ok(()) => Ok(rest),
        Err(Stopped) => Err(format::Error::Stopped),
    }
}

#[derive(Default)]
struct Chunk {
    tasks: Vec<Task>,
    bytes: u64,
}

impl Chunk {
    fn is_full(&self) -> bool {
        self.tasks.len() >= CHUNK_TASKS || self.bytes >= CHUNK_BYTES
    }

    /// Sends what has come together and starts anew.
    fn send(&mut self, chunks: &mpsc::Sender<Vec<Task>>) -> Result<(), Stopped> {
        let full = std::mem::take(self);
        if full.tasks.is_empty() {
            return Ok(());
        }
        chunks.blocking_send(full.tasks).map_err(|_| Stopped)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use serde_json::json;

    use super::super::test_store::{TestStore, task};
    use super::*;

    fn file_with(text: &str) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn dump_of(tasks: &[Task]) -> File {
        let mut writer = format::write::DumpWriter::new(Vec::new());
        for task in tasks {
            writer.task(task).unwrap();
        }
        writer.finish(&Map::new()).unwrap();
        file_with(std::str::from_utf8(writer.get_mut()).unwrap())
    }

    #[tokio::test]
    async fn tasks_come_in_chunks_and_in_order() {
        let tasks: Vec<_> = (0..1234).map(|n| task(n, "hello")).collect();
        let store = TestStore::default();
        let report = import_open(&store, dump_of(&tasks), "echo", false).await;
        let report = report.unwrap();
        assert_eq!((report.imported, report.conflict_count), (1234, 0));
        assert_eq!(store.tasks(), tasks);
        assert_eq!(store.chunk_sizes(), [500, 500, 234]);

        let again = import_open(&store, dump_of(&tasks), "echo", false).await;
        assert_eq!(again.unwrap().unchanged, 1234);
    }

    #[tokio::test]
    async fn large_tasks_come_in_small_chunks() {
        let text = "x".repeat(1024 * 1024);
        let tasks: Vec<_> = (0..12).map(|n| task(n, &text)).collect();
        let store = TestStore::default();
        import_open(&store, dump_of(&tasks), "echo", false)
            .await
            .unwrap();
        let sizes = store.chunk_sizes();
        assert!(sizes.iter().all(|size| *size <= 5), "{sizes:?}");
    }

    #[tokio::test]
    async fn a_damaged_file_imports_nothing() {
        let mut tasks: Vec<_> = (0..1000).map(|n| task(n, "hello")).collect();
        tasks[999].priority = 1_000_000;
        let store = TestStore::default();
        let error = import_open(&store, dump_of(&tasks), "echo", false)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Damaged(_)));
        assert!(error.to_string().starts_with("tasks[999].priority: "));
        assert!(store.tasks().is_empty());
    }

    #[tokio::test]
    async fn conflicts_are_counted_and_the_first_are_named() {
        let there: Vec<_> = (0..1500).map(|n| task(n, "there")).collect();
        let other: Vec<_> = (0..1501).map(|n| task(n, "other")).collect();
        let store = TestStore::holding(there);
        let report = import_open(&store, dump_of(&other), "echo", false).await;
        let report = report.unwrap();
        assert_eq!((report.imported, report.conflict_count), (1, 1500));
        assert_eq!(report.conflicts.len(), 1000);

        let replaced = import_open(&store, dump_of(&other), "echo", true).await;
        assert_eq!(replaced.unwrap().replaced, 1500);
    }

    #[tokio::test]
    async fn fields_join_those_of_earlier_imports() {
        let store = TestStore::default();
        for text in [
            r#"{"tasks": [], "paid_mode_enabled": true, "theme": "dark"}"#,
            r#"{"theme": "light", "tasks": []}"#,
        ] {
            import_open(&store, file_with(text), "echo", false)
                .await
                .unwrap();
        }
        assert_eq!(
            Value::Object(store.fields()),
            json!({"paid_mode_enabled": true, "theme": "light"})
        );
    }

    #[tokio::test]
    async fn what_cannot_be_opened_is_unreadable() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().join("none.json"), folder.path().to_owned()] {
            let error = import_file(&TestStore::default(), &path, "echo", false).await;
            assert!(matches!(error, Err(Error::Unreadable(_))), "{path:?}");
        }
    }
}
