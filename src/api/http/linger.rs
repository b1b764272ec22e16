//! A request's body that is answered before it has arrived.
//!
//! A client that is still sending when the connection closes gets a reset, which overtakes the answer: of a
//! 413 or 401 it sees a broken pipe. So what nobody reads any more is taken and thrown away for a while.

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

/// For how long the rest of a body is taken.
const LINGER: Duration = Duration::from_secs(30);
/// For how long a client may send nothing meanwhile.
const SILENCE: Duration = Duration::from_secs(1);

/// The body of a request. Dropped before its end, the rest of it is thrown away as it comes.
pub(crate) struct Lingering {
    /// `None` only while it is dropped.
    body: Option<Incoming>,
    /// The client sends the body only if it is asked to, and has not been asked.
    waits: bool,
}

/// The request with a body that lingers.
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
