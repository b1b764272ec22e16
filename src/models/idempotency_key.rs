//! The identity of a request that a client may repeat. Plain data.

/// Identifies a repeated request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdempotencyKey {
    /// The `Idempotency-Key`.
    pub(crate) key: String,
    /// SHA-256 of the request's body.
    pub(crate) body: [u8; 32],
}
