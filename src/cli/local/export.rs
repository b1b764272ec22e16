//! `venom export`: writes all tasks as one JSON dump, whether the service runs or not.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::Args;
use futures_util::{Stream, StreamExt, TryStreamExt};
use tokio_util::sync::CancellationToken;

use super::service_or_file::ServiceOrFile;
use super::verify_dump::verified;
use crate::cli::client::target::ServiceTarget;
use crate::cli::error::Error;
use crate::cli::output::print::say;
use crate::dump;
use crate::dump::Draft;

const EXAMPLES: &str = "\
Examples:
  venom export backup.json
  venom export | jq '.tasks | length'
  venom export | gzip > backup.json.gz

The file is written completely or not at all, and only its owner can read it. An existing file is replaced only
after the service's answer was verified as a complete dump. The command works whether the service runs or not.
`venom import` reads the file.";

/// Export all tasks as one JSON document.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExportArgs {
    /// Write to this file; - writes to stdout [default: stdout]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    target: ServiceTarget,
}

/// Exports from the service that runs on the database, or from the database file.
pub(crate) async fn run(export: &ExportArgs) -> Result<(), Error> {
    let file = export.file.as_deref();
    let file = file.filter(|path| *path != Path::new("-"));
    match ServiceOrFile::find(&export.target, false).await? {
        ServiceOrFile::Service(client) => {
            let answer = client.open("/api/v1/export").await?;
            let chunks = answer.bytes_stream();
            let chunks = chunks.map_err(|error| client.unreachable(&error));
            write(verified(client.url(), chunks), file).await
        }
        ServiceOrFile::File(database) => {
            let chunks = dump::export_stream(database.state.clone());
            let failed = |error: dump::export::Error| Error::Failed(error.to_string());
            let written = write(chunks.map_err(failed), file).await;
            database.close().await?;
            written
        }
    }
}

/// Writes the dump to the file or to stdout. An existing file is replaced only by a complete dump.
async fn write(
    chunks: impl Stream<Item = Result<Bytes, Error>>,
    file: Option<&Path>,
) -> Result<(), Error> {
    let Some(path) = file else {
        let mut out = io::stdout();
        copy(chunks, &mut out, |error| Error::of_stdout(&error)).await?;
        return Ok(());
    };
    let failed = |error| Error::Failed(format!("cannot write {}: {error}", path.display()));
    let bytes = if path.metadata().is_ok_and(|there| !there.is_file()) {
        // A pipe or a device cannot be replaced; opening a folder fails with its own error.
        let mut out = File::options().write(true).open(path).map_err(failed)?;
        copy(chunks, &mut out, failed).await?
    } else {
        let draft = Draft::create(path).map_err(failed)?;
        let mut out = draft.handle().map_err(failed)?;
        let bytes = copy(chunks, &mut out, failed).await?;
        draft.publish(&CancellationToken::new()).map_err(failed)?;
        bytes
    };
    say(format_args!("{} written: {bytes} bytes", path.display()));
    if let Some(warning) = dump::too_large_for_the_original(path, bytes) {
        say(format_args!("warning: {warning}"));
    }
    Ok(())
}

/// Writes all chunks and returns the number of bytes.
async fn copy(
    chunks: impl Stream<Item = Result<Bytes, Error>>,
    out: &mut impl Write,
    failed: impl Fn(io::Error) -> Error,
) -> Result<u64, Error> {
    let mut chunks = std::pin::pin!(chunks);
    let mut bytes = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        out.write_all(&chunk).map_err(&failed)?;
        bytes += chunk.len() as u64;
    }
    out.flush().map_err(failed)?;
    Ok(bytes)
}
