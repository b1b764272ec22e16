//! Who makes a request, what the token permits, and how often it may ask.

pub(super) mod authenticate;
pub(super) mod caller;
pub(super) mod cookie;
pub(super) mod permissions;
pub(super) mod rate_limit;
pub(super) mod token_bucket;
