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

/// A token that is worth something.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) grant: Grant,
    hash: TokenHash,
    /// Whether it was used since the [`super::Watch`] last asked.
    used: AtomicBool,
    /// Where it was used lately.
    homes: Homes,
    /// Ends what goes on in its name.
    revoked: CancellationToken,
}

/// A few networks, of which the newest replaces the oldest.
#[derive(Debug)]
struct Homes {
    networks: [AtomicU64; 4],
    next: AtomicUsize,
}

/// No network's number.
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

    /// Resolves when the token is worth nothing any more.
    pub(crate) async fn revoked(&self) {
        self.revoked.cancelled().await;
    }

    /// Whether it was let in from there lately.
    pub(crate) fn is_at_home(&self, network: Network) -> bool {
        self.homes.has(network)
    }

    /// It is let in from there.
    pub(crate) fn settle(&self, network: Network) {
        self.homes.add(network);
    }

    /// Somebody was let in by it.
    pub(crate) fn mark_used(&self) {
        self.used.store(true, Ordering::Relaxed);
    }

    pub(crate) fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }
}

/// All valid tokens of a moment.
#[derive(Debug, Default)]
pub(crate) struct Keyring(HashMap<TokenHash, Arc<Key>>);

impl Keyring {
    /// The ring of these tokens, when `self` was the one before: who stays keeps its key, and what goes on
    /// in the name of the others ends.
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

    /// What somebody's token opens. Looked up by the hash, which tells nothing about the token to who
    /// measures how long it takes; compared in constant time all the same.
    fn find(&self, token: &[u8]) -> Option<&Arc<Key>> {
        let hash = text::hash(token);
        let key = self.0.get(&hash)?;
        bool::from(key.hash.ct_eq(&hash)).then_some(key)
    }
}

/// Whether tokens are asked for, and which hold; clone it freely.
#[derive(Clone, Debug)]
pub(crate) struct Access(Option<watch::Receiver<Arc<Keyring>>>);

impl Access {
    /// Everybody may do everything.
    pub(crate) const OPEN: Self = Self(None);

    pub(crate) fn by(keyring: watch::Receiver<Arc<Keyring>>) -> Self {
        Self(Some(keyring))
    }

    /// Whether everybody may do everything.
    pub(crate) fn is_open(&self) -> bool {
        self.0.is_none()
    }

    /// What somebody's token opens, if it is worth anything.
    pub(crate) fn find(&self, token: &[u8]) -> Option<Arc<Key>> {
        let keyring = self.0.as_ref()?.borrow();
        keyring.find(token).map(Arc::clone)
    }
}
