//! What keeps the service from starting is said in one sentence, with exit code 1, and nothing is
//! touched.

use std::fs;
use std::net::TcpListener;

use support::{Database, Service, Setup};

/// The one sentence of a start that fails.
async fn refusal(setup: &Setup) -> String {
    let before = setup.log().len();
    let (status, log) = setup.start_and_fail().await;
    let said = log[before..].trim().to_owned();
    assert_eq!(status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "not one line: {said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

#[track_caller]
fn assert_says(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "no {word:?} in: {said}");
    }
}

#[tokio::test]
async fn a_port_in_use() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = other.local_addr().expect("an address").to_string();
    let setup = Setup::new().port(other.local_addr().expect("an address").port());
    let said = refusal(&setup).await;
    assert_says(&said, &[&address, "in use", "--port"]);
    assert!(!setup.database_path().exists(), "a database was created");
}

#[tokio::test]
async fn a_database_in_use() {
    let service = Service::start().await;
    let setup = Setup::new().data_in(service.setup().folder());
    let id = service.submit("before").await;
    let said = refusal(&setup).await;
    assert_says(&said, &["venom.db", "in use by another venom"]);
    // The other one is none the worse for it.
    assert_eq!(service.finished(&id).await["status"], "COMPLETED");
    service.ends_well().await;
}

#[tokio::test]
async fn a_database_of_a_newer_version() {
    let stopped = Service::start().await.stop().await;
    let newer =
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (9001, 'from the future', TRUE, x'00', 0)";
    stopped
        .database()
        .await
        .run(newer)
        .await
        .expect("it is written");
    let said = refusal(stopped.setup()).await;
    assert_says(&said, &["venom.db", "newer version", "9001"]);
}

#[tokio::test]
async fn a_file_that_is_no_database() {
    let setup = Setup::new();
    let poem = "Two roads diverged in a yellow wood, and sorry I could not travel both ".repeat(50);
    fs::write(setup.database_path(), &poem).expect("a file");
    let said = refusal(&setup).await;
    assert_says(&said, &["venom.db", "not a database"]);
    assert_eq!(
        fs::read_to_string(setup.database_path()).expect("the file"),
        poem
    );
}

#[tokio::test]
async fn a_database_of_another_program() {
    let setup = Setup::new();
    fs::write(setup.database_path(), "").expect("an empty file");
    let mut database = Database::open(&setup.database_path()).await;
    let theirs = "CREATE TABLE moz_places (url TEXT); INSERT INTO moz_places VALUES ('here')";
    database.run(theirs).await.expect("a table");
    drop(database);
    let before = fs::read(setup.database_path()).expect("the file");
    let said = refusal(&setup).await;
    assert_says(&said, &["venom.db", "tables", "--database"]);
    let after = fs::read(setup.database_path()).expect("the file");
    assert!(before == after, "another program's database was changed");
}

/// A folder that nobody can write in, not even root: one below a file.
#[tokio::test]
async fn a_folder_that_cannot_be_made() {
    let setup = Setup::new();
    let file = setup.folder().join("file");
    fs::write(&file, "").expect("a file");
    let folder = file.join("data");
    let setup = setup.data_in(&folder);
    let said = refusal(&setup).await;
    assert_says(&said, &["cannot create the folder", "file/data"]);
}

/// A folder that is there and takes no new file, not even from root: `/proc`.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_folder_that_takes_no_files() {
    let setup = Setup::new().data_in(std::path::Path::new("/proc"));
    let said = refusal(&setup).await;
    assert_says(&said, &["cannot write", "/proc/venom.db", "writable"]);
}
