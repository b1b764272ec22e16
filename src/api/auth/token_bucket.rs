//! Token buckets by key, in bounded memory.
//!
//! A bucket holds the tokens of one period of its rate, and refills within that period. It is stored as one number, the
//! time at which it will be full (the generic cell rate algorithm); full buckets are forgotten.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::Rate;

/// Number of stored buckets. Further keys share one.
const BUCKETS_LIMIT: usize = 65_536;
/// Time between two sweeps for full buckets.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// One bucket for each key.
#[derive(Debug)]
pub(crate) struct Buckets<K> {
    began: Instant,
    kept: Mutex<Kept<K>>,
}

/// The stored buckets. Times are counted from `began`.
#[derive(Debug)]
struct Kept<K> {
    full_at: HashMap<K, Duration>,
    /// The shared bucket of all keys that are not stored.
    others_full_at: Duration,
    swept_at: Duration,
}

impl<K: Eq + Hash> Buckets<K> {
    /// Makes full buckets for all keys.
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            kept: Mutex::new(Kept {
                full_at: HashMap::new(),
                others_full_at: Duration::ZERO,
                swept_at: Duration::ZERO,
            }),
        }
    }

    /// Takes one token. `Err`: how long until a token is available.
    pub(crate) fn take(&self, key: K, rate: Rate) -> Result<(), Duration> {
        self.kept().take(key, rate, self.began.elapsed())
    }

    /// Returns how long the bucket stays empty; `None` if it has a token. Takes none.
    pub(crate) fn empty_for(&self, key: &K, rate: Rate) -> Option<Duration> {
        let now = self.began.elapsed();
        let kept = self.kept();
        let full_at = match kept.full_at.get(key) {
            Some(full_at) => *full_at,
            None if kept.full_at.len() >= BUCKETS_LIMIT => kept.others_full_at,
            None => return None,
        };
        after_one(full_at, rate, now).err()
    }

    fn kept(&self) -> MutexGuard<'_, Kept<K>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash> Kept<K> {
    fn take(&mut self, key: K, rate: Rate, now: Duration) -> Result<(), Duration> {
        if self.full_at.len() >= BUCKETS_LIMIT && now >= self.swept_at + SWEEP_INTERVAL {
            self.full_at.retain(|_, full_at| *full_at > now);
            self.swept_at = now;
        }
        let full_at = match self.full_at.len() >= BUCKETS_LIMIT && !self.full_at.contains_key(&key)
        {
            true => &mut self.others_full_at,
            false => self.full_at.entry(key).or_default(),
        };
        // A bucket that was emptied at a slower rate is no emptier than empty.
        *full_at = (*full_at).clamp(now, now + rate.per);
        *full_at = after_one(*full_at, rate, now)?;
        Ok(())
    }
}

/// Takes one token. `Ok`: the new refill time. `Err`: how long until a token is available.
fn after_one(full_at: Duration, rate: Rate, now: Duration) -> Result<Duration, Duration> {
    let of_one = rate.per / rate.starts;
    let after = full_at.max(now) + of_one;
    match after <= now + rate.per {
        true => Ok(after),
        false => Err(after - (now + rate.per)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        starts: 3,
        per: Duration::from_secs(3),
    };

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_empty_bucket_says_when_it_has_a_token() {
        let mut kept = Buckets::new().kept.into_inner().unwrap();
        for _ in 0..3 {
            kept.take("a", RATE, at(10)).unwrap();
        }
        assert_eq!(kept.take("a", RATE, at(10)), Err(at(1)));
        // Another key has another bucket.
        kept.take("b", RATE, at(10)).unwrap();
        kept.take("a", RATE, at(11)).unwrap();
        assert_eq!(kept.take("a", RATE, at(11)), Err(at(1)));
        for _ in 0..3 {
            kept.take("a", RATE, at(14)).unwrap();
        }
    }

    #[test]
    fn a_rate_that_was_raised_holds_at_once() {
        let mut kept = Buckets::new().kept.into_inner().unwrap();
        let slow = Rate {
            starts: 1,
            per: at(86_400),
        };
        kept.take("a", slow, at(0)).unwrap();
        assert_eq!(kept.take("a", RATE, at(0)), Err(at(1)));
        kept.take("a", RATE, at(1)).unwrap();
    }

    #[test]
    fn memory_is_bounded_and_who_was_known_stays_so() {
        let mut kept = Buckets::new().kept.into_inner().unwrap();
        for key in 0..BUCKETS_LIMIT + 10 {
            let _ = kept.take(key, RATE, at(0));
        }
        assert_eq!(kept.full_at.len(), BUCKETS_LIMIT);
        // Strangers share one bucket, and who has one of his own keeps it.
        assert_eq!(kept.take(BUCKETS_LIMIT + 10, RATE, at(0)), Err(at(1)));
        kept.take(7, RATE, at(0)).unwrap();
        // When the buckets are full they are forgotten.
        kept.take(BUCKETS_LIMIT + 10, RATE, at(5)).unwrap();
        assert_eq!(kept.full_at.len(), 1);
    }
}
