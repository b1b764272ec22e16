//! Authentication, permissions and rate limits.

pub(super) mod authenticate;
pub(super) mod caller;
pub(super) mod cookie;
pub(super) mod permissions;
pub(super) mod rate_limit;
pub(super) mod token_bucket;
