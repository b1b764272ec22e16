//! Refuses requests that foreign web pages make, and unknown host names.
//!
//! A browser lets any page send simple requests to localhost, and an attacker can make a host name point there (DNS
//! rebinding). Programs send neither `Origin` nor `Sec-Fetch-Site`. A browser sends `Origin` with every change and every
//! WebSocket, and `Sec-Fetch-Site` with every request to localhost or over TLS, so a foreign page cannot even load an image
//! from here and hold a long poll with it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, Method, StatusCode, header};

use crate::api::auth::authenticate::RequestHead;
use crate::api::auth::permissions::Permission;
use crate::api::error::ApiError;
use crate::hive::cluster::node::host_name;

/// The host names that the service answers to, besides those of the setting `hosts`.
#[derive(Clone, Debug)]
pub(crate) enum Hosts {
    /// Bound to loopback: `localhost` and loopback addresses only.
    Loopback,
    /// Bound to another address, no token required: IP addresses, which no attacker's DNS can point elsewhere, `localhost`
    /// and the machine's name.
    Own { machine: Arc<str> },
    /// Bound to another address, tokens required: any name, since the service may have many, and a browser has no cookie
    /// for a foreign one.
    Any,
}

impl Hosts {
    /// Returns the names for the address that the service is bound to; `is_open` if no token is required.
    pub(crate) fn of(address: IpAddr, is_open: bool) -> Self {
        if address.to_canonical().is_loopback() {
            Self::Loopback
        } else if is_open {
            let machine = host_name().into();
            Self::Own { machine }
        } else {
            Self::Any
        }
    }

    fn admit(&self, authority: &str, names: &[String]) -> bool {
        let host = host_of(authority);
        let host = host.strip_suffix('.').unwrap_or(host);
        let is_listed = || names.iter().any(|name| name.eq_ignore_ascii_case(host));
        match self {
            Self::Any => true,
            Self::Loopback => is_loopback(host) || is_listed(),
            Self::Own { machine } => {
                is_loopback(host)
                    || host.parse::<IpAddr>().is_ok()
                    || host.eq_ignore_ascii_case(machine)
                    || is_listed()
            }
        }
    }

    fn refusal(&self) -> &'static str {
        match self {
            Self::Loopback => LOOPBACK_ONLY,
            Self::Own { .. } | Self::Any => OWN_NAMES_ONLY,
        }
    }
}

const LOOPBACK_ONLY: &str = "This service listens on loopback and answers to localhost only, and to the names of \
                             the setting `hosts`; the request names another host.";
const OWN_NAMES_ONLY: &str = "This service requires no token, so it answers to addresses, localhost, the \
                              machine's name and the names of the setting `hosts` only; the request \
                              names another host.";

/// Checks the host name and the origin of a request. Pages of an origin that the settings allow pass.
///
/// # Errors
/// 403 for an unknown host name, or a request that a page of another origin makes.
pub(crate) fn check(hosts: &Hosts, names: &[String], head: &RequestHead) -> Result<(), ApiError> {
    let headers = head.headers;
    let host = headers
        .get(header::HOST)
        .map(|host| host.to_str().unwrap_or_default());
    if host.is_some_and(|host| !hosts.admit(host, names)) {
        return Err(forbidden(hosts.refusal()));
    }
    if head.is_cross_origin {
        return Ok(());
    }
    if headers.contains_key(header::ORIGIN) && !is_own_page(headers) {
        return Err(forbidden(
            "The request comes from a page of another origin.",
        ));
    }
    if !is_of_this_site(headers) && !is_link(head) {
        return Err(forbidden("The request comes from a page of another site."));
    }
    Ok(())
}

/// Returns whether one of our own pages, the user or a program sent the request. Any other value of the header is foreign, including
/// unknown ones; `same-site` is another port or name of our host.
fn is_of_this_site(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
    matches!(site, None | Some(b"same-origin" | b"none"))
}

/// Returns whether the user followed a link to a public page. The page with the link cannot read the answer.
fn is_link(head: &RequestHead) -> bool {
    let says = |name, word: &[u8]| {
        let value = head.headers.get(name);
        value.is_some_and(|value| value.as_bytes() == word)
    };
    head.method == Method::GET
        && says("sec-fetch-mode", b"navigate")
        && says("sec-fetch-dest", b"document")
        && head.permission == Permission::Anyone
}

/// Returns whether the `Origin` is the host of the request.
pub(crate) fn is_own_page(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let authority = text(header::ORIGIN).and_then(|origin| origin.split_once("://"));
    authority.is_some_and(|(_, authority)| Some(authority) == text(header::HOST))
}

fn forbidden(detail: &str) -> ApiError {
    ApiError::Status(StatusCode::FORBIDDEN, detail.to_owned())
}

/// Returns the host of `host:port`, `[v6]:port` or `host`.
fn host_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host)
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.to_ascii_lowercase().ends_with(".localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Role;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    header::HeaderName::from_static(name),
                    value.parse().unwrap(),
                )
            })
            .collect()
    }

    fn allowed(method: Method, pairs: &[(&'static str, &str)]) -> bool {
        let head = RequestHead {
            method: &method,
            path: "/api/v1/tasks",
            headers: &headers(pairs),
            client: IpAddr::from([127, 0, 0, 1]),
            permission: Permission::unrestricted(Role::Read),
            is_cross_origin: false,
        };
        check(&Hosts::Loopback, &[], &head).is_ok()
    }

    #[test]
    fn programs_and_own_pages_pass() {
        assert!(allowed(Method::POST, &[("host", "127.0.0.1:8000")]));
        assert!(allowed(Method::POST, &[("host", "[::1]:8000")]));
        assert!(allowed(Method::POST, &[]));
        let own = [
            ("host", "localhost:8000"),
            ("origin", "http://localhost:8000"),
            ("sec-fetch-site", "same-origin"),
        ];
        assert!(allowed(Method::POST, &own));
    }

    #[test]
    fn strangers_do_not() {
        assert!(!allowed(
            Method::POST,
            &[
                ("host", "127.0.0.1:8000"),
                ("origin", "https://evil.example")
            ]
        ));
        assert!(!allowed(
            Method::POST,
            &[("host", "127.0.0.1:8000"), ("origin", "null")]
        ));
        assert!(!allowed(
            Method::POST,
            &[("host", "127.0.0.1:8000"), ("sec-fetch-site", "cross-site")]
        ));
        assert!(!allowed(Method::GET, &[("host", "evil.example:8000")]));
        assert!(!allowed(
            Method::GET,
            &[
                ("host", "127.0.0.1:8000"),
                ("origin", "http://localhost:3000")
            ]
        ));
    }
}
