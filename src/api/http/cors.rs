//! Pages of other origins that the settings let in (CORS).
//!
//! An origin has to be named exactly. Its pages show a token like any program; cookies do nothing for them,
//! so there is no wildcard to misuse and no forgery to fear.

use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::api::http::host_check;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, DELETE");
const HEADERS: HeaderValue = HeaderValue::from_static(
    "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, traceparent, tracestate",
);
const EXPOSED: HeaderValue =
    HeaderValue::from_static("Link, X-Total-Count, Retry-After, Content-Disposition");
/// Seconds for which a browser need not ask again.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
const VARIES: HeaderValue = HeaderValue::from_static("Origin");

/// What the answer to one request says of origins.
pub(crate) enum Cors {
    /// Nothing: no origin is let in.
    Off,
    /// That another origin might hear something else.
    Other,
    /// That pages of this origin may read it.
    Allowed(HeaderValue),
}

impl Cors {
    /// What holds for a request with these headers where these origins are let in.
    pub(crate) fn of(origins: &[String], headers: &HeaderMap) -> Self {
        if origins.is_empty() {
            return Self::Off;
        }
        let origin = headers.get(ORIGIN);
        let allowed = origin.filter(|origin| origins.iter().any(|allowed| *origin == allowed));
        let allowed = allowed.filter(|_| !host_check::is_own_page(headers));
        allowed.map_or(Self::Other, |origin| Self::Allowed(origin.clone()))
    }

    /// Whether the page that asks is let in by name.
    pub(crate) fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }

    /// The answer to a browser that asks whether its page may send a request, which only the pages of an
    /// origin that is let in get.
    pub(crate) fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Response> {
        let asks = method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !asks || !self.is_allowed() {
            return None;
        }
        let headers = [
            (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
            (ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
            (ACCESS_CONTROL_MAX_AGE, MAX_AGE),
        ];
        Some((StatusCode::NO_CONTENT, headers).into_response())
    }

    /// Puts it on an answer.
    pub(crate) fn mark(self, headers: &mut HeaderMap) {
        match self {
            Self::Off => return,
            Self::Other => {}
            Self::Allowed(origin) => {
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
                headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
            }
        }
        headers.append(VARY, VARIES);
    }
}
