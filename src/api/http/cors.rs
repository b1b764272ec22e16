//! CORS: pages of other origins that the setting `cors_origins` allows.
//!
//! An origin must be named exactly; there is no wildcard. Its pages send a token like any program. Their cookies are
//! ignored, so they cannot forge requests.

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
/// Seconds for which a browser may cache a preflight.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
const VARIES: HeaderValue = HeaderValue::from_static("Origin");

/// The CORS headers of one answer.
pub(crate) enum Cors {
    /// None: no origin is allowed.
    Off,
    /// `Vary` alone: this origin is not allowed, another one may be.
    Other,
    /// Pages of this origin may read the answer.
    Allowed(HeaderValue),
}

impl Cors {
    /// Decides about a request with these headers; `origins` are allowed.
    pub(crate) fn of(origins: &[String], headers: &HeaderMap) -> Self {
        if origins.is_empty() {
            return Self::Off;
        }
        let origin = headers.get(ORIGIN);
        let allowed = origin.filter(|origin| origins.iter().any(|allowed| *origin == allowed));
        let allowed = allowed.filter(|_| !host_check::is_own_page(headers));
        allowed.map_or(Self::Other, |origin| Self::Allowed(origin.clone()))
    }

    /// Returns whether the request comes from a page of an allowed origin.
    pub(crate) fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }

    /// Returns the answer to a preflight of an allowed origin; `None` for any other request.
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

    /// Adds the headers to an answer.
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
