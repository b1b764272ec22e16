//! Accepts connections and serves them: their number, their timeouts, and their end at a shutdown.
//!
//! [`serve`] accepts, [`accept`] does the TLS handshake, [`serve_http1`] reads requests, [`answer`] checks each one and
//! passes it to the router.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::response::{IntoResponse, Response};
use futures_util::future::{Either, FutureExt, ready};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::access::Access;
use crate::api::auth::authenticate::{RequestHead, authenticate};
use crate::api::auth::caller::Caller;
use crate::api::auth::cookie;
use crate::api::auth::cookie::LoginOrigin;
use crate::api::auth::rate_limit::RateLimiter;
use crate::api::error::ApiError;
use crate::api::http::address_limit::{AddressLimit, ConnectionPermit};
use crate::api::http::cors::Cors;
use crate::api::http::host_check;
use crate::api::http::host_check::Hosts;
use crate::api::http::linger::{Lingering, lingering};
use crate::api::http::refused_heads::ExplainRefusals;
use crate::api::http::route_index::{RouteIndex, is_probe};
use crate::api::http::{client_addr, headers, protocol};
use crate::config::{CurrentSettings, Settings};

/// Limits on what clients may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerLimits {
    /// Simultaneous connections; further ones wait in the kernel's queue.
    pub(crate) connections: usize,
    /// Time for a request's head, from when the connection is ready to read it.
    pub(crate) header_timeout: Duration,
    /// Time for which a client may read nothing of an answer.
    pub(crate) idle_timeout: Duration,
}

/// What every connection checks its requests against.
#[derive(Clone)]
pub(crate) struct ServerContext {
    pub(crate) hosts: Hosts,
    pub(crate) access: Access,
    pub(crate) rate_limiter: Arc<RateLimiter>,
    pub(crate) routes: Arc<RouteIndex>,
    pub(crate) current: CurrentSettings,
    /// `None` speaks plain HTTP.
    pub(crate) tls: Option<TlsAcceptor>,
}

/// One accepted connection.
struct Connection {
    /// `None` if its address has reached its limit: each request is refused.
    permit: Option<ConnectionPermit>,
    peer: IpAddr,
}

/// Connections beyond an address's limit that are answered at a time; others are closed without an answer.
const REFUSALS: usize = 16;
/// Time for the answer to a connection beyond the limit.
const REFUSAL_TIME: Duration = Duration::from_secs(5);

/// Bytes of a request's head.
const HEAD_LIMIT_BYTES: usize = 64 * 1024;
/// Header lines of a request.
const HEADER_LIMIT: usize = 100;
/// Time that open requests have to finish at a shutdown.
const FAREWELL: Duration = Duration::from_secs(5);
/// Pause after an accept failed because no file descriptor was free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `app` until `stop`, then waits [`FAREWELL`] for open requests.
pub(crate) async fn serve(
    listener: TcpListener,
    app: Router,
    context: ServerContext,
    limits: ServerLimits,
    stop: CancellationToken,
) {
    let permits = Arc::new(Semaphore::new(limits.connections));
    let addresses = AddressLimit::new(limits.connections);
    let refusals = Arc::new(Semaphore::new(REFUSALS));
    let connections = TaskTracker::new();
    loop {
        if permits.available_permits() == 0 {
            addresses.warn_full();
        }
        let permit = tokio::select! {
            () = stop.cancelled() => break,
            permit = Arc::clone(&permits).acquire_owned() => permit.expect("the semaphore is never closed"),
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (app, context, stop) = (app.clone(), context.clone(), stop.clone());
                let peer = peer.ip();
                let proxies = &context.current.get().trusted_proxies;
                let of_address = match client_addr::is_proxy(peer, proxies) {
                    true => Some(addresses.uncounted()),
                    false => addresses.permit(peer),
                };
                let permit = of_address.map(|of_address| Arc::new((permit, of_address)));
                let is_refused = permit.is_none();
                let connection = Connection { permit, peer };
                let serving = accept(stream, app, connection, context, limits, stop);
                if !is_refused {
                    connections.spawn(serving);
                    continue;
                }
                addresses.warn(peer);
                if let Ok(turn) = Arc::clone(&refusals).try_acquire_owned() {
                    connections.spawn(async move {
                        let _turn = turn;
                        let _ = tokio::time::timeout(REFUSAL_TIME, serving).await;
                    });
                }
            }
            Err(error) => pause_after(&error).await,
        }
    }
    connections.close();
    let _ = tokio::time::timeout(FAREWELL, connections.wait()).await;
}

