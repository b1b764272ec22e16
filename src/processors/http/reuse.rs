//! Detects whether a request went out on a reused connection.
//!
//! A server may close an idle connection just as the next request is on its way. Then the request was most likely
//! never read, and its failure says nothing about the task. Only the connector knows when a connection is new:
//! [`NoteConnections`] wraps it and marks the request that opened one.

use std::cell::Cell;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::task::{Context, Poll};

use futures_util::future::{BoxFuture, FutureExt};
use tower::{Layer, Service};

tokio::task_local! {
    static OPENED: Cell<bool>;
}

/// Returns the outcome of `request`, and whether it opened a connection for itself.
pub(crate) async fn noting_connections<T>(request: impl Future<Output = T>) -> (T, bool) {
    let request = async {
        let answer = request.await;
        (answer, OPENED.with(Cell::get))
    };
    OPENED.scope(Cell::new(false), request).await
}

/// Returns true if the connection ended before a response began: for every failure of the connection itself, but not
/// of the address, the request, or its timeout.
pub(crate) fn ended_before_an_answer(error: &reqwest::Error) -> bool {
    if error.is_connect() || error.is_timeout() || error.is_builder() {
        return false;
    }
    let mut reason: Option<&dyn Error> = Some(error);
    while let Some(error) = reason {
        let of_http = error.downcast_ref::<hyper::Error>();
        let of_socket = error.downcast_ref::<io::Error>();
        if of_http.is_some_and(|error| error.is_incomplete_message() || error.is_canceled())
            || of_socket.is_some_and(|error| is_end(error.kind()))
        {
            return true;
        }
        reason = error.source();
    }
    false
}

fn is_end(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::BrokenPipe
            | ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::NotConnected
            | ErrorKind::UnexpectedEof
    )
}

/// The layer around a client's connector.
#[derive(Clone)]
pub(crate) struct NoteConnections;

#[derive(Clone)]
pub(crate) struct Noting<S>(S);

impl<S> Layer<S> for NoteConnections {
    type Service = Noting<S>;

    fn layer(&self, connector: S) -> Noting<S> {
        Noting(connector)
    }
}

impl<S, R> Service<R> for Noting<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, address: R) -> Self::Future {
        let connecting = self.0.call(address);
        let noting = async move {
            let connection = connecting.await;
            // A connection that is opened for the pool, beside any request, has no mark to set: the request that
            // began it went out on another one.
            if connection.is_ok() {
                let _ = OPENED.try_with(|opened| opened.set(true));
            }
            connection
        };
        noting.boxed()
    }
}
