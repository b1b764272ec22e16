//! Adds an error body to hyper's own answers.
//!
//! hyper answers a request whose head it cannot parse itself, without a body. [`ExplainRefusals`] replaces that answer by
//! one in the shape of every other error.
//!
//! The service's own answers of these statuses all have a body, so an empty one is hyper's. After it hyper
//! closes the connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::api::http::headers;

/// A connection that adds a body to hyper's own answers.
pub(crate) struct ExplainRefusals<S> {
    stream: S,
    /// The unsent rest of an answer that replaces hyper's.
    answer: Option<Bytes>,
}

impl<S> ExplainRefusals<S> {
    pub(crate) fn new(stream: S) -> Self {
        let answer = None;
        Self { stream, answer }
    }
}

impl<S: AsyncWrite + Unpin> ExplainRefusals<S> {
    /// Sends the replacement if the answer being written is hyper's own, and reports the original's length as written.
    fn poll_replace(
        &mut self,
        context: &mut Context<'_>,
        first: &[u8],
        written: usize,
    ) -> Poll<Option<io::Result<usize>>> {
        if self.answer.is_none() {
            self.answer = in_place_of(first);
        }
        let Some(answer) = &mut self.answer else {
            return Poll::Ready(None);
        };
        while answer.has_remaining() {
            match ready!(Pin::new(&mut self.stream).poll_write(context, answer)) {
                Ok(0) => return Poll::Ready(Some(Err(io::ErrorKind::WriteZero.into()))),
                Ok(count) => answer.advance(count),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
        self.answer = None;
        Poll::Ready(Some(Ok(written)))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ExplainRefusals<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match ready!(this.poll_replace(context, buffer, buffer.len())) {
            Some(written) => Poll::Ready(written),
            None => Pin::new(&mut this.stream).poll_write(context, buffer),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let first = buffers.first().map_or(&[][..], |buffer| buffer);
        let written = buffers.iter().map(|buffer| buffer.len()).sum();
        match ready!(this.poll_replace(context, first, written)) {
            Some(written) => Poll::Ready(written),
            None => Pin::new(&mut this.stream).poll_write_vectored(context, buffers),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ExplainRefusals<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

/// Returns the replacement for an answer of hyper's own; `None` for any other answer.
fn in_place_of(written: &[u8]) -> Option<Bytes> {
    let status = written.strip_prefix(b"HTTP/1.1 ")?;
    let (reason, detail) = match status.get(..4)? {
        b"400 " => ("Bad Request", "The request is no valid HTTP/1.1."),
        b"414 " => ("URI Too Long", "The request's target is too long."),
        b"431 " => (
            "Request Header Fields Too Large",
            "The request's headers are too large or too many.",
        ),
        _ => return None,
    };
    let head = String::from_utf8_lossy(status);
    let mut lines = head.lines();
    if !lines.any(|line| line.eq_ignore_ascii_case("content-length: 0")) {
        return None;
    }
    let code = head.get(..3)?;
    let body = json!({ "detail": detail }).to_string();
    let mut answer = format!("HTTP/1.1 {code} {reason}\r\n");
    for (name, value) in headers::ALWAYS {
        let value = value.to_str().unwrap_or_default();
        answer += &format!("{name}: {value}\r\n");
    }
    let length = body.len();
    answer += &format!(
        "content-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    Some(answer.into())
}
