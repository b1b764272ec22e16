//! `venom import`: imports the tasks of a dump, whether the service runs or not.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use tokio_util::io::ReaderStream;

use super::service_or_file::{OfflineDatabase, ServiceOrFile};
use crate::cli::client::http::ServiceClient;
use crate::cli::client::target::ServiceTarget;
use crate::cli::error::Error;
use crate::cli::output::print::{print_json, say};
use crate::dump;
use crate::dump::import::ImportReport;

/// The most conflicting tasks whose ids are printed.
const SHOWN_CONFLICTS: usize = 10;

const EXAMPLES: &str = "\
Examples:
  venom import state_dump.json
  venom import --replace backup.json
  gunzip -c backup.json.gz | venom import -

The command reads dumps of every version, including those of the original. Importing a dump twice changes
nothing; a damaged file imports nothing. Tasks whose id belongs to a different task are skipped and listed, with
exit code 1; --replace overwrites those. Tasks that were running are PENDING again.";

/// Import the tasks of a dump.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ImportArgs {
    /// Read this file; - reads stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Overwrite tasks that have the id of a task in the file
    #[arg(long)]
    replace: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: ServiceTarget,
}

/// Imports into the service that runs on the database, or into the database file.
pub(crate) async fn run(import: &ImportArgs) -> Result<(), Error> {
    let name = import.file.display();
    let file = open(&import.file)
        .map_err(|error| Error::Failed(format!("cannot read {name}: {error}")))?;
    let report = match ServiceOrFile::find(&import.target, true).await? {
        ServiceOrFile::Service(client) => upload(&client, file, import.replace).await,
        ServiceOrFile::File(database) => store(database, file, import.replace).await,
    };
    let report = report.map_err(|error| match error {
        Error::Failed(reason) => Error::Failed(format!("cannot import {name}: {reason}")),
        other => other,
    })?;
    if import.json {
        print_json(&serde_json::to_value(&report).expect("numbers and ids always encode"))?;
    }
    say(summary(&report));
    match conflicts(&report, import.replace) {
        Some(words) => Err(Error::Failed(words)),
        None => Ok(()),
    }
}

/// Opens the file. Input that can be read only once is copied first, because a dump is read twice.
fn open(path: &Path) -> io::Result<File> {
    if path == Path::new("-") {
        return spooled(&mut io::stdin().lock());
    }
    let mut file = File::open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if kind.is_file() {
        return Ok(file);
    }
    spooled(&mut file)
}

fn spooled(source: &mut impl io::Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(source, &mut file)?;
    io::Seek::rewind(&mut file)?;
    Ok(file)
}

async fn upload(client: &ServiceClient, file: File, replace: bool) -> Result<ImportReport, Error> {
    let chunks = ReaderStream::with_capacity(tokio::fs::File::from_std(file), 64 * 1024);
    let path = format!("/api/v1/import?replace={replace}");
    let body = reqwest::Body::wrap_stream(chunks);
    let answer = client.upload(&path, body).await?;
    serde_json::from_value(answer)
        .map_err(|_| Error::Failed("cannot read the answer of the service".to_owned()))
}

async fn store(
    database: OfflineDatabase,
    file: File,
    replace: bool,
) -> Result<ImportReport, Error> {
    let processor = &database.default_processor;
    let imported = dump::import_open(&database.state, file, processor, replace).await;
    database.close().await?;
    imported.map_err(|error| Error::Failed(error.to_string()))
}

fn summary(report: &ImportReport) -> String {
    let mut words = format!("{} imported", tasks(report.imported));
    if report.replaced > 0 {
        words += &format!(", {} replaced", report.replaced);
    }
    if report.unchanged > 0 {
        words += &format!(", {} already present", report.unchanged);
    }
    if report.replaced_characters > 0 {
        words += &format!(
            "; {} unpaired surrogates such as \\ud83d replaced by U+FFFD",
            report.replaced_characters
        );
    }
    words
}

fn tasks(number: u64) -> String {
    match number {
        1 => "1 task".to_owned(),
        number => format!("{number} tasks"),
    }
}

/// Returns the message about skipped tasks, if there are any.
fn conflicts(report: &ImportReport, replace: bool) -> Option<String> {
    let named = report.conflicts.iter().take(SHOWN_CONFLICTS);
    let mut ids: Vec<_> = named.map(ToString::to_string).collect();
    let unnamed = report.conflict_count.saturating_sub(ids.len() as u64);
    if unnamed > 0 {
        ids.push(format!("and {unnamed} more"));
    }
    let (skipped, ids) = (tasks(report.conflict_count), ids.join(", "));
    let reason = match replace {
        false => {
            "a different task has the same id (`venom import --replace` overwrites it), or an unfinished one has \
             the same unique_key"
        }
        true => {
            "the task with the same id is running, or an unfinished one has the same unique_key; import again \
             when it has finished"
        }
    };
    (report.conflict_count > 0).then(|| format!("{skipped} skipped ({ids}): {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_become_sentences() {
        let mut report = ImportReport {
            imported: 1,
            unchanged: 2,
            replaced: 3,
            ..ImportReport::default()
        };
        assert_eq!(
            summary(&report),
            "1 task imported, 3 replaced, 2 already present"
        );
        assert_eq!(conflicts(&report, false), None);

        report.conflicts = vec![uuid::Uuid::nil(); 12];
        report.conflict_count = 1200;
        let words = conflicts(&report, false).unwrap();
        assert!(words.starts_with("1200 tasks skipped (0000"), "{words}");
        assert!(words.contains(", and 1190 more)"), "{words}");
        assert!(words.contains("--replace"), "{words}");
    }
}
