//! Rate limits: requests of a token or an address, and wrong tokens from an address.
//!
//! While an address exceeds the limit of wrong tokens, its tokens are not checked at all, so that a right guess looks like a
//! wrong one. Tokens that were accepted from there lately still are: one misconfigured program on a machine, or a stranger
//! behind the same proxy, does not lock the others out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::access::{Key, Network};
use crate::api::auth::caller::Caller;
use crate::api::auth::token_bucket::Buckets;
use crate::api::error::ApiError;
use crate::config::Rate;

/// Limit of wrong tokens from one address.
const FAILURES: Rate = Rate {
    starts: 20,
    per: Duration::from_secs(60),
};
/// Limit of log lines about too many wrong tokens, over all addresses.
const WARNINGS: Rate = Rate {
    starts: 5,
    per: Duration::from_secs(300),
};

/// The token buckets of all clients.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    requests: Buckets<RateKey>,
    failures: Buckets<Network>,
    warnings: Buckets<()>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum RateKey {
    Token(Arc<str>),
    Network(Network),
}

impl RateLimiter {
    /// Makes full buckets for all clients.
    pub(crate) fn new() -> Self {
        Self {
            requests: Buckets::new(),
            failures: Buckets::new(),
            warnings: Buckets::new(),
        }
    }

    /// Counts a request of this caller, or of this address if the caller is anonymous.
    ///
    /// # Errors
    /// 429 beyond `rate`.
    pub(crate) fn count_request(
        &self,
        caller: Option<&Caller>,
        from: IpAddr,
        rate: Rate,
    ) -> Result<(), ApiError> {
        let client = match caller.and_then(Caller::name) {
            Some(name) => RateKey::Token(name),
            None => RateKey::Network(Network::of(from)),
        };
        let taken = self.requests.take(client, rate);
        taken.map_err(|wait| too_many(format!("More than {rate} requests."), wait))
    }

    /// Returns the key of a request's token. `found` is what the keyring has for it.
    ///
    /// # Errors
    /// 401 for a wrong token, 429 while too many wrong ones come from this address.
    pub(crate) fn check_token(
        &self,
        found: Option<Arc<Key>>,
        from: IpAddr,
    ) -> Result<Arc<Key>, ApiError> {
        let network = Network::of(from);
        if let Some(key) = found.as_ref().filter(|key| key.is_at_home(network)) {
            key.mark_used();
            return Ok(Arc::clone(key));
        }
        if let Some(wait) = self.failures.empty_for(&network, FAILURES) {
            return Err(self.too_many_failures(from, wait));
        }
        match found {
            Some(key) => {
                key.settle(network);
                key.mark_used();
                Ok(key)
            }
            None => match self.failures.take(network, FAILURES) {
                Ok(()) => Err(ApiError::InvalidToken(WRONG_TOKEN)),
                Err(wait) => Err(self.too_many_failures(from, wait)),
            },
        }
    }

    fn too_many_failures(&self, from: IpAddr, wait: Duration) -> ApiError {
        if self.warnings.take((), WARNINGS).is_ok() {
            tracing::warn!(%from, "too many wrong tokens; more than {FAILURES} are not looked at");
        }
        too_many(format!("More than {FAILURES} wrong tokens."), wait)
    }
}

const WRONG_TOKEN: &str = "The token is unknown, or was revoked.";

fn too_many(what: String, wait: Duration) -> ApiError {
    ApiError::TooMany(what, wait)
}
