//! The child's three pipes: content in, lines out to the [`Host`], the result and the last word of
//! standard error kept.
//!
//! Nothing is read ahead of the host: while it is busy with a line the pipe fills and the child
//! waits in its `write`. Memory is one chunk and one bounded line for each stream, and the result.

use std::convert::Infallible;
use std::os::fd::AsFd;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio_util::sync::CancellationToken;

use super::Host;
use super::output::{Lines, Piece, ResultText};

const CHUNK_BYTES: usize = 16 * 1024;

/// Our ends of a child's standard streams.
pub(super) struct Pipes {
    pub(super) stdin: ChildStdin,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
}

/// What is kept of a child's output besides the log.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) result: ResultText,
    /// The last line of standard error that is not blank.
    pub(super) last_error_line: Option<String>,
}

/// Writes `content` and reads both outputs, until both have ended.
///
/// They may never end by themselves: a process that left the child's group can hold them open.
/// Once `last_call` is given, what stands in the pipes is still read, and nothing after it.
pub(super) async fn serve(
    pipes: Pipes,
    content: &str,
    host: &impl Host,
    last_call: &CancellationToken,
) -> Kept {
    let Kept {
        mut result,
        mut last_error_line,
    } = Kept::default();
    let stdout = read(pipes.stdout, host, last_call, |raw, _| result.push(raw));
    let stderr = read(pipes.stderr, host, last_call, |_, line| {
        if let Some(line) = line.filter(|line| !line.trim().is_empty()) {
            last_error_line = Some(line.to_owned());
        }
    });
    tokio::select! {
        ((), ()) = async { tokio::join!(stdout, stderr) } => {}
        never = feed(pipes.stdin, content) => match never {},
    }
    Kept {
        result,
        last_error_line,
    }
}

/// Writes the content and closes the pipe, which is how the child learns that it was all.
///
/// Never returns, so that nobody waits for a child that does not read its input; one that closes
/// it early does nothing wrong either, hence the ignored errors.
async fn feed(mut stdin: ChildStdin, content: &str) -> Infallible {
    let _ = stdin.write_all(content.as_bytes()).await;
    drop(stdin);
    std::future::pending().await
}

/// Reads one stream to its end or the last call. `keep` sees each piece, with its log line.
async fn read(
    mut pipe: impl AsyncRead + AsFd + Unpin,
    host: &impl Host,
    last_call: &CancellationToken,
    mut keep: impl FnMut(&[u8], Option<&str>),
) {
    let mut lines = Lines::default();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = tokio::select! {
            biased;
            () = last_call.cancelled() => break,
            count = pipe.read(&mut chunk) => count.unwrap_or(0),
        };
        if count == 0 {
            break;
        }
        deliver(&chunk[..count], &mut lines, host, &mut keep).await;
    }
    // Not through tokio: its "nothing to read" can mean that it has not heard of the data yet.
    let mut waiting = bytes_waiting(&pipe);
    while waiting > 0 {
        let size = waiting.min(chunk.len());
        let Ok(count @ 1..) = rustix::io::read(&pipe, &mut chunk[..size]) else {
            break;
        };
        waiting -= count;
        deliver(&chunk[..count], &mut lines, host, &mut keep).await;
    }
    if let Some(piece) = lines.last() {
        hand_on(piece, host, &mut keep).await;
    }
}

/// What the pipe holds at this moment; it may grow, but not shrink, as we are its only reader.
fn bytes_waiting(pipe: &impl AsFd) -> usize {
    let waiting = rustix::io::ioctl_fionread(pipe).unwrap_or(0);
    usize::try_from(waiting).unwrap_or(usize::MAX)
}

async fn deliver(
    mut chunk: &[u8],
    lines: &mut Lines,
    host: &impl Host,
    keep: &mut impl FnMut(&[u8], Option<&str>),
) {
    while let Some(piece) = lines.next(&mut chunk) {
        hand_on(piece, host, keep).await;
    }
}

async fn hand_on(piece: Piece<'_>, host: &impl Host, keep: &mut impl FnMut(&[u8], Option<&str>)) {
    if let Some(progress) = piece.progress() {
        return host.progress(progress).await;
    }
    let line = piece.log_line();
    keep(piece.raw, line.as_deref());
    if let Some(line) = line {
        host.log(line).await;
    }
}
