//! Whether what a service answers is a whole dump: a proxy or another service may answer with anything.
//!
//! It is read along by a thread as it comes. The last chunk is passed on only when all of it has been read.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt, stream};

use crate::cli::error::Error;
use crate::dump::format;
use crate::dump::format::inspect;

/// Chunks that may wait for the reader.
const CHUNKS: usize = 16;

/// The same chunks, with an error at the end or before it if they are no whole dump.
pub(crate) fn checked(
    url: &str,
    chunks: impl Stream<Item = Result<Bytes, Error>>,
) -> impl Stream<Item = Result<Bytes, Error>> {
    let start = (Box::pin(chunks), Check::start(url), Bytes::new());
    stream::unfold(Some(start), |state| async move {
        let (mut chunks, check, held) = state?;
        match chunks.next().await {
            Some(Ok(chunk)) if check.take(chunk.clone()) => {
                Some((Ok(held), Some((chunks, check, chunk))))
            }
            Some(Err(error)) => Some((Err(error), None)),
            Some(Ok(_)) | None => Some((check.end().map(|()| held), None)),
        }
    })
}

struct Check {
    url: String,
    chunks: SyncSender<Bytes>,
    reader: JoinHandle<Result<(), format::Error>>,
}

impl Check {
    fn start(url: &str) -> Self {
        let (chunks, arriving) = sync_channel(CHUNKS);
        let source = Arrived {
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

    /// Hands a chunk over; whether it may be the next one of a dump.
    fn take(&self, chunk: Bytes) -> bool {
        self.chunks.send(chunk).is_ok()
    }

    /// What the reader says when there is nothing more.
    fn end(self) -> Result<(), Error> {
        drop(self.chunks);
        let read = self.reader.join();
        let read = read.unwrap_or(Err(format::Error::Stopped));
        read.map_err(|reason| {
            let url = self.url;
            Error::Failed(format!(
                "{url} answers, but not with a whole dump: {reason}"
            ))
        })
    }
}

/// The chunks as they arrive.
struct Arrived {
    arriving: Receiver<Bytes>,
    chunk: Bytes,
}

impl Read for Arrived {
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
