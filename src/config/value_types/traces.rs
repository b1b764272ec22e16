//! The values of the settings of traces.

use axum::http::{HeaderName, HeaderValue};

use super::super::hive::Password;
use super::super::values::{argument, text};
use super::{URL, ValueType};

/// Private, because an address may hold a token.
pub(crate) const OTLP_ENDPOINT: ValueType<Option<String>> = ValueType::private(
    "an address such as http://localhost:4318, without a user, a password or a query in it; an empty one \
     is none",
    |value| match argument(value)?.trim() {
        "" => Some(None),
        address if address.contains(['?', '#']) => None,
        _ => (URL.read)(value).map(Some),
    },
);

pub(crate) const OTLP_HEADERS: ValueType<Option<Password>> = ValueType::private(
    "headers such as \"api-key=secret\", with commas between them; an empty text is none",
    |value| {
        let headers = argument(value)?;
        if headers.trim().is_empty() {
            return Some(None);
        }
        let fits = headers.split(',').all(is_header);
        fits.then(|| Some(Password::new(headers)))
    },
);

fn is_header(pair: &str) -> bool {
    pair.split_once('=').is_some_and(|(name, value)| {
        HeaderName::from_bytes(name.trim().as_bytes()).is_ok()
            && HeaderValue::from_str(value.trim()).is_ok()
    })
}

pub(crate) const SERVICE_NAME: ValueType<String> = ValueType::new("a name, as text", text);
