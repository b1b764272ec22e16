//! Authenticates a request: checks its token against the keyring, and its grant against the route's permission.
//!
//! Runs before the router. Order matters: a wrong token counts against its address before anything else is said about
//! the request, and a browser's cookie is believed only with proof that one of our own pages asks.

use std::net::IpAddr;

use axum::http::{HeaderMap, Method, header};

use crate::access::Access;
use crate::api::auth::caller::{Caller, forbidden, forbidden_processor};
use crate::api::auth::cookie;
use crate::api::auth::permissions::Permission;
use crate::api::auth::rate_limit::RateLimiter;
use crate::api::error::ApiError;

/// The head of a request, as far as it decides who makes it and whether they may.
pub(crate) struct RequestHead<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a HeaderMap,
    /// Address of the client, behind trusted proxies.
    pub(crate) client: IpAddr,
    /// Permission of the route that answers.
    pub(crate) permission: Permission,
    /// Whether a page of another origin sent it, which the setting `cors_origins` allows. Cookies are ignored then.
    pub(crate) is_cross_origin: bool,
}

/// Returns the caller of a request.
///
/// # Errors
/// 401 without a valid token, 403 if the token does not permit the call, 429 after too many wrong tokens.
pub(crate) fn authenticate(
    access: &Access,
    limiter: &RateLimiter,
    head: &RequestHead,
) -> Result<Caller, ApiError> {
    let headers = head.headers;
    if access.is_open() {
        return Ok(Caller::default());
    }
    let Permission::Token { role, confined } = head.permission else {
        return Ok(Caller::default());
    };
    let sent = bearer_token(headers).or_else(|| subprotocol_token(head.path, headers));
    let is_cookie = sent.is_none();
    let cookie = || cookie::token_in(headers).filter(|_| !head.is_cross_origin);
    let token = sent.or_else(cookie);
    let token = token.ok_or(ApiError::Unauthorized(NO_TOKEN))?;
    let key = limiter.check_token(access.find(token), head.client)?;
    if is_cookie {
        check_cookie_use(head, token)?;
    }
    let grant = &key.grant;
    if grant.role < role {
        let (name, has) = (&grant.name, grant.role);
        return Err(forbidden(format!(
            "This call requires the role {role}; the token {name} has the role {has}."
        )));
    }
    if !confined && grant.processors.is_some() {
        return Err(forbidden_processor(grant));
    }
    Ok(Caller::of(key))
}

const NO_TOKEN: &str = "This service requires authentication: send a token as \
                        `Authorization: Bearer venom_…`. `venom token create NAME` creates one.";

/// Returns the token of `Authorization: Bearer …`.
fn bearer_token(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then(|| token.trim_ascii())
}

/// Returns the token of a WebSocket's subprotocol `bearer.venom_…`.
///
/// A browser's page cannot set headers of a WebSocket; this is the one thing it can send. The service never selects that
/// subprotocol.
fn subprotocol_token<'a>(path: &str, headers: &'a HeaderMap) -> Option<&'a [u8]> {
    if path != EVENT_SOCKET {
        return None;
    }
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).into_iter();
    let mut offered = offered.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    offered.find_map(|name| name.trim_ascii().strip_prefix(b"bearer."))
}

/// The path of the event socket.
const EVENT_SOCKET: &str = "/ws/events";

/// Refuses a cookie that a foreign page may have made the browser send.
///
/// The host check has already refused a foreign `Origin`. A WebSocket carries no other proof, so it must have one; a
/// change needs the CSRF token.
fn check_cookie_use(head: &RequestHead, token: &[u8]) -> Result<(), ApiError> {
    let is_own = match *head.method {
        Method::GET if head.path == EVENT_SOCKET => head.headers.contains_key(header::ORIGIN),
        Method::GET | Method::HEAD | Method::OPTIONS => true,
        _ => cookie::has_csrf_token(head.headers, token),
    };
    match is_own {
        true => Ok(()),
        false => Err(forbidden(NO_PROOF.to_owned())),
    }
}

const NO_PROOF: &str = "A request authenticated by cookie needs the header X-CSRF-Token (its value is in \
                        GET /api/v1/session) if it changes something, and the header Origin if it opens a WebSocket.";
