//! Security headers of every answer, unless the handler sets its own, as the dashboard does.
//!
//! No answer may be run as a script, framed, read as another type, or cached. That applies to JSON, too: four constant
//! headers, and no exception to get wrong.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

pub(crate) const ALWAYS: [(HeaderName, HeaderValue); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// Adds the headers that are missing.
pub(crate) fn secure(headers: &mut HeaderMap) {
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(value);
    }
}
