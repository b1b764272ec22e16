//! Drains the rest of a request's body after an early answer.
//!
//! A client that is still sending when the connection closes receives a reset, which overtakes the answer: instead of the
//! 413 or 401 it sees a broken pipe. So the rest of its body is read and discarded for a while.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::BodyExt;
use hyper::Request;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::EXPECT;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// Longest time to drain a body.
const LINGER: Duration = Duration::from_secs(30);
/// Longest time without a byte meanwhile.
const SILENCE: Duration = Duration::from_secs(1);

/// The body of a request. If it is dropped before its end, the rest is drained.
pub(crate) struct Lingering {
    /// `None` only while it is dropped.
    body: Option<Incoming>,
    /// The client sends the body only if it is asked to, and has not been asked.
    waits: bool,
}

/// Wraps the body of a request.
pub(crate) fn lingering(request: Request<Incoming>) -> Request<Lingering> {
    let waits = request.headers().contains_key(EXPECT);
    request.map(|body| Lingering {
        body: Some(body),
        waits,
    })
}

impl Body for Lingering {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.waits = false;
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let body = self.body.take().filter(|body| !body.is_end_stream());
        if let (Some(body), false, Ok(runtime)) = (body, self.waits, Handle::try_current()) {
            runtime.spawn(timeout(LINGER, throw_away(body)));
        }
    }
}

async fn throw_away(mut body: Incoming) {
    while let Ok(Some(Ok(_))) = timeout(SILENCE, body.frame()).await {}
}
