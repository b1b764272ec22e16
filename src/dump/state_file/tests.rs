//! The state file: first import, rewriting, and files of others.

use tempfile::TempDir;

use super::super::test_store::{TestStore, task};
use super::*;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/dumps");

/// A folder with `fixture` as its `state_dump.json`.
fn folder_with(fixture: &str) -> (TempDir, StateFile) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state_dump.json");
    fs::copy(format!("{FIXTURES}/{fixture}"), &path).unwrap();
    (folder, StateFile::new(path))
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(format!("{FIXTURES}/{name}")).unwrap()
}

/// The folder's files besides `state_dump.json`.
fn others(folder: &TempDir) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| !path.ends_with("state_dump.json"))
        .collect()
}

/// The one other file, after a look at its name.
#[track_caller]
fn the_other(folder: &TempDir, label: &str) -> PathBuf {
    let [other] = others(folder).try_into().unwrap();
    let name = other.file_name().unwrap().to_string_lossy().into_owned();
    let beginning = format!("state_dump.json.{label}-");
    assert!(name.starts_with(&beginning), "{name}");
    other
}

#[tokio::test]
async fn the_originals_file_is_imported_and_kept() {
    let (folder, mut file) = folder_with("v1_naive_local_times.json");
    let store = TestStore::default();
    let done = file.first_start(&store, "echo").await.unwrap();
    assert!(matches!(done, FirstStart::Imported(report) if report.imported == 3));
    assert!(others(&folder).is_empty(), "before anything is written");

    for _ in 0..2 {
        assert_eq!(file.write(&store).await.unwrap().tasks, 3);
    }
    let kept = the_other(&folder, "original");
    assert_eq!(
        fs::read(kept).unwrap(),
        fixture("v1_naive_local_times.json")
    );

    let mut at_next_start = StateFile::new(file.path());
    at_next_start.write(&store).await.unwrap();
    assert_eq!(others(&folder).len(), 1, "our own is overwritten");
}

#[tokio::test]
async fn nothing_happens_without_a_file_or_with_tasks() {
    let folder = tempfile::tempdir().unwrap();
    let mut missing = StateFile::new(folder.path().join("state_dump.json"));
    let done = missing.first_start(&TestStore::default(), "echo").await;
    assert_eq!(done.unwrap(), FirstStart::NothingToDo);

    let (_folder, mut file) = folder_with("v1_naive_local_times.json");
    let store = TestStore::holding(vec![task(1, "hello")]);
    let done = file.first_start(&store, "echo").await.unwrap();
    assert_eq!(done, FirstStart::NothingToDo);
    assert_eq!(store.tasks().len(), 1);
}

#[tokio::test]
async fn an_import_that_was_cut_short_goes_on() {
    let (folder, mut file) = folder_with("v1_naive_local_times.json");
    let first = TestStore::default();
    import_file(&first, file.path(), "echo", false)
        .await
        .unwrap();
    let store = TestStore::holding(first.tasks()[..1].to_vec());
    fs::write(files::marker(file.path()), "").unwrap();

    let done = file.first_start(&store, "echo").await.unwrap();
    let FirstStart::Imported(report) = done else {
        panic!("{done:?}")
    };
    assert_eq!((report.imported, report.unchanged), (2, 1));
    assert!(others(&folder).is_empty());
    let again = file.first_start(&store, "echo").await.unwrap();
    assert_eq!(again, FirstStart::NothingToDo);
}

#[tokio::test]
async fn a_damaged_file_is_put_aside() {
    let (folder, mut file) = folder_with("damaged_truncated.json");
    let store = TestStore::default();
    let done = file.first_start(&store, "echo").await.unwrap();
    let aside = the_other(&folder, "damaged");
    assert_eq!(done, FirstStart::PutAside(aside.clone()));
    assert!(!file.path().exists());
    assert!(store.tasks().is_empty());

    file.write(&store).await.unwrap();
    assert_eq!(fs::read(aside).unwrap(), fixture("damaged_truncated.json"));
}

#[tokio::test]
async fn a_damaged_file_is_put_aside_at_any_start() {
    let (folder, mut file) = folder_with("damaged_not_json.json");
    let store = TestStore::holding(vec![task(1, "hello")]);
    file.first_start(&store, "echo").await.unwrap();
    file.write(&store).await.unwrap();
    let aside = the_other(&folder, "damaged");
    assert_eq!(fs::read(aside).unwrap(), fixture("damaged_not_json.json"));
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state_dump.json");
    // A folder cannot be read as a file, whoever tries.
    fs::create_dir(&path).unwrap();
    let mut file = StateFile::new(&path);
    let store = TestStore::default();
    let done = file.first_start(&store, "echo").await.unwrap();
    assert_eq!(done, FirstStart::LeftAlone);

    // Even if it can be read later: what is in it was not imported.
    fs::remove_dir(&path).unwrap();
    fs::write(&path, fixture("venom_core_1.json")).unwrap();
    let written = file.write(&store).await;
    assert!(matches!(written, Err(Error::LeftAlone { .. })));
    assert_eq!(fs::read(&path).unwrap(), fixture("venom_core_1.json"));
    assert!(others(&folder).is_empty());
}

#[tokio::test]
async fn what_cannot_be_read_before_the_first_dump_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state_dump.json");
    fs::create_dir(&path).unwrap();
    let mut file = StateFile::new(&path);
    let store = TestStore::holding(vec![task(1, "hello")]);
    let written = file.write(&store).await;
    assert!(matches!(written, Err(Error::Unreadable { .. })));
    fs::remove_dir(&path).unwrap();
    file.write(&store).await.unwrap();
}

#[tokio::test]
async fn a_write_that_is_given_up_moves_nothing() {
    let (folder, mut file) = folder_with("v1_naive_local_times.json");
    let store = TestStore::holding(vec![task(1, "hello")]).that_stops_answering_after(1);
    tokio::select! {
        _ = file.write(&store) => panic!("it waits for a page"),
        () = store.stopped_answering() => {}
    }
    assert_eq!(
        fs::read(file.path()).unwrap(),
        fixture("v1_naive_local_times.json")
    );
    assert!(others(&folder).is_empty());
}

#[tokio::test]
async fn a_file_without_anything_in_it_is_not_damaged() {
    for text in ["", "\n", " \r\n\t", "\u{feff}\n"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state_dump.json");
        fs::write(&path, text).unwrap();
        let mut file = StateFile::new(&path);
        let store = TestStore::default();
        let done = file.first_start(&store, "echo").await.unwrap();
        assert_eq!(done, FirstStart::NothingToDo, "{text:?}");
        assert!(others(&folder).is_empty(), "{text:?}");

        let store = TestStore::holding(vec![task(1, "hello")]);
        assert_eq!(file.write(&store).await.unwrap().tasks, 1);
        assert!(others(&folder).is_empty(), "{text:?}");
    }
    // Zeros are what a power cut leaves of a file.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state_dump.json");
    fs::write(&path, [0; 100]).unwrap();
    let (mut file, store) = (StateFile::new(&path), TestStore::default());
    let done = file.first_start(&store, "echo").await.unwrap();
    assert!(matches!(done, FirstStart::PutAside(_)));
}