/// Serves one connection to its end. Drops a client that does not finish the TLS handshake within the time for a
/// request's head.
async fn accept(
    stream: TcpStream,
    app: Router,
    connection: Connection,
    context: ServerContext,
    limits: ServerLimits,
    stop: CancellationToken,
) {
    // Answers are small, and clients wait for them.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.idle_timeout));
    let stream = Box::pin(stream);
    let Some(tls) = context.tls.clone() else {
        return serve_http1(stream, app, connection, context, limits, stop).await;
    };
    let handshake = tokio::time::timeout(limits.header_timeout, tls.accept(stream));
    match stop.run_until_cancelled(handshake).await {
        Some(Ok(Ok(stream))) => serve_http1(stream, app, connection, context, limits, stop).await,
        Some(Ok(Err(error))) => tracing::debug!(%error, "a TLS handshake failed"),
        Some(Err(_)) | None => {}
    }
}

/// Serves the requests of one connection, until the client closes it or the service stops.
async fn serve_http1(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    app: Router,
    connection: Connection,
    context: ServerContext,
    limits: ServerLimits,
    stop: CancellationToken,
) {
    let io = TokioIo::new(ExplainRefusals::new(stream));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_headers(HEADER_LIMIT)
        .max_buf_size(HEAD_LIMIT_BYTES)
        .serve_connection(
            io,
            service_fn(|request| answer(&app, &connection, &context, request)),
        )
        .with_upgrades();
    let mut serving = pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Answers one request. The checks are here and not in a layer, because a layer would cost each request an allocation or
/// two.
fn answer(
    app: &Router,
    connection: &Connection,
    context: &ServerContext,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response, Infallible>> + use<> {
    let mut request = lingering(request);
    let settings = context.current.get();
    let cors = Cors::of(&settings.cors_origins, request.headers());
    let client = client_addr::address(
        connection.peer,
        request.headers(),
        &settings.trusted_proxies,
    );
    let checked = match &connection.permit {
        Some(permit) => {
            check(context, &settings, &cors, client, &request).map(|caller| (permit, caller))
        }
        None => Err(too_many_connections()),
    };
    let answered = match checked {
        Ok((permit, caller)) => {
            let extensions = request.extensions_mut();
            extensions.insert(Arc::clone(permit));
            if caller.is_known() {
                extensions.insert(caller);
            }
            if cookie::is_set_by(request.uri().path()) {
                let (peer, headers) = (connection.peer, request.headers());
                let is_secure = context.tls.is_some()
                    || client_addr::is_over_tls(peer, headers, &settings.trusted_proxies);
                let origin = LoginOrigin { client, is_secure };
                request.extensions_mut().insert(origin);
            }
            Either::Left(app.clone().call(request))
        }
        Err(refusal) => Either::Right(ready(Ok(*refusal))),
    };
    answered.map(|answered| {
        answered.map(|mut response| {
            headers::secure(response.headers_mut());
            cors.mark(response.headers_mut());
            response
        })
    })
}

/// Returns the answer to a connection beyond the limit of its address.
fn too_many_connections() -> Box<Response> {
    let detail = "This address has reached its limit of connections. Close some, and try again.";
    let mut response = ApiError::Unavailable(detail.to_owned()).into_response();
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    Box::new(response)
}

/// Checks a request and returns its caller; `Err` is the answer that ends it here.
fn check(
    context: &ServerContext,
    settings: &Settings,
    cors: &Cors,
    client: IpAddr,
    request: &Request<Lingering>,
) -> Result<Caller, Box<Response>> {
    let refuse = |error: ApiError| Box::new(error.into_response());
    let (method, headers) = (request.method(), request.headers());
    protocol::check(request.version(), request.uri(), headers).map_err(refuse)?;
    let path = request.uri().path();
    let head = RequestHead {
        method,
        path,
        headers,
        client,
        permission: context.routes.permission(method, path),
        is_cross_origin: cors.is_allowed(),
    };
    host_check::check(&context.hosts, &settings.hosts, &head).map_err(refuse)?;
    let preflight = cors.preflight(method, headers);
    let caller = match preflight {
        Some(_) => Ok(Caller::default()),
        None => authenticate(&context.access, &context.rate_limiter, &head),
    };
    if let Some(rate) = settings.rate_limit
        && !is_probe(path)
    {
        let counted = context
            .rate_limiter
            .count_request(caller.as_ref().ok(), client, rate);
        counted.map_err(refuse)?;
    }
    match preflight {
        Some(answer) => Err(Box::new(answer)),
        None => caller.map_err(refuse),
    }
}

/// Handles a failed accept: ignores a client that has gone, and pauses if no file descriptor was free.
async fn pause_after(error: &io::Error) {
    let client_has_gone = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    );
    if !client_has_gone {
        tracing::warn!(%error, "cannot accept connections");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}
