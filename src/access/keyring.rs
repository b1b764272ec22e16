//! The valid tokens, by hash.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use subtle::ConstantTimeEq;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::network::Network;
use super::text;
use crate::models::{Grant, TokenHash};

/// A valid token.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) grant: Grant,
    hash: TokenHash,
    /// Whether it was used since the [`super::Watch`] last looked.
    used: AtomicBool,
    /// Networks that used it lately.
    homes: Homes,
    /// Ends the sockets and streams that it opened.
    revoked: CancellationToken,
}

/// The last few networks that used a token.
#[derive(Debug)]
struct Homes {
    networks: [AtomicU64; 4],
    next: AtomicUsize,
}

/// The number of no network.
const NOWHERE: u64 = u64::MAX;

impl Homes {
    fn new() -> Self {
        Self {
            networks: [const { AtomicU64::new(NOWHERE) }; 4],
            next: AtomicUsize::new(0),
        }
    }

    fn has(&self, network: Network) -> bool {
        let number = network.number();
        (self.networks.iter()).any(|known| known.load(Ordering::Relaxed) == number)
    }

    fn add(&self, network: Network) {
        let index = self.next.fetch_add(1, Ordering::Relaxed) % self.networks.len();
        self.networks[index].store(network.number(), Ordering::Relaxed);
    }
}

impl Key {
    fn new(hash: TokenHash, grant: Grant) -> Self {
        Self {
            grant,
            hash,
            used: AtomicBool::new(false),
            homes: Homes::new(),
            revoked: CancellationToken::new(),
        }
    }

    /// Resolves when the token is revoked.
    pub(crate) async fn revoked(&self) {
        self.revoked.cancelled().await;
    }

    /// Returns whether this network used the token lately.
    pub(crate) fn is_at_home(&self, network: Network) -> bool {
        self.homes.has(network)
    }

    /// Notes that this network used the token.
    pub(crate) fn settle(&self, network: Network) {
        self.homes.add(network);
    }

    /// Notes a use of the token.
    pub(crate) fn mark_used(&self) {
        self.used.store(true, Ordering::Relaxed);
    }

    pub(crate) fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }
}

/// All tokens that are valid at one time.
#[derive(Debug, Default)]
pub(crate) struct Keyring(HashMap<TokenHash, Arc<Key>>);

impl Keyring {
    /// Returns the keyring of these tokens, as the successor of `self`. Unchanged tokens keep their key; the others are
    /// revoked, which ends their sockets and streams.
    pub(crate) fn replaced_by(&self, tokens: Vec<(TokenHash, Grant)>) -> Self {
        let keys = tokens.into_iter().map(|(hash, grant)| {
            let same = self.0.get(&hash).filter(|key| key.grant == grant);
            let key = same.map_or_else(|| Arc::new(Key::new(hash, grant)), Arc::clone);
            (hash, key)
        });
        let next = Self(keys.collect());
        for (hash, key) in &self.0 {
            if !next.0.get(hash).is_some_and(|kept| Arc::ptr_eq(kept, key)) {
                key.revoked.cancel();
            }
        }
        next
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &Arc<Key>> {
        self.0.values()
    }

    /// Returns the key of a token. The lookup is by hash, so its time reveals nothing about the token; the comparison takes
    /// constant time all the same.
    fn find(&self, token: &[u8]) -> Option<&Arc<Key>> {
        let hash = text::hash(token);
        let key = self.0.get(&hash)?;
        bool::from(key.hash.ct_eq(&hash)).then_some(key)
    }
}

/// The valid tokens, or that none is required; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Access(Option<watch::Receiver<Arc<Keyring>>>);

impl Access {
    /// No token is required.
    pub(crate) const OPEN: Self = Self(None);

    pub(crate) fn by(keyring: watch::Receiver<Arc<Keyring>>) -> Self {
        Self(Some(keyring))
    }

    /// Returns whether no token is required.
    pub(crate) fn is_open(&self) -> bool {
        self.0.is_none()
    }

    /// Returns the key of a token, if it is valid.
    pub(crate) fn find(&self, token: &[u8]) -> Option<Arc<Key>> {
        let keyring = self.0.as_ref()?.borrow();
        keyring.find(token).map(Arc::clone)
    }
}
