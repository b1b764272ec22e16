//! Serves the child's three pipes: writes the content, passes lines to the [`Host`], and keeps the result and the
//! last line of standard error.
//!
//! It reads nothing ahead of the host: while the host is busy with a line, the pipe fills and the child blocks in its
//! `write`. Memory is one chunk and one bounded line for each stream, and the result.

use std::convert::Infallible;
use std::os::fd::AsFd;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::host::Host;
use super::output::{Lines, Piece, ResultText, ScreenLine};

const CHUNK_BYTES: usize = 16 * 1024;

/// The interval between states of an unfinished line: a bar that moves a thousand times a second is four events a
/// second.
const LIVE_INTERVAL: Duration = Duration::from_millis(250);

/// This end of a child's standard streams.
pub(crate) struct Pipes {
    pub(crate) stdin: ChildStdin,
    pub(crate) stdout: ChildStdout,
    pub(crate) stderr: ChildStderr,
}

/// What is kept of a child's output besides the log.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) result: ResultText,
    /// The last line of standard error that is not blank.
    pub(crate) last_error_line: Option<String>,
}

/// Writes `content` and reads both outputs until both have ended.
///
/// They may never end by themselves: a process that left the child's group can hold them open. After `last_call` it
/// reads only what the pipes already hold.
pub(crate) async fn serve(
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

/// Writes the content and closes the pipe, so that the child reads the end.
///
/// Never returns, so that nobody waits for a child that does not read its input. A child may close its input early,
/// so errors are ignored.
async fn feed(mut stdin: ChildStdin, content: &str) -> Infallible {
    let _ = stdin.write_all(content.as_bytes()).await;
    drop(stdin);
    std::future::pending().await
}

/// Reads one stream to its end or the last call. `keep` gets each piece with its log line.
async fn read(
    mut pipe: impl AsyncRead + AsFd + Unpin,
    host: &impl Host,
    last_call: &CancellationToken,
    keep: impl FnMut(&[u8], Option<&str>),
) {
    let mut reader = StreamPipe {
        lines: Lines::default(),
        screen: ScreenLine::default(),
        host,
        keep,
    };
    let mut chunk = vec![0; CHUNK_BYTES];
    // The time at which an unfinished line is shown.
    let mut show_at = None;
    loop {
        let count = tokio::select! {
            biased;
            () = last_call.cancelled() => break,
            () = sleep_until(show_at.unwrap_or_else(Instant::now)), if show_at.is_some() => {
                show_at = None;
                reader.show().await;
                continue;
            }
            count = pipe.read(&mut chunk) => count.unwrap_or(0),
        };
        if count == 0 {
            break;
        }
        reader.take(&chunk[..count]).await;
        show_at.get_or_insert_with(|| Instant::now() + LIVE_INTERVAL);
    }
    // Not through tokio: its "nothing to read" can mean that it has not yet received the readiness event.
    let mut waiting = bytes_waiting(&pipe);
    while waiting > 0 {
        let size = waiting.min(chunk.len());
        let Ok(count @ 1..) = rustix::io::read(&pipe, &mut chunk[..size]) else {
            break;
        };
        waiting -= count;
        reader.take(&chunk[..count]).await;
    }
    reader.end().await;
}

/// Returns the number of bytes in the pipe. It may grow but not shrink, as this is the only reader.
fn bytes_waiting(pipe: &impl AsFd) -> usize {
    let waiting = rustix::io::ioctl_fionread(pipe).unwrap_or(0);
    usize::try_from(waiting).unwrap_or(usize::MAX)
}

/// The reader of one stream.
struct StreamPipe<'a, H, K> {
    lines: Lines,
    screen: ScreenLine,
    host: &'a H,
    keep: K,
}

impl<H: Host, K: FnMut(&[u8], Option<&str>)> StreamPipe<'_, H, K> {
    async fn take(&mut self, mut chunk: &[u8]) {
        while let Some(piece) = self.lines.next(&mut chunk) {
            hand_on(piece, &mut self.screen, self.host, &mut self.keep).await;
        }
    }

    /// Shows the current state of the unfinished line.
    async fn show(&mut self) {
        if let Some(line) = self.screen.live(&self.lines) {
            self.host.live_line(line).await;
        }
    }

    /// Logs the line that ends without a line end.
    async fn end(&mut self) {
        if let Some(piece) = self.lines.last() {
            hand_on(piece, &mut self.screen, self.host, &mut self.keep).await;
        }
        if let Some(line) = self.screen.end() {
            (self.keep)(&[], Some(&line.text));
            self.host.log(line).await;
        }
    }
}

async fn hand_on(
    piece: Piece<'_>,
    screen: &mut ScreenLine,
    host: &impl Host,
    keep: &mut impl FnMut(&[u8], Option<&str>),
) {
    if let Some(progress) = piece.progress() {
        return host.progress(progress).await;
    }
    let line = screen.print(&piece);
    keep(piece.raw, line.as_ref().map(|line| line.text.as_str()));
    if let Some(line) = line {
        host.log(line).await;
    }
}
