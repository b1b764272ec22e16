//! Verifies that the answer of a service is a complete dump: a proxy or another service may send anything.
//!
//! A thread parses the chunks as they pass. The last chunk is passed on only after the whole dump was parsed.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt, stream};

use crate::cli::error::Error;
use crate::dump::format;
use crate::dump::format::inspect;

/// Chunks that may queue for the parser.
const CHUNKS: usize = 16;

/// Passes the chunks on, and ends with an error if they are not a complete dump.
pub(crate) fn verified(
    url: &str,
    chunks: impl Stream<Item = Result<Bytes, Error>>,
) -> impl Stream<Item = Result<Bytes, Error>> {
    let start = (Box::pin(chunks), DumpVerifier::start(url), Bytes::new());
    stream::unfold(Some(start), |state| async move {
        let (mut chunks, verifier, held) = state?;
        match chunks.next().await {
            Some(Ok(chunk)) if verifier.feed(chunk.clone()) => {
                Some((Ok(held), Some((chunks, verifier, chunk))))
            }
            Some(Err(error)) => Some((Err(error), None)),
            Some(Ok(_)) | None => Some((verifier.finish().map(|()| held), None)),
        }
    })
}

struct DumpVerifier {
    url: String,
    chunks: SyncSender<Bytes>,
    reader: JoinHandle<Result<(), format::Error>>,
}

impl DumpVerifier {
    fn start(url: &str) -> Self {
        let (chunks, arriving) = sync_channel(CHUNKS);
        let source = ChunkReader {
            arriving,
            chunk: Bytes::new(),
        };
        let reader = std::thread::spawn(move || inspect(source, || Ok(())).map(drop));
        let url = url.to_owned();
        Self {
            url,
            chunks,
            reader,
        }
    }

    /// Passes a chunk to the parser. Returns false if the parser has ended.
    fn feed(&self, chunk: Bytes) -> bool {
        self.chunks.send(chunk).is_ok()
    }

    /// Returns the parser's result after the last chunk.
    fn finish(self) -> Result<(), Error> {
        drop(self.chunks);
        let read = self.reader.join();
        let read = read.unwrap_or(Err(format::Error::Stopped));
        read.map_err(|reason| {
            let url = self.url;
            Error::Failed(format!(
                "{url} answered, but not with a complete dump: {reason}"
            ))
        })
    }
}

/// Reads the chunks as they arrive.
struct ChunkReader {
    arriving: Receiver<Bytes>,
    chunk: Bytes,
}

impl Read for ChunkReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.arriving.recv() {
                Ok(chunk) => self.chunk = chunk,
                Err(_) => return Ok(0),
            }
        }
        let count = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}
