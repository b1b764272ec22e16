//! The service's files: whether it can use them, and whether others can.

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
/// What others may not do with files that hold tasks and hashes of tokens.
const OTHERS_MAY_USE: u32 = 0o006;
/// What stands beside a database under its name.
const SUFFIXES: [&str; 4] = ["", "-wal", "-shm", ".lock"];

/// Whether whoever looks can use the database's files, and nobody else.
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
            let message = format!("{} and its files are for their owner", database.display());
            vec![Finding::ok(PERMISSIONS, message)]
        }
    }
}

fn wrong_with(path: &Path, file: &Metadata, database: &Metadata) -> Option<Finding> {
    let name = path.display();
    if access(path, Access::READ_OK | Access::WRITE_OK).is_err() {
        let message = format!("{name} cannot be read and written by who looks");
        return Some(
            Finding::fail(PERMISSIONS, message)
                .advise("look as the user of the service; if that is who looks, `chown` the file"),
        );
    }
    if file.uid() != database.uid() {
        let message = format!("{name} belongs to another user than the database");
        return Some(
            Finding::warn(PERMISSIONS, message).advise("`chown` it to the user of the service"),
        );
    }
    (file.permissions().mode() & OTHERS_MAY_USE != 0).then(|| {
        let message = format!("everybody on this machine can read or write {name}");
        Finding::warn(PERMISSIONS, message).advise("`chmod o-rw` it: all tasks are in there")
    })
}

/// Whether the dump can be written, and if `full`, whether the one that is there can be read.
pub(crate) fn state_file(settings: &Settings, full: bool) -> Finding {
    let path = &settings.state_file_path;
    let name = path.display();
    let file = match fs::metadata(path) {
        Ok(file) => Some(file),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return unusable(format!("{name}: {error}")),
    };
    if file.as_ref().is_some_and(|file| !file.is_file()) {
        return unusable(format!("{name} is no file"));
    }
    if full
        && file.is_some()
        && let Err(reason) = read(path)
    {
        return Finding::warn(STATE_FILE, format!("{name}: {reason}"))
            .advise("a service puts such a file aside, and writes another");
    }
    if !settings.state_dump {
        return Finding::ok(STATE_FILE, "not written by itself, as state_dump is off");
    }
    let folder = folder_of(path);
    if access(&folder, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        return unusable(format!("nothing can be written in {}", folder.display()));
    }
    let bytes = file.as_ref().map_or(0, Metadata::len);
    if let Some(warning) = too_large_for_the_original(path, bytes) {
        return Finding::warn(STATE_FILE, warning).advise(
            "if nobody goes back to it, `state_dump = \"off\"` ends this; else `retention_completed` and \
             `retention_failed` delete what is old",
        );
    }
    Finding::ok(
        STATE_FILE,
        match file.and_then(|file| file.modified().ok()) {
            Some(time) => {
                let time = DateTime::<Utc>::from(time).format("%Y-%m-%d %H:%M:%S UTC");
                format!("{name} was written {time}")
            }
            None => format!("{name} is not there yet"),
        },
    )
}

fn read(path: &Path) -> Result<(), String> {
    let open = |error: io::Error| format!("cannot be read: {error}");
    let file = File::open(path).map_err(open)?;
    match format::inspect(file, || Ok(())) {
        // There is nothing in it that could be lost.
        Ok(_) | Err(format::Error::Empty) => Ok(()),
        Err(error) => Err(format!("no dump of ours: {error}")),
    }
}

fn unusable(message: String) -> Finding {
    Finding::warn(STATE_FILE, message)
        .advise("no dump is written; let the user of the service write there")
}
