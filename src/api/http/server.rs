//! Connections: how many, how slow they may be, and how they end at a stop.

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
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::access::Access;
use crate::api::auth::caller;
use crate::api::auth::caller::{Caller, Visit};
use crate::api::auth::rate_limit::Quota;
use crate::api::error::ApiError;
use crate::api::http::address_limit::{AddressLimit, AddressPermit};
use crate::api::http::cors::Cors;
use crate::api::http::host_check;
use crate::api::http::host_check::Hosts;
use crate::api::http::linger::{Lingering, lingering};
use crate::api::http::refused_heads::Explained;
use crate::api::http::{client_addr, headers, protocol};
use crate::api::routes::session;
use crate::config::{Current, Settings};

/// What clients may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerLimits {
    /// Connections at once; more of them wait in the kernel's queue.
    pub(crate) connections: usize,
    /// Time for a request's head, from when the connection is ready for it.
    pub(crate) header_timeout: Duration,
    /// Time for which a client may take nothing of an answer.
    pub(crate) idle_timeout: Duration,
}

/// Who may ask, and under which names.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) hosts: Hosts,
    pub(crate) access: Access,
    pub(crate) quota: Arc<Quota>,
    pub(crate) current: Current,
    /// `None` speaks plain HTTP.
    pub(crate) tls: Option<TlsAcceptor>,
}

/// A connection's place among the connections, of all and of its address. What a connection is upgraded
/// to keeps it.
pub(crate) type Place = Arc<(OwnedSemaphorePermit, AddressPermit)>;

/// A connection's place, and who sits on it.
struct Seat {
    /// `None` if the address holds as many as one may: each request is refused.
    place: Option<Place>,
    peer: IpAddr,
}

/// Connections beyond an address's limit that get an answer at a time; others are closed without one.
const REFUSALS: usize = 16;
/// Time for the answer to a connection beyond the limit.
const REFUSAL_TIME: Duration = Duration::from_secs(5);

/// Bytes of a request's head.
const HEAD_LIMIT_BYTES: usize = 64 * 1024;
/// Header lines of a request.
const HEADER_LIMIT: usize = 100;
/// Time that open requests get at a stop.
const FAREWELL: Duration = Duration::from_secs(5);
/// Pause after an accept failed for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `app` until `stop`, then lets open requests end.
pub(crate) async fn serve(
    listener: TcpListener,
    app: Router,
    door: Door,
    limits: ServerLimits,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let addresses = AddressLimit::new(limits.connections);
    let refusals = Arc::new(Semaphore::new(REFUSALS));
    let connections = TaskTracker::new();
    loop {
        if places.available_permits() == 0 {
            addresses.warn_full();
        }
        let place = tokio::select! {
            () = stop.cancelled() => break,
            place = Arc::clone(&places).acquire_owned() => place.expect("it is never closed"),
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (app, door, stop) = (app.clone(), door.clone(), stop.clone());
                let peer = peer.ip();
                let proxies = &door.current.get().trusted_proxies;
                let of_address = match client_addr::is_proxy(peer, proxies) {
                    true => Some(addresses.uncounted()),
                    false => addresses.permit(peer),
                };
                let place = of_address.map(|of_address| Arc::new((place, of_address)));
                let is_refused = place.is_none();
                let seat = Seat { place, peer };
                let connection = welcome(stream, app, seat, door, limits, stop);
                if !is_refused {
                    connections.spawn(connection);
                    continue;
                }
                addresses.warn(peer);
                if let Ok(turn) = Arc::clone(&refusals).try_acquire_owned() {
                    connections.spawn(async move {
                        let _turn = turn;
                        let _ = tokio::time::timeout(REFUSAL_TIME, connection).await;
                    });
                }
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
    seat: Seat,
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
        return converse(stream, app, seat, door, limits, stop).await;
    };
    let handshake = tokio::time::timeout(limits.header_timeout, tls.accept(stream));
    match stop.run_until_cancelled(handshake).await {
        Some(Ok(Ok(stream))) => converse(stream, app, seat, door, limits, stop).await,
        Some(Ok(Err(error))) => tracing::debug!(%error, "a TLS handshake failed"),
        Some(Err(_)) | None => {}
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    app: Router,
    seat: Seat,
    door: Door,
    limits: ServerLimits,
    stop: CancellationToken,
) {
    let io = TokioIo::new(Explained::new(stream));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_headers(HEADER_LIMIT)
        .max_buf_size(HEAD_LIMIT_BYTES)
        .serve_connection(
            io,
            service_fn(|request| answer(&app, &seat, &door, request)),
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
    seat: &Seat,
    door: &Door,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response, Infallible>> + use<> {
    let mut request = lingering(request);
    let settings = door.current.get();
    let cors = Cors::of(&settings.cors_origins, request.headers());
    let from = client_addr::address(seat.peer, request.headers(), &settings.trusted_proxies);
    let admitted = match &seat.place {
        Some(place) => admit(door, &settings, &cors, from, &request).map(|caller| (place, caller)),
        None => Err(too_many_connections()),
    };
    let answered = match admitted {
        Ok((place, caller)) => {
            let extensions = request.extensions_mut();
            extensions.insert(Arc::clone(place));
            if caller.is_known() {
                extensions.insert(caller);
            }
            if session::sets_cookie(request.uri().path()) {
                let (peer, headers) = (seat.peer, request.headers());
                let is_secure = door.tls.is_some()
                    || client_addr::is_over_tls(peer, headers, &settings.trusted_proxies);
                let address = from;
                let from = session::From { address, is_secure };
                request.extensions_mut().insert(from);
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

/// The answer to an address that holds as many connections as one may.
fn too_many_connections() -> Box<Response> {
    let detail = "This address holds as many connections as one may. Close some, and try again.";
    let mut response = ApiError::Unavailable(detail.to_owned()).into_response();
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    Box::new(response)
}

/// Who asks; else the answer that ends it here.
fn admit(
    door: &Door,
    settings: &Settings,
    cors: &Cors,
    from: IpAddr,
    request: &Request<Lingering>,
) -> Result<Caller, Box<Response>> {
    let refuse = |error: ApiError| Box::new(error.into_response());
    let (method, headers) = (request.method(), request.headers());
    protocol::check(request.version(), request.uri(), headers).map_err(refuse)?;
    let visit = Visit {
        method,
        path: request.uri().path(),
        headers,
        from,
        is_foreign: cors.is_allowed(),
    };
    host_check::check(&door.hosts, &settings.hosts, &visit).map_err(refuse)?;
    let preflight = cors.preflight(method, headers);
    let caller = match preflight {
        Some(_) => Ok(Caller::default()),
        None => caller::admit(&door.access, &door.quota, &visit),
    };
    if let Some(rate) = settings.rate_limit
        && !is_probe(visit.path)
    {
        let counted = door.quota.request(caller.as_ref().ok(), from, rate);
        counted.map_err(refuse)?;
    }
    match preflight {
        Some(answer) => Err(Box::new(answer)),
        None => caller.map_err(refuse),
    }
}

/// Whether this is asked by who watches over the service, as often as it likes.
fn is_probe(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz")
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
