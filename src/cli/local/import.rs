//! `venom import`: takes a dump in, whether the service runs or not.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use tokio_util::io::ReaderStream;

use super::service_or_file::{Database, Storage};
use crate::cli::client::http::Client;
use crate::cli::client::target::Target;
use crate::cli::error::Error;
use crate::cli::output::print::{print_json, say};
use crate::dump;
use crate::dump::import::Report;

/// Conflicting tasks that are named.
const NAMED_CONFLICTS: usize = 10;

const EXAMPLES: &str = "\
Examples:
  venom import state_dump.json
  venom import --replace backup.json
  gunzip -c backup.json.gz | venom import -

It takes dumps of every version, also those of the original. Importing one twice changes nothing. A
file that is damaged anywhere imports nothing. Tasks whose id belongs to another task are left out and
named, with exit code 1; --replace puts the file's in their place. Tasks that were running wait again.";

/// Take in the tasks of a dump.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ImportArgs {
    /// File to read; - stands for stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Replace tasks that have the same id as one in the file
    #[arg(long)]
    replace: bool,
    /// Print as JSON what was done
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// Imports to wherever the tasks are.
pub(crate) async fn run(import: &ImportArgs) -> Result<(), Error> {
    let name = import.file.display();
    let file = open(&import.file)
        .map_err(|error| Error::Failed(format!("cannot read {name}: {error}")))?;
    let report = match Storage::find(&import.target, true).await? {
        Storage::Service(client) => upload(&client, file, import.replace).await,
        Storage::Database(database) => store(database, file, import.replace).await,
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

/// The file, or a copy of what can be read only once: a dump is read twice.
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

async fn upload(client: &Client, file: File, replace: bool) -> Result<Report, Error> {
    let chunks = ReaderStream::with_capacity(tokio::fs::File::from_std(file), 64 * 1024);
    let path = format!("/api/v1/import?replace={replace}");
    let body = reqwest::Body::wrap_stream(chunks);
    let answer = client.upload(&path, body).await?;
    serde_json::from_value(answer)
        .map_err(|_| Error::Failed("the service's answer cannot be read".to_owned()))
}

async fn store(database: Database, file: File, replace: bool) -> Result<Report, Error> {
    let processor = &database.default_processor;
    let imported = dump::import_open(&database.state, file, processor, replace).await;
    database.close().await?;
    imported.map_err(|error| Error::Failed(error.to_string()))
}

fn summary(report: &Report) -> String {
    let mut words = format!("{} imported", tasks(report.imported));
    if report.replaced > 0 {
        words += &format!(", {} replaced", report.replaced);
    }
    if report.unchanged > 0 {
        words += &format!(", {} there already", report.unchanged);
    }
    if report.replaced_characters > 0 {
        words += &format!(
            "; {} escapes such as \\ud83d without their other half became U+FFFD",
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

/// What to say of the tasks that were left out, if any were.
fn conflicts(report: &Report, replace: bool) -> Option<String> {
    let named = report.conflicts.iter().take(NAMED_CONFLICTS);
    let mut ids: Vec<_> = named.map(ToString::to_string).collect();
    let unnamed = report.conflict_count.saturating_sub(ids.len() as u64);
    if unnamed > 0 {
        ids.push(format!("and {unnamed} more"));
    }
    let (left_out, ids) = (tasks(report.conflict_count), ids.join(", "));
    let reason = match replace {
        false => {
            "another task has the same id (`venom import --replace` puts the file's in its place) or, not \
             being finished, the same unique_key"
        }
        true => {
            "the task with the same id is running, or another one that is not finished has the same \
             unique_key; import again when it has finished"
        }
    };
    (report.conflict_count > 0).then(|| format!("{left_out} left out ({ids}): {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_become_sentences() {
        let mut report = Report {
            imported: 1,
            unchanged: 2,
            replaced: 3,
            ..Report::default()
        };
        assert_eq!(
            summary(&report),
            "1 task imported, 3 replaced, 2 there already"
        );
        assert_eq!(conflicts(&report, false), None);

        report.conflicts = vec![uuid::Uuid::nil(); 12];
        report.conflict_count = 1200;
        let words = conflicts(&report, false).unwrap();
        assert!(words.starts_with("1200 tasks left out (0000"), "{words}");
        assert!(words.contains(", and 1190 more)"), "{words}");
        assert!(words.contains("--replace"), "{words}");
    }
}
