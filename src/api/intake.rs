//! Limits the memory and time that large bodies take from other requests.
//!
//! A body of at most [`SMALL_BYTES`] is parsed in place. Larger ones share the memory budget of [`Intake`], from their first
//! byte until their last copy is dropped, and each is parsed on a thread of its own, a few at a time, so that quick requests
//! never wait for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api::error::ApiError;

/// Bodies up to this size are parsed in place.
pub(crate) const SMALL_BYTES: usize = 64 * 1024;
/// Large bodies that are parsed at a time.
const PARSERS: usize = 2;
/// The memory budget, in bodies of the largest size.
const LARGEST_BODIES: usize = 8;
/// After this time without a byte, a body is evicted if others need its memory.
const STALLED: Duration = Duration::from_secs(1);

/// The budget and the parser threads for large bodies.
pub(crate) struct Intake {
    parsers: Arc<Semaphore>,
    budget: Arc<MemoryBudget>,
}

/// The memory that all large bodies share.
struct MemoryBudget {
    bytes: usize,
    uploads: Mutex<Uploads>,
}

#[derive(Default)]
struct Uploads {
    /// Bytes that all open bodies hold.
    bytes: usize,
    next: u64,
    open: HashMap<u64, State>,
}

/// A body that has more than [`SMALL_BYTES`].
struct State {
    bytes: usize,
    /// Time of its last bytes; `None` when it has arrived or was evicted.
    moved: Option<Instant>,
    evicted: CancellationToken,
}

/// A large body's share of the budget.
pub(crate) struct Upload {
    budget: Arc<MemoryBudget>,
    id: u64,
    /// The body has stalled, and others need its memory.
    pub(crate) evicted: CancellationToken,
}

/// A body that holds its share of the budget until it is dropped.
struct Held {
    bytes: Vec<u8>,
    _upload: Upload,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Intake {
    /// Makes a budget for a few bodies of this size.
    pub(crate) fn new(body_limit_bytes: usize) -> Self {
        let bytes = LARGEST_BODIES.saturating_mul(body_limit_bytes.max(1024 * 1024));
        Self {
            parsers: Arc::new(Semaphore::new(PARSERS)),
            budget: Arc::new(MemoryBudget {
                bytes,
                uploads: Mutex::default(),
            }),
        }
    }

    /// Returns what `read` makes of a body: in place if it is small, on a thread of its own if it is large.
    pub(crate) async fn parse<T: Send + 'static>(
        &self,
        body: &Bytes,
        read: impl FnOnce(&[u8]) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        if body.len() <= SMALL_BYTES {
            return read(body);
        }
        let permit = Arc::clone(&self.parsers).acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        let body = body.clone();
        let parsed = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            read(&body)
        });
        parsed
            .await
            .map_err(|error| ApiError::Internal(error.to_string()))?
    }

    /// Registers a body that has become large.
    pub(crate) fn upload(&self) -> Upload {
        let mut uploads = self.budget.lock();
        let id = uploads.next;
        uploads.next += 1;
        let evicted = CancellationToken::new();
        let state = State {
            bytes: 0,
            moved: Some(Instant::now()),
            evicted: evicted.clone(),
        };
        uploads.open.insert(id, state);
        Upload {
            budget: Arc::clone(&self.budget),
            id,
            evicted,
        }
    }
}

impl MemoryBudget {
    fn lock(&self) -> MutexGuard<'_, Uploads> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Uploads {
    /// Evicts the body that has stalled longest. Returns whether there was one.
    fn evict(&mut self, id: u64, now: Instant) -> bool {
        let others = self.open.iter_mut().filter(|(other, _)| **other != id);
        let arriving = others.filter_map(|(_, state)| state.moved.map(|moved| (moved, state)));
        let stalled = arriving.filter(|(moved, _)| now.duration_since(*moved) >= STALLED);
        let Some((_, longest)) = stalled.min_by_key(|(moved, _)| *moved) else {
            return false;
        };
        longest.evicted.cancel();
        longest.moved = None;
        self.bytes -= std::mem::take(&mut longest.bytes);
        true
    }
}

