//! A browser's login: the token itself, in a cookie that no script can read.
//!
//! A login ends when the token is revoked, survives a restart, and the service remembers nothing. The price: browsers send
//! cookies to every port of a host name, so another server there receives the token. A browser also sends cookies when a
//! foreign page makes it ask, so a change by cookie carries a CSRF token, which only our own pages can read from
//! `GET /api/v1/session`.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const COOKIE: &[u8] = b"venom_token=";
const CSRF_HEADER: HeaderName = HeaderName::from_static("x-csrf-token");

/// Returns whether the call at this path sets the cookie, and needs a [`LoginOrigin`].
pub(crate) fn is_set_by(path: &str) -> bool {
    matches!(path, "/api/v1/login" | "/api/v1/logout")
}

/// Where a login comes from.
#[derive(Clone, Copy)]
pub(crate) struct LoginOrigin {
    pub(crate) client: IpAddr,
    /// Whether the browser speaks TLS, with the service or with a trusted proxy.
    pub(crate) is_secure: bool,
}

/// Returns the `Set-Cookie` of a token: `HttpOnly`, and sent by pages of this origin only.
pub(crate) fn set(origin: LoginOrigin, token: &str) -> HeaderValue {
    header(origin, token, "")
}

/// Returns the `Set-Cookie` that deletes the cookie.
pub(crate) fn delete(origin: LoginOrigin) -> HeaderValue {
    header(origin, "", "; Max-Age=0")
}

fn header(origin: LoginOrigin, token: &str, more: &str) -> HeaderValue {
    let secure = if origin.is_secure { "; Secure" } else { "" };
    let cookie = format!("venom_token={token}; Path=/; HttpOnly; SameSite=Strict{secure}{more}");
    let mut value = HeaderValue::try_from(cookie).expect("a known token is plain text");
    value.set_sensitive(true);
    value
}

/// Returns the token in the cookies of a request.
pub(crate) fn token_in(headers: &HeaderMap) -> Option<&[u8]> {
    let cookies = headers.get_all(header::COOKIE).into_iter();
    let mut cookies = cookies.flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    let token = cookies.find_map(|cookie| cookie.trim_ascii().strip_prefix(COOKIE))?;
    (!token.is_empty()).then_some(token)
}

/// Returns whether the request carries the CSRF token of this login.
pub(crate) fn has_csrf_token(headers: &HeaderMap, token: &[u8]) -> bool {
    let sent = headers
        .get(CSRF_HEADER)
        .map_or(&b""[..], HeaderValue::as_bytes);
    sent.ct_eq(csrf_token(token).as_bytes()).into()
}

/// Returns the CSRF token of a login. It reveals nothing about the token, and differs from the stored hash.
pub(crate) fn csrf_token(token: &[u8]) -> String {
    let digest = Sha256::new()
        .chain_update(b"venom csrf ")
        .chain_update(token);
    BASE64_URL_SAFE_NO_PAD.encode(digest.finalize())
}
