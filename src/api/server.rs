//! Connections: how many, how slow they may be, and how they end at a stop.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::{IntoResponse, Response};
use futures_util::future::{Either, ready};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use super::caller;
use super::guard::{self, Hosts};
use crate::access::Access;

/// What clients may cost.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// Connections at once; more of them wait in the kernel's queue.
    pub connections: usize,
    /// Time for a request's head, from when the connection is ready for it.
    pub header_timeout: Duration,
    /// Time for which a client may take nothing of an answer.
    pub idle_timeout: Duration,
}

/// Who may ask, and under which names.
#[derive(Clone)]
pub struct Door {
    pub hosts: Hosts,
    pub access: Access,
    /// `None` speaks plain HTTP.
    pub tls: Option<TlsAcceptor>,
}

/// A connection's place among the connections. What a connection is upgraded to keeps it.
pub(super) type Place = Arc<OwnedSemaphorePermit>;

/// Bytes of a request's head.
const HEAD_LIMIT_BYTES: usize = 64 * 1024;
/// Header lines of a request.
const HEADER_LIMIT: usize = 100;
/// Time that open requests get at a stop.
const FAREWELL: Duration = Duration::from_secs(5);
/// Pause after an accept failed for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `app` until `stop`, then lets open requests end.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    door: Door,
    limits: ServerLimits,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let connections = TaskTracker::new();
    loop {
        let place = tokio::select! {
            () = stop.cancelled() => break,
            place = Arc::clone(&places).acquire_owned() => place.expect("it is never closed"),
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let place = Arc::new(place);
                let app = app.clone();
                let door = door.clone();
                connections.spawn(welcome(stream, app, place, door, limits, stop.clone()));
            }
            Err(error) => rest_after(&error).await,
        }
    }
    connections.close();
    let _ = tokio::time::timeout(FAREWELL, connections.wait()).await;
}

/// One connection, to its end. A client that does not get through the handshake in the time for a
/// request's head is let go.
async fn welcome(
    stream: TcpStream,
    app: Router,
    place: Place,
    door: Door,
    limits: ServerLimits,
    stop: CancellationToken,
) {
    // Answers are small and waited for.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.idle_timeout));
    let stream = Box::pin(stream);
    let Some(tls) = door.tls.clone() else {
        return converse(stream, app, place, door, limits, stop).await;
    };
    let handshake = tokio::time::timeout(limits.header_timeout, tls.accept(stream));
    match stop.run_until_cancelled(handshake).await {
        Some(Ok(Ok(stream))) => converse(stream, app, place, door, limits, stop).await,
        Some(Ok(Err(error))) => tracing::debug!(%error, "a TLS handshake failed"),
        Some(Err(_)) | None => {}
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    app: Router,
    place: Place,
    door: Door,
    limits: ServerLimits,
    stop: CancellationToken,
) {
    let io = TokioIo::new(stream);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_headers(HEADER_LIMIT)
        .max_buf_size(HEAD_LIMIT_BYTES)
        .serve_connection(
            io,
            service_fn(|request| answer(&app, &place, &door, request)),
        )
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// One request. Guard and tokens stand here and not in a layer, since a layer would cost each request an
/// allocation or two.
fn answer(
    app: &Router,
    place: &Place,
    door: &Door,
    mut request: Request<Incoming>,
) -> impl Future<Output = Result<Response, Infallible>> + use<> {
    let (method, headers) = (request.method(), request.headers());
    let admitted = guard::check(door.hosts, method, headers)
        .and_then(|()| caller::admit(&door.access, method, request.uri().path(), headers));
    match admitted {
        Ok(caller) => {
            let extensions = request.extensions_mut();
            extensions.insert(Arc::clone(place));
            if caller.is_known() {
                extensions.insert(caller);
            }
            Either::Left(app.clone().call(request))
        }
        Err(error) => Either::Right(ready(Ok(error.into_response()))),
    }
}

/// A client that left in the queue is its own business; want of descriptors passes.
async fn rest_after(error: &io::Error) {
    let of_the_client = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    );
    if !of_the_client {
        tracing::warn!(%error, "cannot accept connections");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}
