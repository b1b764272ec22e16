//! The header `Idempotency-Key`: repeats of a submission get the first answer.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::api::auth::caller::Caller;
use crate::api::error::{ApiError, Problem};
use crate::models::IdempotencyKey;

/// The header `Idempotency-Key`; `None` if it is missing.
pub(crate) struct IdempotencyHeader(pub(crate) Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyHeader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get("idempotency-key") else {
            return Ok(Self(None));
        };
        let text = value.to_str().unwrap_or_default();
        if (1..=255).contains(&text.len()) {
            return Ok(Self(Some(text.to_owned())));
        }
        let msg = "Input should be 1 to 255 visible ASCII characters";
        let loc = ["header", "Idempotency-Key"];
        Err(Problem::new("string_type", &loc, msg, Value::Null).into())
    }
}

/// Returns what identifies a repeated request: its key, within the keys of the caller's token, and a digest of its body.
pub(crate) fn idempotency_key(caller: &Caller, key: String, body: &[u8]) -> IdempotencyKey {
    let body = Sha256::digest(body).into();
    let key = match caller.name() {
        Some(name) => format!("{OF_TOKEN}{name}{OF_TOKEN}{key}"),
        None => key,
    };
    IdempotencyKey { key, body }
}

/// Separates a token's name from its keys. No client can send it: neither headers nor token names may hold it. Keys that
/// the service makes itself begin with another character.
const OF_TOKEN: char = '\u{2}';