impl Upload {
    /// Reserves memory for more of the body.
    ///
    /// # Errors
    /// 503 if the budget is used up and no body has stalled.
    pub(crate) fn grow(&self, bytes: usize) -> Result<(), ApiError> {
        let now = Instant::now();
        let mut uploads = self.budget.lock();
        while uploads.bytes + bytes > self.budget.bytes {
            if !uploads.evict(self.id, now) {
                let detail = "Too many large request bodies arrive at once. Try again in a moment.";
                return Err(ApiError::Unavailable(detail.to_owned()));
            }
        }
        uploads.bytes += bytes;
        if let Some(state) = uploads.open.get_mut(&self.id) {
            state.bytes += bytes;
            state.moved = Some(now);
        }
        Ok(())
    }

    /// Returns the whole body, which holds its share of the budget until it is dropped.
    pub(crate) fn finish(self, bytes: Vec<u8>) -> Bytes {
        if let Some(state) = self.budget.lock().open.get_mut(&self.id) {
            state.moved = None;
        }
        Bytes::from_owner(Held {
            bytes,
            _upload: self,
        })
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let mut uploads = self.budget.lock();
        if let Some(state) = uploads.open.remove(&self.id) {
            uploads.bytes -= state.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stalls_gives_way_and_one_that_has_arrived_does_not() {
        let intake = Intake::new(MIB);
        let whole = intake.upload();
        whole.grow(4 * MIB).unwrap();
        let body = whole.finish(vec![0; 4 * MIB]);
        let stalled = intake.upload();
        stalled.grow(3 * MIB).unwrap();
        let other = intake.upload();
        // No body has stalled yet.
        assert!(other.grow(2 * MIB).is_err());
        assert!(!stalled.evicted.is_cancelled());
        tokio::time::advance(STALLED).await;
        other.grow(2 * MIB).unwrap();
        assert!(stalled.evicted.is_cancelled());
        assert!(other.grow(3 * MIB).is_err());
        drop(stalled);
        // A copy keeps the budget too.
        let copy = body.slice(1..);
        drop(body);
        assert!(other.grow(3 * MIB).is_err());
        drop(copy);
        other.grow(6 * MIB).unwrap();
        drop(other);
        assert_eq!(intake.budget.lock().bytes, 0);
    }

    #[tokio::test]
    async fn large_bodies_are_parsed_a_few_at_a_time_and_small_ones_on_the_spot() {
        let intake = Arc::new(Intake::new(MIB));
        let large = Bytes::from(vec![b' '; SMALL_BYTES + 1]);
        let (began, mut begun) = tokio::sync::mpsc::unbounded_channel();
        let mut ends = Vec::new();
        let parses: Vec<_> = (0..PARSERS + 1)
            .map(|_| {
                let (end, ended) = std::sync::mpsc::channel::<()>();
                ends.push(end);
                let (intake, large, began) = (Arc::clone(&intake), large.clone(), began.clone());
                tokio::spawn(async move {
                    let read = move |body: &[u8]| {
                        began.send(()).unwrap();
                        let _ = ended.recv();
                        Ok(body.len())
                    };
                    intake.parse(&large, read).await.unwrap()
                })
            })
            .collect();
        for _ in 0..PARSERS {
            begun.recv().await.unwrap();
        }
        // This thread is free, and a small body does not wait for a parser.
        let small = Bytes::from_static(b"{}");
        let parsed = intake.parse(&small, |body| Ok(body.len())).await;
        assert_eq!(parsed.unwrap(), 2);
        assert!(begun.try_recv().is_err(), "one more than the parsers");
        drop(ends);
        for parse in parses {
            assert_eq!(parse.await.unwrap(), SMALL_BYTES + 1);
        }
    }
}
