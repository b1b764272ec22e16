//! What browsers are told of every answer, unless the call has said it itself, as the dashboard does.
//!
//! Nothing that the service sends is to be run, framed, taken for another type, or kept: tasks are for who
//! has asked. That holds for JSON too, at four constant headers an answer, so there is no exception to
//! get wrong.

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

/// Adds what is missing.
pub(crate) fn secure(headers: &mut HeaderMap) {
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(value);
    }
}
