//! Checks the files of the service: readable and writable for its user, and closed to others.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use chrono::{DateTime, Utc};
use rustix::fs::{Access, access};

use super::disk::folder_of;
use super::finding::Finding;
use crate::config::Settings;
use crate::dump::{format, too_large_for_the_original};
use crate::state::beside;

const PERMISSIONS: &str = "permissions";
const STATE_FILE: &str = "state file";
/// Permissions of other users, which files with tasks and token hashes must not have.
const OTHERS_MAY_USE: u32 = 0o006;
/// Suffixes of the database's files.
const SUFFIXES: [&str; 4] = ["", "-wal", "-shm", ".lock"];

/// Checks that the present user can use the database's files, and other users cannot.
pub(crate) fn permissions(database: &Path) -> Vec<Finding> {
    let files = SUFFIXES.map(|suffix| beside(database, suffix));
    let there = files
        .iter()
        .filter_map(|path| Some((path, path.metadata().ok()?)));
    let there: Vec<_> = there.collect();
    let Some((_, first)) = there.first() else {
        return Vec::new();
    };
    let found = there
        .iter()
        .filter_map(|(path, file)| wrong_with(path, file, first));
    let found: Vec<_> = found.collect();
    match found.is_empty() {
        false => found,
        true => {
            let message = format!(
                "{} and its files are closed to other users",
                database.display()
            );
            vec![Finding::ok(PERMISSIONS, message)]
        }
    }
}

fn wrong_with(path: &Path, file: &Metadata, database: &Metadata) -> Option<Finding> {
    let name = path.display();
    if access(path, Access::READ_OK | Access::WRITE_OK).is_err() {
        let message = format!("{name} cannot be read and written by the present user");
        return Some(
            Finding::fail(PERMISSIONS, message)
                .advise("run doctor as the user of the service; if you do, `chown` the file to it"),
        );
    }
    if file.uid() != database.uid() {
        let message = format!("{name} and the database belong to different users");
        return Some(
            Finding::warn(PERMISSIONS, message).advise("`chown` it to the user of the service"),
        );
    }
    (file.permissions().mode() & OTHERS_MAY_USE != 0).then(|| {
        let message = format!("other users of this machine can read or write {name}");
        Finding::warn(PERMISSIONS, message).advise("`chmod o-rw` the file: it holds all tasks")
    })
}

/// Checks that the dump can be written, and if `full`, that an existing one can be read.
pub(crate) fn state_file(settings: &Settings, full: bool) -> Finding {
    let path = &settings.state_file_path;
    let name = path.display();
    let file = match fs::metadata(path) {
        Ok(file) => Some(file),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return unusable(format!("{name}: {error}")),
    };
    if file.as_ref().is_some_and(|file| !file.is_file()) {
        return unusable(format!("{name} is not a regular file"));
    }
    if full
        && file.is_some()
        && let Err(reason) = read(path)
    {
        return Finding::warn(STATE_FILE, format!("{name}: {reason}"))
            .advise("the service renames such a file and writes a valid one");
    }
    if !settings.state_dump {
        return Finding::ok(
            STATE_FILE,
            "not written automatically, because state_dump is off",
        );
    }
    let folder = folder_of(path);
    if access(&folder, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        return unusable(format!("cannot write to {}", folder.display()));
    }
    let bytes = file.as_ref().map_or(0, Metadata::len);
    if let Some(warning) = too_large_for_the_original(path, bytes) {
        return Finding::warn(STATE_FILE, warning).advise(
            "without need for the original, set `state_dump = \"off\"`; else delete old tasks with \
             `retention_completed` and `retention_failed`",
        );
    }
    Finding::ok(
        STATE_FILE,
        match file.and_then(|file| file.modified().ok()) {
            Some(time) => {
                let time = DateTime::<Utc>::from(time).format("%Y-%m-%d %H:%M:%S UTC");
                format!("{name} was written at {time}")
            }
            None => format!("{name} does not exist yet"),
        },
    )
}

fn read(path: &Path) -> Result<(), String> {
    let open = |error: io::Error| format!("cannot be read: {error}");
    let file = File::open(path).map_err(open)?;
    match format::inspect(file, || Ok(())) {
        // An empty file holds nothing that could be lost.
        Ok(_) | Err(format::Error::Empty) => Ok(()),
        Err(error) => Err(format!("not a valid dump: {error}")),
    }
}

fn unusable(message: String) -> Finding {
    Finding::warn(STATE_FILE, message)
        .advise("no dump is written; give the user of the service write permission")
}
